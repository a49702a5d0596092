"""The files in the folder beside the output: their owner, which of them are vsr's, and the mark of a placed output."""

import contextlib
import errno
import json
import os
import re
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vsrcli.errors import Reason, UsageError
from vsrcli.files import PART, write_durably

JOB_NAME, MARK_NAME, LOCK_NAME = "job.json", "placed.json", "lock"
PLAN_NAME = "plan.json"
"""The plan of a job on several machines, whose shards lie in folders there."""
JOIN_PREFIX = "join-"
FRAMES_NAME, STATES_NAME = "frames", "states"
TENSORS = ".tensors"
MOST_BYTES = 1 << 26
"""Limit of the size of a record, which no record of a job or a segment approaches."""
_FILE = re.compile(rf"(job\.json|plan\.json|placed\.json|lock|\d{{6}}\.(json|state|segment))({re.escape(PART)})?")
_FOLDER = re.compile(rf"\d{{6}}\.segment|{FRAMES_NAME}|{STATES_NAME}|{JOIN_PREFIX}.*")
_SHARD = re.compile(r"shard-\d{4,}")
_INNER = re.compile(rf".*({re.escape(TENSORS)}|\.png|\.jpe?g)({re.escape(PART)})?|\..*{re.escape(PART)}", re.IGNORECASE)


def refuse_foreign(folder: Path) -> None:
    """Raise UsageError if the folder, or anything in it, is a link or belongs to another user.

    A link from somebody else could make vsr write to its target, or delete it.
    """
    for path in (folder, *(_walk(folder) if not folder.is_symlink() and folder.is_dir() else ())):
        with contextlib.suppress(FileNotFoundError):
            status = path.lstat()
            if stat.S_ISLNK(status.st_mode) or getattr(os.path, "isjunction", lambda path: False)(path):
                raise UsageError(f"{path} is a link, which vsr does not follow: remove it", Reason.WORK_FOLDER_TAKEN)
            if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
                raise UsageError(f"{path} is not a file: remove it", Reason.WORK_FOLDER_TAKEN)
            if os.name == "posix" and status.st_uid != os.geteuid():
                raise UsageError(f"{path} belongs to another user: remove it", Reason.WORK_FOLDER_TAKEN)
    if not folder.is_dir() and folder.exists():
        raise UsageError(f"{folder} is not a folder, but vsr works there: remove it", Reason.WORK_FOLDER_TAKEN)
    if os.name == "posix" and folder.exists() and folder.stat().st_mode & 0o022:
        folder.chmod(0o700)


def _walk(folder: Path) -> list[Path]:
    found = []
    for path in folder.iterdir():
        found.append(path)
        if not path.is_symlink() and path.is_dir():
            found += path.iterdir()
    return found


def clear(folder: Path, *, keep: tuple[str, ...] = (LOCK_NAME,)) -> list[Path]:
    """Delete vsr's files in the folder except the names in `keep`; return other files, which stay."""
    foreign = []
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink() and _FOLDER.fullmatch(path.name):
            if path.name.startswith(JOIN_PREFIX):
                shutil.rmtree(path)
            else:
                foreign += clear_inner(path)
        elif path.is_file() and not path.is_symlink() and _FILE.fullmatch(path.name):
            if path.name not in keep:
                path.unlink()
        elif path.is_dir() and not path.is_symlink() and _SHARD.fullmatch(path.name):
            within = clear(path, keep=())
            foreign += within
            if not within:
                path.rmdir()
        else:
            foreign.append(path)
    return foreign


def clear_inner(folder: Path) -> list[Path]:
    """Delete the images or tensors in a folder, and the folder if it is empty then; return the other files."""
    if not folder.is_dir() or folder.is_symlink():
        return []
    foreign = []
    for path in folder.iterdir():
        if path.is_file() and not path.is_symlink() and _INNER.fullmatch(path.name):
            path.unlink()
        else:
            foreign.append(path)
    if not foreign:
        folder.rmdir()
    return foreign


@dataclass(frozen=True)
class Mark:
    """The place of a job's output, final if `done`, with the job's source, settings and frames.

    `size` and `time` (of modification, in ns) are those of the finished file; 0 for images.
    """

    output: str
    source: dict[str, Any]
    settings: dict[str, Any]
    frames: int
    size: int = 0
    time: int = 0
    done: bool = False

    def write(self, folder: Path) -> None:
        """Write the mark into a job's folder. Raises OSError."""
        write_durably(folder / MARK_NAME, json.dumps(vars(self)).encode())

    def placed(self, beside: Path) -> Path | None:
        """Return the output if it is in place in the folder `beside`, and unchanged."""
        output = beside / self.output
        if self.done:
            return output if output.exists() else None
        with contextlib.suppress(OSError):
            status = output.stat()
            if self.size and (status.st_size, status.st_mtime_ns) == (self.size, self.time):
                return output
        return None


def read_small(path: Path) -> bytes:
    """Return the bytes of one of vsr's own files.

    Raises OSError if it is no regular file, such as a pipe, or too large.
    """
    careful = sum(getattr(os, name, 0) for name in ("O_NONBLOCK", "O_NOFOLLOW", "O_BINARY"))
    handle = os.open(path, os.O_RDONLY | careful)
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size > MOST_BYTES:
            raise OSError(errno.EINVAL, "not a file of vsr's", str(path))
        return file.read()


def read_mark(folder: Path) -> Mark | None:
    """Return the mark in a job's folder; None if there is none, or if it is damaged."""
    try:
        found = Mark(**json.loads(read_small(folder / MARK_NAME)))
        sound = isinstance(found.output, str) and Path(found.output).name == found.output
        sound &= all(isinstance(n, int) for n in (found.frames, found.size, found.time))
    except (OSError, ValueError, TypeError, RecursionError):
        return None
    return found if sound else None
