"""Counts the operations of a process on files, and lets the n-th be its last, or fail as the system lets it fail.

Python reports some before it asks the system (audit hooks); what it does not report is wrapped. What libraries in C do
themselves is not seen.
"""

import io
import itertools
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

DISK_EVENTS = frozenset(
    ("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod",
     "os.utime", "os.listdir", "os.scandir", "tempfile.mkstemp", "tempfile.mkdtemp", "subprocess.Popen", "fcntl.flock")
)  # fmt: skip
UNLOCK = 8
"""Of `flock`, which lets go of a lock: no disk is asked."""
ANYWHERE = ("tempfile.", "subprocess.", "fcntl.")
"""Begin the events that count wherever the file lies."""

CHANGES = ("fsync", "write", "ftruncate")
"""Functions of `os` that have no audit event."""
LOOKS = ("stat", "lstat", "fstat", "statvfs")
"""Others, that change nothing: nobody need be killed there, but they can fail."""


class Operations:
    """Counts operations on files below `folders`; at number `at` (0: never) the process is killed.

    With an `error`, a number of the system's, the operation fails by it instead, and so do looks at files and writes
    that go through Python's buffers; if `lasting`, all operations after it fail too.
    """

    def __init__(self, folders: Sequence[str], *, at: int = 0, error: int = 0, lasting: bool = False) -> None:
        self.folders, self.at, self.error, self.lasting = tuple(folders), at, error, lasting
        self.count = 0
        self.active = True
        self._numbers = itertools.count(1)  # which threads cannot confuse

    def tick(self, path: object = None) -> None:
        """Count an operation, or die or fail at it."""
        if not self.active:
            return
        self.count = number = next(self._numbers)
        if not self.at or number < self.at or (number > self.at and not (self.error and self.lasting)):
            return
        if not self.error:
            os.kill(os.getpid(), signal.SIGKILL)
        name = os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else None
        raise OSError(self.error, os.strerror(self.error), name)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Take an audit event."""
        if event not in DISK_EVENTS or (event == "fcntl.flock" and arguments[1] & UNLOCK):
            return
        paths = arguments[:1] if event == "open" else arguments[:2]
        if event.startswith(ANYWHERE) or any(map(self.ours, paths)):
            self.tick(arguments[0])

    def ours(self, path: object) -> bool:
        """Return whether something is a path below the folders, the working directory among them."""
        if not isinstance(path, str | bytes | os.PathLike):
            return False
        name = os.fsdecode(path)
        return not Path(name).is_absolute() or name.startswith(self.folders)

    def wrap(self) -> list[Any]:
        """Return patches that count what Python does not report, to be started."""
        patches = [patch.object(os, name, self._around(getattr(os, name))) for name in CHANGES]
        if self.error:
            patches += [patch.object(os, name, self._before(getattr(os, name))) for name in LOOKS if hasattr(os, name)]
            patches.append(patch.object(io, "open", self._opener(io.open)))
        return patches

    def _around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return `function`, counted before it is called and after it: killed between a write and what follows."""

        def counted(*arguments: Any, **named: Any) -> Any:
            self.tick()
            result = function(*arguments, **named)
            self.tick()
            return result

        return counted

    def _before(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def counted(path: Any, *arguments: Any, **named: Any) -> Any:
            if self.ours(path):
                self.tick(path)
            return function(path, *arguments, **named)

        return counted

    def _opener(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return `io.open`, whose binary files count each time that the system is asked to read or to write."""
        operations = self

        class Counted(io.FileIO):
            def readinto(self, buffer: Any) -> int:
                operations.tick(self.name)
                return super().readinto(buffer)

            def readall(self) -> bytes:
                operations.tick(self.name)
                return super().readall()

            def write(self, data: Any) -> int:
                operations.tick(self.name)
                return super().write(data)

        def opened(file: Any, mode: str = "r", buffering: int = -1, *arguments: Any, **named: Any) -> Any:
            if not self.ours(file) or "b" not in mode or buffering == 0:
                return function(file, mode, buffering, *arguments, **named)
            raw = Counted(file, mode.replace("b", ""), opener=named.get("opener"))
            kind = io.BufferedRandom if "+" in mode else io.BufferedReader if "r" in mode else io.BufferedWriter
            return kind(raw)

        return opened
