"""What a command tells in lines, where rich is not needed: on stderr, as JSON for programs, and in a log."""

import sys
from functools import partial
from pathlib import Path

import click

from vsrcli.cli import HEARERS, say
from vsrcli.cli.display_options import JsonLines, Log, Way, record_failure
from vsrcli.cli.messages import full
from vsrcli.words import clean


class Lines:
    """Lines and steps of work, in one of the ways of --progress; a log gets all of them."""

    def __init__(self, way: Way = "auto", log: Path | None = None, *, quiet: bool = False) -> None:
        self._json = JsonLines() if way == "json" and not quiet else None
        self._changing = way == "auto" and sys.stderr.isatty() and not quiet
        self._quiet, self._silent = quiet, quiet or way == "none"
        self._log = Log(log)
        if self._json is not None or log is not None:
            HEARERS.append(partial(record_failure, self._log, self._json))

    def line(self, text: str) -> None:
        """Print one line, with the command line's advice."""
        self._log.line(clean(full(text)))
        if self._json is not None:
            self._json.say("line", text=full(text))
        elif not self._quiet:
            say(text)

    def result(self, text: str) -> None:
        """Print on stdout what has been made, unless quiet."""
        if not self._quiet:
            click.echo(clean(text))

    def step(self, what: str, text: str, *, first: bool) -> None:
        """Show a step of some work: on a terminal in a line that changes, else only the `first` one."""
        if self._json is not None:
            self._json.say("step", what=what, text=text)
        elif self._changing:
            click.echo(f"\r\x1b[K{clean(what)}: {clean(text)}", err=True, nl=False)
        elif first and not self._silent:
            say(what)
        if first:
            self._log.line(clean(what))

    def clear(self) -> None:
        """Take away the line that changes."""
        if self._changing:
            click.echo("\r\x1b[K", err=True, nl=False)

    def count(self, stage: str, done: int, total: int) -> None:
        """Report to programs, and now and then to the log, how far a count has come; people are told by lines."""
        self._log.frame(lambda: f"{stage}: {done} of {total}")
        if self._json is not None:
            self._json.frame(last=done == total, stage=stage, done=done, total=total)
