"""Lets one process at a time work in a job's folder: a lock that the system drops when its process ends, however."""

import contextlib
import os
import sys
from pathlib import Path
from typing import BinaryIO

from vsrcli.errors import UsageError

if sys.platform == "win32":
    import msvcrt

    def _take(file: BinaryIO) -> None:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


LOCK_NAME = "lock"


def lock(folder: Path) -> BinaryIO:
    """Make `folder` and hold it until the file that is returned is closed. Raises UsageError if another holds it."""
    path = folder / LOCK_NAME
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
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
