"""Write files safely against crashes, rename finished ones into place, and compute their digests."""

import contextlib
import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

PART = ".part"
"""Suffix of the names of incomplete files."""
_LONGEST_NAME = 255  # bytes, the limit of common file systems


def make_folder(path: Path) -> None:
    """Create a folder and those around it, if they are not there. Raises OSError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:  # a file, or a link in a circle
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path)) from None


def write_durably(path: Path, data: bytes) -> None:
    """Write a file so that after a crash it is either absent (or as before) or complete. Raises OSError."""
    with replacing(path) as temporary, temporary.open("xb") as file:
        file.write(data)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that readers never see incomplete; unlike with `write_durably`, a system crash may lose it."""
    with replacing(path, durably=False) as temporary, temporary.open("xb") as file:
        file.write(data)


@contextlib.contextmanager
def replacing(path: Path, *, durably: bool = True) -> Iterator[Path]:
    """Yield a name for writing a file, and rename the file to `path`; if the block fails, the file is deleted.

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
    """Rename a written file so that the file it replaces is lost only when the new one is on the disk.

    Raises OSError.
    """
    sync(temporary)
    temporary.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Flush a file to the disk, or a folder if the system can open and flush one. Raises OSError."""
    if path.is_dir():
        with contextlib.suppress(PermissionError):  # Windows cannot open folders, and need not flush them
            _flush(path, os.O_RDONLY, ignore=(errno.EBADF, errno.EINVAL, errno.ENOTSUP))
    else:
        _flush(path, os.O_RDWR)  # Windows flushes only writable files


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
    """Rename a written file to `path`, safe on the disk, and return the name that it got.

    Unless `overwrite`, an existing file is never replaced, not even if it appears at the same moment: then the name is
    the next free one of `free_names`. `announce` is called with each name before it is tried. Raises OSError.
    """
    sync(temporary)
    if overwrite:
        announce(path)
        into_place(temporary, path)
        return path
    if path.is_symlink() and not path.exists():  # a dangling link
        path.unlink()
    for name in free_names(path):
        announce(name)
        if _put(temporary, name):
            sync(name.parent)
            return name
    raise AssertionError("free_names is infinite")


def free_names(path: Path) -> Iterator[Path]:
    """Yield a name, then the same with numbers: film.mkv, film.1.mkv, film.2.mkv, ..."""
    yield path
    for number in count(1):
        yield path.with_name(f"{path.stem}.{number}{path.suffix}")


def _put(temporary: Path, path: Path) -> bool:
    """Rename a file unless the new name exists; return whether it was renamed."""
    if os.name != "posix":  # a rename on Windows never replaces a file
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
