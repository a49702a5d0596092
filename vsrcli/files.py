"""Writes files so that a crash loses nothing, puts finished ones in place, and tells whether they changed."""

import contextlib
import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

PART = ".part"
"""Ends the name of a file that is not written to its end."""
_LONGEST_NAME = 255  # bytes that file systems have for a name


def write_durably(path: Path, data: bytes) -> None:
    """Write a file so that after a crash it is either absent (or as before) or whole. Raises OSError."""
    with replacing(path) as temporary, temporary.open("xb") as file:
        file.write(data)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that a reader never sees half; unlike `write_durably`, a crash of the machine may lose it."""
    with replacing(path, durably=False) as temporary, temporary.open("xb") as file:
        file.write(data)


@contextlib.contextmanager
def replacing(path: Path, *, durably: bool = True) -> Iterator[Path]:
    """Give the block a name to write a file under, and rename what it wrote to `path`; if it fails, nothing is left.

    `durably` flushes it to the disk first. A link under the temporary name is not followed. Raises OSError.
    """
    temporary = path.with_name(path.name + PART)
    if len(os.fsencode(temporary.name)) > _LONGEST_NAME:
        temporary = path.with_name(f".{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]}{PART}")
    temporary.unlink(missing_ok=True)
    try:
        yield temporary
        if durably:
            into_place(temporary, path)
        else:
            temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def into_place(temporary: Path, path: Path) -> None:
    """Rename a written file so that what it replaces is lost only when it is safe on the disk. Raises OSError."""
    sync(temporary)
    temporary.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Flush a file to the disk, or a folder where the system lets one be opened and flushed. Raises OSError."""
    if path.is_dir():
        with contextlib.suppress(PermissionError):  # Windows opens no folder, and needs no flush of one
            _flush(path, os.O_RDONLY, ignore=(errno.EBADF, errno.EINVAL, errno.ENOTSUP))
    else:
        _flush(path, os.O_RDWR)  # Windows flushes only what may be written


def _flush(path: Path, access: int, *, ignore: tuple[int, ...] = ()) -> None:
    handle = os.open(path, access | getattr(os, "O_BINARY", 0))
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in ignore:
            raise
    finally:
        os.close(handle)


def digests(path: Path) -> dict[str, str]:
    """Return the SHA-256 of a file, under "", or of each file of a folder under its name. Raises OSError."""
    if path.is_dir():
        return {file.name: _digest(file) for file in sorted(path.iterdir())}
    return {"": _digest(path)}


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def settle(
    temporary: Path, path: Path, *, overwrite: bool, announce: Callable[[Path], None] = lambda path: None
) -> Path:
    """Give a written file its name, safe on the disk, and return the name that it got.

    Unless `overwrite`, what stands under the name is never replaced, not even if it appears in the same moment: then
    the name is the next free one of `free_names`. `announce` hears each name before it is tried. Raises OSError.
    """
    sync(temporary)
    if overwrite:
        announce(path)
        into_place(temporary, path)
        return path
    if path.is_symlink() and not path.exists():  # a link to nothing is no file
        path.unlink()
    for name in free_names(path):
        announce(name)
        if _put(temporary, name):
            sync(name.parent)
            return name
    raise AssertionError("names do not end")


def free_names(path: Path) -> Iterator[Path]:
    """Yield a name, then the same with numbers: film.mkv, film.1.mkv, film.2.mkv, ..."""
    yield path
    for number in count(1):
        yield path.with_name(f"{path.stem}.{number}{path.suffix}")


def _put(temporary: Path, path: Path) -> bool:
    """Rename a file unless something has its new name already; return whether it was renamed."""
    if os.name != "posix":  # there a rename replaces nothing
        try:
            temporary.rename(path)
        except FileExistsError:
            return False
        return True
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError:  # a file system without hard links
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except FileExistsError:
            return False
        temporary.replace(path)
        return True
    with contextlib.suppress(OSError):
        temporary.unlink()
    return True
