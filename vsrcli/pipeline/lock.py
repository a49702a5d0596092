"""Lets one process at a time work in a job's folder: a lock that the system drops when its process ends, however."""

import contextlib
import os
import sys
from pathlib import Path
from typing import BinaryIO

from vsrcli.errors import UsageError
from vsrcli.pipeline.workfolder import LOCK_NAME, refuse_foreign

if sys.platform == "win32":
    import msvcrt

    def _take(file: BinaryIO) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _without_links(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o600)


def lock(folder: Path) -> BinaryIO:
    """Make `folder` and hold it until the file that is returned is closed.

    Raises UsageError if another process holds it, or if it or what is in it is a link or another user's.
    """
    path = folder / LOCK_NAME
    while True:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        refuse_foreign(folder)
        try:
            file = open(path, "ab", opener=_without_links)  # noqa: SIM115
        except FileNotFoundError:  # the holder before has just removed the folder
            continue
        try:
            _take(file)
        except (BlockingIOError, PermissionError):
            file.close()
            raise UsageError(f"another vsr works on {folder}: wait for it, or give another -o") from None
        except OSError:  # a file system without locks: no worse off than without this
            return file
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        file.close()  # the holder before has just removed the folder
