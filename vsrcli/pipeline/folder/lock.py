"""Lock of a job's folder, so that one process at a time works there."""

import contextlib
from pathlib import Path

from vsrcli.errors import Reason, UsageError
from vsrcli.files import make_folder
from vsrcli.locks import Hold, LockedError, hold
from vsrcli.pipeline.folder.work_files import LOCK_NAME, refuse_foreign


def lock(folder: Path) -> Hold:
    """Create `folder` and hold it until the result is released.

    Raises UsageError if another process holds it, or if it or anything in it is a link or another user's.
    """
    while True:
        make_folder(folder.parent)
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        refuse_foreign(folder)
        try:
            return hold(folder / LOCK_NAME, wait=False)
        except LockedError:
            raise UsageError(f"another vsr works on {folder}: wait for it", Reason.WORK_FOLDER_TAKEN) from None
        except FileNotFoundError:  # the holder before has just removed the folder
            continue
