"""The videos of a folder that the page adds as jobs of their own, and the places of their results."""

from collections.abc import Iterator
from pathlib import Path

from vsrcli.errors import UsageError
from vsrcli.pipeline.running.batch import is_result, items, target
from vsrcli.web.places import OutsideError, Root, is_text

MOST = 1000
"""Videos of a folder that are added at once."""


def videos_of(root: Root, folder: Path, place: Path | None, *, recursive: bool) -> list[tuple[Path, Path | None]]:
    """Return the videos that `vsr upscale` would take of a folder, each with the name of its result in `place`.

    The tree below the folder is kept in `place`; None stands for beside the source. Left out are results of vsr's own,
    and what is hidden, is no text by its name or lies outside the root. Raises UsageError if nothing is left or too
    much is, and InputError.
    """
    found = [one for one in _allowed(root, folder, place, recursive=recursive) if not is_result(one[0])]
    if not found:
        raise UsageError("no videos here that vsr has not made itself")
    if len(found) > MOST:
        raise UsageError(f"{len(found)} videos are too many at once: choose a smaller folder")
    return found


def _allowed(root: Root, folder: Path, place: Path | None, *, recursive: bool) -> Iterator[tuple[Path, Path | None]]:
    for item in items([folder], place, recursive=recursive):
        parts = item.source.relative_to(folder).parts
        if not item.listed or any(part.startswith(".") or not is_text(part) for part in parts):
            continue
        try:
            yield root.inside(item.source), item.output
        except OutsideError:
            continue


def in_place(source: Path, place: Path | None) -> Path | None:
    """Return the name of one source's result in a folder."""
    return None if place is None else target(place, Path(source.name), folder=source.is_dir())
