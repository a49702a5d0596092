"""The catalogue of models, weights/catalogue.toml: the purpose, the cost and the sources of weights of each."""

import difflib
import functools
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from vsrcli.errors import UsageError

CHECKPOINT_SUFFIXES = (".pth", ".pt", ".ckpt", ".safetensors")


@dataclass(frozen=True)
class Source:
    """One source of a model's weights: exactly one of `bundled`, `package` (with `file`) and `url`.

    `bundled` is a file in the weights folder. `package` is a pinned distribution ("name==version") and `file` the path
    in it. `url` is a download. `sha256` is the file's digest or the first digits of it.
    """

    sha256: str
    bundled: str | None = None
    package: str | None = None
    file: str | None = None
    url: str | None = None


@dataclass(frozen=True)
class Figures:
    """A published result: PSNR in dB, and SSIM where it is known."""

    psnr: float
    ssim: float | None = None


@dataclass(frozen=True)
class Entry:
    """One model of the catalogue.

    Attributes:
        degradation: how the LR frames for training were made (bi: bicubic, bd: blur and subsampling, real: blur, noise
            and compression; mild: slight compression).
        parameters: their number.
        gflop: cost of a 320x180 frame in GFLOP.
        published: figures by "dataset-degradation".
        content: what the training frames showed: film, or anime for drawn content.
        use: purpose, where it does not follow from the other fields.
        from_crf: for weights of the degradations mild and real, the CRF of libx264 from which they are better than the
            architecture's for less compressed sources; None where it was not measured.
        int8_loss: largest mean loss of PSNR by int8 that was measured, in dB; None where it is no choice of "auto".
        config: arguments of the constructor that differ from the net's defaults.
    """

    name: str
    arch: str
    title: str
    scale: int
    degradation: str
    trained_on: str
    licence: str
    parameters: int
    gflop: float
    sources: tuple[Source, ...]
    published: dict[str, Figures]
    content: str = "film"
    from_crf: float | None = None
    use: str | None = None
    int8_loss: float | None = None
    config: dict[str, Any] = field(default_factory=dict)

    @property
    def vid4(self) -> float | None:
        """The published PSNR on Vid4 in dB, for the degradation of the model."""
        figures = self.published.get(f"vid4-{self.degradation}")
        return figures.psnr if figures else None


@dataclass(frozen=True)
class Catalogue:
    """All models in order, and the default models, the preferred one first."""

    models: dict[str, Entry]
    default: tuple[str, ...]

    def resolve(
        self,
        name: str | None = None,
        *,
        scale: int | None = None,
        at_hand: Callable[[Entry], bool] = lambda entry: True,
    ) -> Entry:
        """Return the model for a full name, an architecture (its first model that fits), or None (the default).

        Case is ignored. Raises UsageError with the closest names, or with the available scales.

        Args:
            name: name of a model or an architecture.
            scale: restricts the choice to models of that factor.
            at_hand: models of an architecture for which it is true are preferred.
        """
        if name is None:
            candidates = [self.models[default] for default in self.default]
        elif name.lower() in self.models:
            candidates = [self.models[name.lower()]]
        else:
            candidates = [entry for entry in self.models.values() if entry.arch == name.lower()]
        if not candidates:
            raise UsageError(f"no model is called {name!r}; {self.suggest(str(name))}")
        fitting = [entry for entry in candidates if scale in (None, entry.scale)]
        if not fitting:
            scales = ", ".join(f"x{factor}" for factor in sorted({entry.scale for entry in candidates}))
            raise UsageError(f"{name or 'the default model'} upscales by {scales}, not by x{scale}")
        return next((entry for entry in fitting if at_hand(entry)), fitting[0])

    def of_file(self, digest: str) -> Entry | None:
        """Return the model whose weights are in a file, by its SHA-256 in hexadecimal; None for other files."""
        entries = self.models.values()
        return next((one for one in entries if any(digest.startswith(source.sha256) for source in one.sources)), None)

    def suggest(self, name: str) -> str:
        """Return advice for a name that is not in the list."""
        known = [*self.models, *dict.fromkeys(entry.arch for entry in self.models.values())]
        close = difflib.get_close_matches(name.lower(), known, n=3, cutoff=0.5)
        return f"did you mean {' or '.join(close)}?" if close else "`vsr models` lists them all"


def channels_of(test: str) -> Literal["y", "rgb"]:
    """Return the channels of published figures of a test set ("reds4" or "reds4-bi"): luma but for REDS4."""
    return "rgb" if test.startswith("reds4") else "y"


def is_path(name: str) -> bool:
    """Return whether `name` is a checkpoint's path and not a model's name."""
    return name.lower().endswith(CHECKPOINT_SUFFIXES) or "/" in name or "\\" in name


def weights_folder() -> Path:
    """Return the folder of the catalogue and the bundled weights: inside the package, or at the top of a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "weights"
    return installed if (installed / "catalogue.toml").is_file() else package.parent / "weights"


@functools.cache
def catalogue() -> Catalogue:
    """Return the catalogue that ships with this program."""
    return parse(tomllib.loads((weights_folder() / "catalogue.toml").read_text(encoding="utf-8")))


def parse(table: dict[str, Any]) -> Catalogue:
    """Build the catalogue from its TOML table. Raises KeyError or TypeError for a missing, misspelt or extra key."""
    models = {}
    for name, fields in table["models"].items():
        arch = name.split(".")[0]
        about = {**table["architectures"][arch], **fields}
        models[name] = Entry(
            **{
                **about,
                "name": name,
                "arch": arch,
                "sources": tuple(Source(**source) for source in about["sources"]),
                "published": {test: Figures(**figures) for test, figures in about.get("published", {}).items()},
            }
        )
    return Catalogue(models, tuple(table["default"]))
