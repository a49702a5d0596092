"""Find videos stored as images in folders, as in REDS, Vimeo-90K and Vid4, and tell them from photographs."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

FEWEST = 3
"""Smallest number of images in a sequence."""
COMPARED = 6
"""Number of neighbouring pairs that are compared."""
ALIKE = 0.5
"""Least correlation of thumbnails of neighbours in a video; that of unrelated photographs is about 0."""
THUMBNAIL = 24


@dataclass(frozen=True, order=True)
class Sequence:
    """A video as images. `path` is its folder, or of several in one folder the part of the names that they share."""

    path: Path
    images: tuple[Path, ...]

    @property
    def name(self) -> str:
        """The folder's name behind that of the folder around it: Vimeo-90K has a 0001 in each of its folders."""
        return f"{self.path.parent.name}/{self.path.name}"


def split(images: Iterable[Path], read: Callable[[Path], Tensor]) -> tuple[list[Sequence], list[Path]]:
    """Return the sequences among images, and the images that are photographs.

    Images of one folder whose names differ in their last number alone, which rises by one, are a sequence if they are
    of one size and neighbours look alike. `read` returns an image as (3, h, w) uint8.
    """
    groups: dict[tuple[Path, str, str], list[tuple[int, Path]]] = defaultdict(list)
    photographs = []
    for image in images:
        match = re.fullmatch(r"(.*?)(\d{1,18})(\D*)", image.stem)
        if match:
            groups[image.parent, match[1], match[3] + image.suffix.lower()].append((int(match[2]), image))
        else:
            photographs.append(image)
    runs = [(key, run) for key, group in groups.items() for run in _runs(sorted(group))]
    in_folder: dict[Path, int] = defaultdict(int)
    for (folder, _, _), run in runs:
        in_folder[folder] += len(run) >= FEWEST
    sequences = []
    for (folder, _, _), run in runs:
        if len(run) >= FEWEST and is_video(run, read):
            alone = in_folder[folder] == 1
            sequences.append(Sequence(folder if alone else folder / run[0].stem, tuple(run)))
        else:
            photographs += run
    return sorted(sequences), sorted(photographs)


def is_video(images: list[Path], read: Callable[[Path], Tensor]) -> bool:
    """Return whether neighbours are of one size and look alike, the median of a few pairs spread over the images."""
    starts = torch.linspace(0, len(images) - 2, min(COMPARED, len(images) - 1)).round().int().tolist()
    found = []
    for start in starts:
        one, other = (read(image) for image in images[start : start + 2])
        if one.shape != other.shape:
            return False
        found.append(correlation(one, other))
    return sorted(found)[len(found) // 2] >= ALIKE


def correlation(one: Tensor, other: Tensor) -> float:
    """Return how alike the thumbnails of two pictures (3, h, w) are, from -1 to 1; pictures of one colour are alike."""
    small = [F.interpolate(p[None].float(), size=(THUMBNAIL, THUMBNAIL), mode="area").flatten() for p in (one, other)]
    a, b = (s - s.mean() for s in small)
    scale = float(a.norm() * b.norm())
    return 1.0 if scale == 0 else float(a @ b) / scale


def _runs(numbered: list[tuple[int, Path]]) -> Iterator[list[Path]]:
    """Yield the images whose numbers follow each other without a gap."""
    run: list[Path] = []
    last = -1
    for number, image in numbered:
        if run and number != last + 1:
            yield run
            run = []
        run.append(image)
        last = number
    if run:
        yield run
