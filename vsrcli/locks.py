"""Lets one process at a time work on what a file guards: a lock that the system drops when its process ends."""

import errno
import os
from pathlib import Path

from filelock import FileLock, Timeout

_NO_LOCKS = frozenset({errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP})
"""What file systems answer that know no locks."""


class LockedError(Exception):
    """Another process holds the lock."""


class Hold:
    """A held lock. Nothing is left of its file when it is released; after a kill the file stays, without a lock."""

    def __init__(self, path: Path, lock: FileLock | None) -> None:
        self.path = path
        self._lock = lock
        self._held = True

    def release(self) -> None:
        """Let go. The second time it does nothing."""
        if not self._held:
            return
        self._held = False
        deleted = self._delete()  # while it is held, so that it is no later holder's file
        if self._lock is not None:
            self._lock.release(force=True)
        if not deleted:  # Windows deletes no open file
            self._delete()

    def _delete(self) -> bool:
        try:
            self.path.unlink(missing_ok=True)
        except OSError:
            return False
        return True


def hold(path: Path, *, wait: bool) -> Hold:
    """Make a file and lock it, waiting for its holder or not.

    On a file system without locks nothing is locked. Raises LockedError where another holds it and `wait` is False,
    FileNotFoundError where the folder vanishes, OSError where the file cannot be made or is a link.
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
