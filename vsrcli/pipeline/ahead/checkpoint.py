"""The net that a checkpoint holds, its cost and its origin: the record of `vsr info` for a file of weights."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vsrcli.bench.cost import flops, parameters
from vsrcli.zoo import formats, ranges, store
from vsrcli.zoo.catalogue import Entry, catalogue

_SIZE = (180, 320)  # lines and columns of the frame whose cost the catalogue gives too


@dataclass(frozen=True)
class Checkpoint:
    """A file of weights.

    Attributes:
        path: of the file.
        bytes: its size.
        entry: the model of the catalogue that it is, by its SHA-256; None for others.
        architecture: its name, as in `vsr models`.
        scale: the factor of each side.
        parameters: their number.
        gflop: cost of a 320x180 frame in GFLOP.
        degradation: how the LR frames for training were made; None where nothing declares it.
        sha256: the file's digest.
        ranges: the file of ranges for int8 that fits, beside it or the catalogue's; None if there is none.
        unfit_ranges: a file of ranges beside it that are those of other weights, if none fits.
        declared: what the file says of itself besides, as plain data from JSON: vsr's own files name their recipe.
    """

    path: Path
    bytes: int
    entry: Entry | None
    architecture: str
    scale: int
    parameters: int
    gflop: float
    degradation: str | None
    sha256: str
    ranges: Path | None
    unfit_ranges: Path | None
    declared: dict[str, Any]

    def plain(self) -> dict[str, Any]:
        """Return plain data for JSON; the names are stable."""
        return {
            "input": str(self.path),
            "kind": "checkpoint",
            "bytes": self.bytes,
            "model": self.entry.name if self.entry else None,
            "architecture": self.architecture,
            "scale": self.scale,
            "parameters": self.parameters,
            "gflop_per_320x180_frame": self.gflop,
            "degradation": self.degradation,
            "licence": self.entry.licence if self.entry else None,
            "sha256": self.sha256,
            "int8_ranges": None if self.ranges is None else str(self.ranges),
            "declared": self.declared,
        }


def examine(path: Path) -> Checkpoint:
    """Return what a checkpoint holds. Raises WeightsError if `zoo.load` could not load it either."""
    net, architecture, metadata = formats.load_net(path)
    digest = store.sha256(path)
    entry = catalogue().of_file(digest)
    used = ranges.give(net, [ranges.beside(path), *(ranges.of_model(entry) if entry else ())], [digest])
    degradation = metadata.get("degradation", entry.degradation if entry else None)
    return Checkpoint(
        path=path,
        bytes=path.stat().st_size,
        entry=entry,
        architecture=architecture.name,
        scale=net.scale,
        parameters=parameters(net),
        gflop=entry.gflop if entry else round(flops(net, *_SIZE) / 1e9, 2),
        degradation=degradation if isinstance(degradation, str) else None,
        sha256=digest,
        ranges=used,
        unfit_ranges=Path(net.unfit_ranges) if net.unfit_ranges and used is None else None,
        declared={key: value for key, value in metadata.items() if key not in ("arch", "scale", "degradation")},
    )
