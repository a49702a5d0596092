"""LR frames of clips, made by the papers' degradations and written as folders of PNG frames (`vsr degrade`)."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vsrcli.errors import InputError, OutputError, OutputExistsError, Reason, UsageError
from vsrcli.evaluate.clips import Degradation, pairs
from vsrcli.evaluate.datasets import HR_NAMES, Clip, find_clips
from vsrcli.files import make_folder
from vsrcli.levels import planes_to_picture, unit_to_picture
from vsrcli.media.photo.images import write_png


@dataclass(frozen=True)
class Placed:
    """A clip, and the folder of its frames below that of all; it is empty where the clip is the source itself."""

    clip: Clip
    inside: Path


def place_clips(sources: Sequence[Path]) -> list[Placed]:
    """Return the clips of all sources, each in its place within its source: GT/calendar/*.png in calendar.

    Each of several sources has a folder of its own. Raises InputError for a source without clips, and UsageError for
    two clips in one place, or two frames of a clip that differ in their ending alone.
    """
    placed: list[Placed] = []
    for source in sources:
        own = Path(source.stem if source.is_file() else source.resolve().name) if len(sources) > 1 else Path()
        placed += [Placed(clip, own / _inside(clip, source)) for clip in find_clips(source)]
    for one in placed:
        if sum(other.inside == one.inside for other in placed) > 1:
            raise UsageError(f"two clips are called {one.inside}: make their LR frames one by one")
        if len({path.stem for path in one.clip.hr}) < len(one.clip.hr):
            raise InputError(f"{one.clip.hr[0].parent}: two frames differ in their ending alone")
    return placed


def _inside(clip: Clip, source: Path) -> Path:
    if clip.is_video:
        return Path() if source.is_file() else Path(clip.name)
    root = source.parent if source.is_file() else source
    return Path(*(part for part in clip.hr[0].parent.relative_to(root).parts if part.lower() not in HR_NAMES))


def check_folder(folder: Path, placed: Sequence[Placed], *, overwrite: bool) -> None:
    """Raise UsageError if a folder for frames holds files, unless `overwrite`, or if it is that of a clip's frames.

    Raises OutputError if it is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"cannot write {folder}: it is not a folder")
    for one in placed:
        if os.path.realpath(folder / one.inside) == os.path.realpath(one.clip.hr[0].parent):
            raise UsageError(f"{folder} is the input itself", Reason.OUTPUT_IS_INPUT)
    if folder.is_dir() and any(folder.iterdir()) and not overwrite:
        raise OutputExistsError(folder)


def write_lr_frames(
    placed: Sequence[Placed],
    folder: Path,
    degradation: Degradation,
    scale: int,
    *,
    noise: float = 0.0,
    crf: int | None = None,
    truth: Path | None = None,
    on_frame: Callable[[], None] = lambda: None,
) -> int:
    """Write the LR frames that `pairs` makes of all clips to `folder`, and return their number.

    With `truth` the HR frames, cropped to a multiple of the scale, are written to that folder. Raises as `pairs` does,
    and OSError or OutputError for a frame that cannot be written.
    """
    count = 0
    for one in placed:
        for pair in pairs(one.clip, degradation, scale, noise=noise, crf=crf):
            _write(folder / one.inside, pair.name, unit_to_picture(pair.lr))
            if truth is not None:
                _write(truth / one.inside, pair.name, planes_to_picture(pair.hr))
            count += 1
            on_frame()
    return count


def _write(folder: Path, name: str, picture: np.ndarray) -> None:
    make_folder(folder)
    write_png(folder / f"{name}.png", picture)
