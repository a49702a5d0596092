"""File locks, so that one process at a time works on a job. The system releases them when the process ends."""

import contextlib
import errno
import os
from pathlib import Path

from filelock import FileLock, Timeout

_NO_LOCKS = frozenset({errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP})
"""Error numbers of file systems without locks."""


class LockedError(Exception):
    """Another process holds the lock."""


class Hold:
    """A held lock. Its file is deleted on release; after a kill the file remains, without a lock."""

    def __init__(self, path: Path, lock: FileLock | None) -> None:
        self.path = path
        self._lock = lock
        self._held = True

    def release(self) -> None:
        """Release the lock. The second call has no effect."""
        if not self._held:
            return
        self._held = False
        deleted = self._delete()  # while the lock is held, so that the file is not that of a later holder
        if self._lock is not None:
            # an error here would hide that of the work; the lock ends with the process
            with contextlib.suppress(OSError):
                self._lock.release(force=True)
        if not deleted:  # Windows cannot delete open files
            self._delete()

    def _delete(self) -> bool:
        try:
            self.path.unlink(missing_ok=True)
        except OSError:
            return False
        return True


def hold(path: Path, *, wait: bool) -> Hold:
    """Create a file and lock it; with `wait`, wait for its current holder.

    On a file system without locks nothing is locked. Raises LockedError if another process holds it and `wait` is
    False, FileNotFoundError if the folder disappears, OSError if the file cannot be created or is a link.
    """
    while True:
        lock = FileLock(path, thread_local=False, fallback_to_soft=False)
        try:
            lock.acquire(timeout=-1 if wait else 0)
        except Timeout:
            if os.path.lexists(path):
                raise LockedError(path) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
            return Hold(path, None)
        else:
            return Hold(path, lock)
