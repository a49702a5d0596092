"""Run `vsr` commands in forked children of one process that has torch loaded: a command starts in milliseconds.

Reads a request as a line of JSON on stdin and answers with one on stdout. A child can be told to die at its n-th
operation on files, as a power cut or `kill -9` would end it.
"""

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

DISK_EVENTS = frozenset(
    ("open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod",
     "os.utime", "os.listdir", "os.scandir", "tempfile.mkstemp", "tempfile.mkdtemp", "subprocess.Popen")
)  # fmt: skip
"""What Python reports through its audit hooks before it asks the system to do it."""

DISK_CALLS = ("fsync", "write", "ftruncate")
"""Functions of `os` that have no audit event, and are wrapped instead."""


class Countdown:
    """Kills this process at its n-th operation on files below `folder`, its working directory; 0 only counts them."""

    def __init__(self, kill_at: int, folder: str) -> None:
        self.kill_at, self.folder, self.count = kill_at, folder, 0
        self.after = False

    def tick(self) -> None:
        """Count an operation, or die at it."""
        self.count += 1
        if self.count == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Take an audit event."""
        if event in DISK_EVENTS and (event.startswith(("subprocess", "tempfile")) or self._ours(arguments)):
            self.tick()

    def _ours(self, arguments: tuple[Any, ...]) -> bool:
        paths = [os.fsdecode(a) for a in arguments[:2] if isinstance(a, str | bytes | os.PathLike)]
        return any(p.startswith(self.folder) or not Path(p).is_absolute() for p in paths)

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return `function`, counted before it is called and after it: killed between a write and what follows."""

        def counted(*arguments: Any, **named: Any) -> Any:
            self.tick()
            result = function(*arguments, **named)
            self.tick()
            return result

        return counted


def child(request: dict[str, Any]) -> None:
    """Become `vsr` with the request's arguments; never returns."""
    os.setsid()
    os.chdir(request["cwd"])
    for number, name in ((1, "stdout"), (2, "stderr")):
        handle = os.open(request[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, number)
    sys.argv = ["vsr", *request["arguments"]]
    countdown = Countdown(request.get("kill_at", 0), request["cwd"])
    sys.addaudithook(countdown.hear)
    for name in DISK_CALLS:
        setattr(os, name, countdown.wrap(getattr(os, name)))
    from vsrcli.cli import main

    code = 0
    try:
        main()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    sys.stdout.flush()
    sys.stderr.flush()
    Path(request["count"]).write_text(str(countdown.count))
    os._exit(code)


def serve() -> None:
    """Answer requests until stdin ends."""
    import torch

    torch.set_num_threads(1)
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: encoders of killed jobs are ours to bury
    print("ready", flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        began = time.monotonic()
        pid = os.fork()
        if pid == 0:
            child(request)
        hung, status = False, 0
        while True:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                break
            if time.monotonic() - began > request["timeout"]:
                hung = True
                os.killpg(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                break
            time.sleep(0.002)
        answer = {"exit": os.waitstatus_to_exitcode(status), "hung": hung, "seconds": time.monotonic() - began}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    serve()
