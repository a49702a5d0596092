"""The options --progress and --log-file, and the writers behind them: JSON lines and a log file."""

import contextlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, TypeVar

import click

from vsrcli.cli.param_types import choice
from vsrcli.errors import unwritable
from vsrcli.words import clean

Command = TypeVar("Command", bound=Callable[..., Any])
Way = Literal["auto", "plain", "json", "none"]

JSON_INTERVAL = 0.1
"""Seconds between lines of JSON about frames: a GPU makes hundreds a second."""
LOG_INTERVAL = 60.0


def display_options(command: Command) -> Command:
    """Add --progress and --log-file to a command."""
    way = click.option(
        "--progress",
        type=choice("auto", "plain", "json", "none"),
        default="auto",
        show_default=True,
        help="auto: a bar on a terminal, else lines. json: a line for each event, on stderr.",
    )
    log = click.option("--log-file", type=click.Path(path_type=Path), help="Append all messages to this file.")
    return way(log(command))


def quiet_option(help_text: str = "Print only errors.") -> Callable[[Command], Command]:
    """Return the option -q."""
    return click.option("-q", "--quiet", is_flag=True, help=help_text)


class Log:
    """A log file. Each line is appended with its time, and the file is closed again. Without a path it does nothing."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._frames_at = 0.0
        if path is not None:
            try:
                self._add(path, "")
            except OSError as error:
                raise unwritable(path, error) from None

    def line(self, text: str) -> None:
        """Add a line. A full disk is ignored."""
        if self._path is not None:
            with contextlib.suppress(OSError):
                self._add(self._path, f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")

    @staticmethod
    def _add(path: Path, text: str) -> None:
        with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)

    def frame(self, text: Callable[[], str]) -> None:
        """Add a line about frames, once a minute."""
        if self._path is not None and time.monotonic() - self._frames_at > LOG_INTERVAL:
            self._frames_at = time.monotonic()
            self.line(text())


def record_failure(log: Log, lines: "JsonLines | None", message: str, code: int) -> bool:
    """Record in the log, and as JSON, that everything ends in failure; return whether it is shown."""
    log.line(clean(f"failed: {message} (exit code {code})"))
    if lines is not None:
        lines.say("error", message=message, exit_code=code)
    return lines is not None


class JsonLines:
    """Events as JSON, one a line, on stderr."""

    def __init__(self) -> None:
        self._frames_at = 0.0

    def say(self, event: str, **about: Any) -> None:
        """Write one line."""
        sys.stderr.write(json.dumps({"event": event, **about}) + "\n")
        sys.stderr.flush()

    def frame(self, *, last: bool, **about: Any) -> None:
        """Write a line about frames, not too often."""
        if last or time.monotonic() - self._frames_at > JSON_INTERVAL:
            self._frames_at = time.monotonic()
            self.say("frame", **about)
