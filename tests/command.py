"""Call `vsr` in this process: starting another one with PyTorch takes three seconds."""

import io
import signal
import sys
from contextlib import redirect_stderr, redirect_stdout
from subprocess import CompletedProcess
from unittest.mock import patch

from vsrcli.cli import main

SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]
"""Those for which a command may leave handlers behind."""


def vsr(*arguments: object) -> CompletedProcess[str]:
    """Run the command line's entry point and return its exit code, stdout and stderr."""
    stdout, stderr, code = io.StringIO(), io.StringIO(), 0
    handlers = [(number, signal.getsignal(number)) for number in SIGNALS]
    words = ["vsr", *map(str, arguments)]
    try:
        with patch.object(sys, "argv", words), redirect_stdout(stdout), redirect_stderr(stderr):
            main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    finally:
        for number, handler in handlers:
            signal.signal(number, handler)
    return CompletedProcess(words, code, stdout.getvalue(), stderr.getvalue())
