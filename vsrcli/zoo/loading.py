"""Load a net, ready to run, by a model's name or a checkpoint's path."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vsrcli import log
from vsrcli.errors import UsageError
from vsrcli.zoo import picking, ranges, store
from vsrcli.zoo.catalogue import Entry, catalogue, is_path

if TYPE_CHECKING:
    import torch

    from vsrcli.media.strength.compression import Compression
    from vsrcli.nets.recurrent import RecurrentNet


@dataclass(frozen=True)
class LoadedModel:
    """A net in eval mode, float32, without gradients, and the origin of its weights.

    `source` is bundled, installed, downloaded or path. `sha256` is the full digest of the file. `degradation` is None
    where the file does not declare it.
    """

    net: "RecurrentNet"
    name: str
    arch: str
    scale: int
    source: str
    path: Path
    sha256: str
    degradation: str | None


def find(name: str | None, *, scale: int | None = None, say: store.Say | None = None) -> Entry:
    """Return the catalogue's entry for a name; for an architecture the first with local weights, else its first."""
    entry = catalogue().resolve(name, scale=scale, at_hand=lambda candidate: store.locate(candidate) is not None)
    if name is not None and name.lower() != entry.name:
        (say or log.note)(f"using {entry.name}")
    return entry


def is_open(name: str | None) -> bool:
    """Return whether a name leaves the choice of weights to vsr: None or an architecture, not a full name or a path."""
    return name is None or not (is_path(name) or name.lower() in catalogue().models)


def find_for(source: "Compression", name: str | None = None, *, drawn: bool = False) -> picking.Pick:
    """Choose the catalogue's model for a source, by a name that `is_open`. Raises UsageError for an unknown name."""
    return picking.pick(
        catalogue(),
        name,
        source,
        drawn=drawn,
        at_hand=lambda candidate: store.locate(candidate) is not None,
    )


def left_open(name: str | None, *, drawn: bool = False) -> list[str]:
    """Return the names of the models among which `find_for` chooses. Raises UsageError for an unknown name."""
    return [entry.name for entry in picking.choices(catalogue(), name, drawn=drawn)[0]]


def load(
    name: str | Path | None = None,
    *,
    device: "str | torch.device" = "cpu",
    scale: int | None = None,
    progress: store.Progress | None = None,
    say: store.Say | None = None,
) -> LoadedModel:
    """Load a model by name (`arch.tag`, or an architecture alone) or by its checkpoint's path; None is the default.

    Missing weights are downloaded. Raises UsageError for an unknown name or another scale, WeightsError for missing,
    damaged or unknown weights.

    Args:
        name: name or path.
        device: where the net is placed.
        scale: factor that the model must have; it chooses among the models of an architecture.
        progress: called with the bytes downloaded and the total.
        say: called with a line for the user when weights are downloaded.
    """
    if isinstance(name, Path) or (name is not None and is_path(name)):
        return load_file(Path(name).expanduser(), device=device, scale=scale)
    from vsrcli.zoo import formats  # here, because torch takes seconds to import

    entry = find(name, scale=scale, say=say)
    located, digest = store.obtain(entry, progress=progress, say=say)
    net, architecture, _ = formats.load_net(located.path)
    ranges.give(net, ranges.of_model(entry), [source.sha256 for source in entry.sources])
    net.prefers_int8 = entry.int8_loss is not None
    net.to(device)
    return LoadedModel(
        net, entry.name, architecture.name, net.scale, located.kind, located.path, digest, entry.degradation
    )


class Loader:
    """Cache that loads each model once; see `load`. It is meant for calls with one device and precision."""

    def __init__(self) -> None:
        self._loaded: dict[str | None, LoadedModel] = {}

    def __call__(
        self, name: str | None = None, *, say: store.Say | None = None, progress: store.Progress | None = None
    ) -> LoadedModel:
        """Return the model of that name. Raises as `load` does."""
        if name not in self._loaded:
            self._loaded[name] = load(name, say=say, progress=progress)
        return self._loaded[name]


def load_file(path: Path, *, device: "str | torch.device" = "cpu", scale: int | None = None) -> LoadedModel:
    """Load a checkpoint by its path; see `load`. A copy of a model of the catalogue runs in int8 as that does."""
    from vsrcli.zoo import formats

    net, architecture, metadata = formats.load_net(path)
    if scale not in (None, net.scale):
        raise UsageError(f"{path}: upscales by x{net.scale}, not by x{scale}")
    digest = store.sha256(path)
    entry = catalogue().of_file(digest)
    ranges.give(net, [ranges.beside(path), *(ranges.of_model(entry) if entry else ())], [digest])
    net.prefers_int8 = entry is not None and entry.int8_loss is not None
    net.to(device)
    declared = metadata.get("degradation")
    degradation = declared if isinstance(declared, str) and declared.isascii() and declared.isprintable() else None
    return LoadedModel(net, path.name, architecture.name, net.scale, "path", path, digest, degradation)
