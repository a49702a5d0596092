"""Ranges of activations for int8: a small file that belongs to one file of weights and is found beside it.

`vsr weights calibrate` makes it, once, from videos. It lies beside a checkpoint that is given by its path; that of a
model of the catalogue lies beside the catalogue or, made on this machine, beside the downloads, and counts for a copy
of the model's file elsewhere too.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vsrcli.errors import WeightsError, unwritable
from vsrcli.files import write_whole
from vsrcli.zoo import store
from vsrcli.zoo.catalogue import Entry, weights_folder

if TYPE_CHECKING:
    from vsrcli.nets.int8 import Ranges
    from vsrcli.nets.recurrent import RecurrentNet

SUFFIX = ".int8.json"


@dataclass(frozen=True)
class Calibration:
    """The ranges of a net, the digest of the weights' file (SHA-256) and the names of the videos they come from."""

    weights: str
    videos: tuple[str, ...]
    ranges: "Ranges"


def beside(checkpoint: Path) -> Path:
    """Return where the ranges of a checkpoint that is given by its path are."""
    return checkpoint.with_name(checkpoint.name + SUFFIX)


def shipped(entry: Entry) -> Path:
    """Return where the ranges of a model of the catalogue are if they came with this program."""
    return weights_folder() / (entry.name + SUFFIX)


def own(entry: Entry) -> Path:
    """Return where the ranges of a model of the catalogue are if they were made on this machine."""
    return store.home() / "weights" / (entry.name + SUFFIX)


def of_model(entry: Entry) -> list[Path]:
    """Return where the ranges of a model of the catalogue can be, in the order in which they are looked for."""
    return [shipped(entry), own(entry)]


def give(net: "RecurrentNet", places: Sequence[Path], digests: Sequence[str]) -> Path | None:
    """Set a net's ranges to those in the first of `places` that is there and was made for one of `digests`.

    Return that place, or None. Digests are of weights, and may be cut short. Ranges of others are left alone; the net
    knows where they are. Raises WeightsError for a damaged file.
    """
    for place in places:
        if place.is_file():
            found = read(place)
            if any(found.weights.startswith(digest) for digest in digests):
                net.use_ranges(found.ranges)
                return None if net.ranges is None else place
            net.unfit_ranges = str(place)
    return None


def read(path: Path) -> Calibration:
    """Read a file of ranges. Raises WeightsError if it is damaged."""
    try:
        table: Any = json.loads(path.read_text(encoding="utf-8"))
        ranges = {str(name): (float(least), float(most)) for name, (least, most) in table["ranges"].items()}
        return Calibration(str(table["weights"]), tuple(map(str, table["videos"])), ranges)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{path}: is damaged: make it again by `vsr weights calibrate`") from error


def write(path: Path, made: Calibration) -> None:
    """Write a file of ranges, with four digits, one range a line. Raises OutputError."""
    lines = ",\n".join(f'    "{name}": [{least:.4g}, {most:.4g}]' for name, (least, most) in made.ranges.items())
    videos = json.dumps(made.videos, ensure_ascii=False)
    text = f'{{\n  "weights": "{made.weights}",\n  "videos": {videos},\n  "ranges": {{\n{lines}\n  }}\n}}\n'
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.encode())
    except OSError as error:
        raise unwritable(path, error) from error
