"""Paths below the root that the page may see: none outside, by dots, by links or by other ways of writing them."""

import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from vsrcli.errors import UsageError
from vsrcli.files import free_names
from vsrcli.media.write.made import made_tags
from vsrcli.names import is_image, is_video, natural_key
from vsrcli.pipeline.jobs.places import ENDING
from vsrcli.pipeline.running.batch import is_disc_video

UPLOADS = "uploads"
"""Folder below the root that gets files that are dropped on the page."""
_LONGEST = 180  # bytes of a name, so that results and folders of jobs beside it have room
_MOST_OPENED = 60  # videos of a folder
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # names of devices on Windows


class OutsideError(Exception):
    """A path that does not lie below the root, or that is none."""


class Root:
    """The folder of which the page sees all and beyond which it sees nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(os.path.realpath(folder))

    def path(self, written: str) -> Path:
        """Return the path that is written relative to the root with slashes. Raises OutsideError."""
        parts = PurePosixPath(written).parts
        if (
            not is_text(written)
            or "\0" in written
            or "\\" in written
            or written.startswith("/")
            or any(_is_odd(part) for part in parts)
        ):
            raise OutsideError(written)
        return self.inside(self.folder.joinpath(*parts))

    def inside(self, path: Path) -> Path:
        """Return a path, with links resolved, if it lies below the root. Raises OutsideError."""
        real = Path(os.path.realpath(path))
        if real != self.folder and self.folder not in real.parents:
            raise OutsideError(str(path))
        return real

    def written(self, path: Path) -> str:
        """Return a path below the root as the page writes it. Raises OutsideError."""
        relative = self.inside(path).relative_to(self.folder)
        return relative.as_posix() if relative.parts else ""

    def entries(self, folder: Path) -> Iterator[dict[str, Any]]:
        """Yield what is of use in a folder: subfolders first, then videos and images, in natural order.

        Hidden files, folders of jobs, links that lead outside, and names that are no text are left out. Where there are
        not too many videos, each is opened to see whether vsr made it. Raises OSError.
        """
        found = []
        for path in folder.iterdir():
            try:
                real = self.inside(path)
            except (OutsideError, OSError):
                continue
            if path.name.startswith(".") or path.name.endswith(ENDING) or not is_text(path.name):
                continue
            kind = "folder" if real.is_dir() else _kind(path) if real.is_file() else None
            if kind is not None:
                found.append((kind != "folder", natural_key(path), kind, path, real))
        opened = sum(kind == "video" for _, _, kind, _, _ in found) <= _MOST_OPENED
        for _, _, kind, path, real in sorted(found, key=lambda one: one[:2]):
            about = (
                {"images": sum(map(is_image, real.iterdir()))} if kind == "folder" else {"bytes": real.stat().st_size}
            )
            if kind == "video" and opened:
                about["made"] = bool(made_tags(real))
            yield {"kind": kind, "name": path.name, "path": self.written(real), **about}

    def for_upload(self, name: str) -> Path:
        """Return a free path for a dropped file. Raises UsageError for a name that is no video's or image's."""
        clean = unicodedata.normalize("NFC", re.sub(r"[\x00-\x1f\x7f<>:\"|?*]", "_", re.split(r"[\\/]", name)[-1]))
        clean = clean.strip(". ")
        stem, suffix = Path(clean).stem, Path(clean).suffix
        if not stem or _RESERVED.fullmatch(clean) or not (is_video(Path(clean)) or is_image(Path(clean))):
            raise UsageError(f"{clean or 'a file without a name'} is no video and no image, by its name")
        stem = stem.encode()[: _LONGEST - len(suffix)].decode("utf-8", "ignore")
        folder = self.inside(self.folder / UPLOADS)
        folder.mkdir(exist_ok=True)
        return next(path for path in free_names(folder / f"{stem}{suffix}") if not os.path.lexists(path))


def is_text(name: str) -> bool:
    """Return whether a name can be sent as UTF-8; some on disks are bytes of another encoding."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def _is_odd(part: str) -> bool:
    """Return whether a part of a path leads up, is hidden, or names a drive or a stream of Windows."""
    return part.startswith(".") or ":" in part


def _kind(path: Path) -> str | None:
    if is_video(path) or is_disc_video(path):
        return "video"
    return "image" if is_image(path) else None
