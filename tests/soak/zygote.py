"""Run `vsr` commands in forked children of one process that has torch loaded: a command starts in milliseconds.

Reads a request as a line of JSON on stdin and answers with one on stdout. A child can be told to die at its n-th
operation on files, as a power cut or `kill -9` would end it, or to have that operation fail.
"""

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from tests.soak.operations import Operations


def child(request: dict[str, Any]) -> None:
    """Become `vsr` with the request's arguments; never returns."""
    os.setsid()
    os.chdir(request["cwd"])
    for number, name in ((1, "stdout"), (2, "stderr")):
        handle = os.open(request[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(handle, number)
    sys.argv = ["vsr", *request["arguments"]]
    from vsrcli.cli import main

    operations = Operations(request["folders"], at=request["at"], error=request["error"], lasting=request["lasting"])
    if request["most"]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["most"], request["most"]))
    sys.addaudithook(operations.hear)
    for wrapped in operations.wrap():
        wrapped.start()
    code = 0
    try:
        main()
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else 1
    except BaseException:
        traceback.print_exc()
        code = -1
    operations.active = False
    with contextlib.suppress(OSError):
        sys.stdout.flush()
        sys.stderr.flush()
    Path(request["count"]).write_text(str(operations.count))
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
