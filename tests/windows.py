"""Windows' rules about files, emulated on Linux: what would fail there fails here."""

import contextlib
import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

RESERVED = frozenset('<>:"|?*')


def held(path: str) -> bool:
    """Return whether this process has that file open or mapped."""
    try:
        real = os.path.realpath(path)
        identity = Path(real).stat()
    except OSError:
        return False
    if stat.S_ISDIR(identity.st_mode):
        return False
    for handle in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            other = handle.stat()
            if (other.st_dev, other.st_ino) == (identity.st_dev, identity.st_ino):
                return True
    return any(line.rstrip().endswith(real) for line in Path("/proc/self/maps").read_text().splitlines())


def refuse_held(function: Callable[..., Any], paths: int) -> Callable[..., Any]:
    """Return `function` of os, which fails if one of its first `paths` arguments is an open file."""

    def strict(*arguments: Any, **named: Any) -> Any:
        for path in arguments[:paths]:
            name = os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else ""
            if named.get("dir_fd") is None and name and held(name):
                raise PermissionError(errno.EACCES, "open here: Windows refuses", name)
        return function(*arguments, **named)

    return strict


@pytest.fixture
def windows_rules(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Reject what Windows rejects: fsync of read-only handles and folders, rename and removal of open files.

    Names with characters that Windows reserves, and opening a folder, are rejected too. Yields a list of the rejected
    calls, for the failure's message.
    """
    refused: list[str] = []
    fsync, opened = os.fsync, os.open

    def strict_fsync(handle: int) -> None:
        number = handle if isinstance(handle, int) else handle.fileno()
        read_only = fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
        if read_only or stat.S_ISDIR(os.fstat(number).st_mode):
            refused.append("fsync")
            raise OSError(errno.EBADF, "Bad file descriptor")
        fsync(number)

    def strict_open(path: Any, flags: int, *rest: Any, **named: Any) -> int:
        name = os.fsdecode(path)
        nameless = flags & getattr(os, "O_TMPFILE", 0) == getattr(os, "O_TMPFILE", -1)  # tempfile's way, here alone
        if Path(name).is_dir() and not nameless:
            refused.append(name)
            raise PermissionError(errno.EACCES, "a folder: Windows refuses to open it", name)
        if flags & os.O_CREAT and RESERVED & set(Path(name).name):
            refused.append(name)
            raise OSError(errno.EINVAL, "a name that Windows refuses", name)
        return opened(path, flags, *rest, **named)

    monkeypatch.setattr(shutil, "_use_fd_functions", False, raising=False)  # rmtree opens no folder there
    monkeypatch.setattr(os, "fsync", strict_fsync)
    monkeypatch.setattr(os, "open", strict_open)
    for name, paths in (("rename", 2), ("replace", 2), ("unlink", 1), ("remove", 1)):
        monkeypatch.setattr(os, name, refuse_held(getattr(os, name), paths))
    for name in ("O_DIRECTORY", "O_NOFOLLOW"):
        monkeypatch.delattr(os, name, raising=False)
    yield refused
