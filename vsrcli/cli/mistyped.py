"""Recognise words of a command line that click would misunderstand, and say what was meant."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from vsrcli.errors import UsageError
from vsrcli.names import is_image, is_video

_OF_FFMPEG = ("-t", "-ss", "-to", "--duration", "--length", "--seconds")
"""How other programs call what takes a part of a film."""


def check(words: Sequence[str], command: click.Command) -> None:
    """Raise UsageError for a file whose name begins with a dash, and for another program's option for a part."""
    own = {flag for option in _options(command) for flag in option.opts}
    for word in _as_options(words, command):
        path, name = Path(word), word.partition("=")[0]
        if (is_video(path) or is_image(path)) and path.is_file():
            raise UsageError(f"no such option: {word}; a file whose name begins with a dash is given as ./{word}")
        if name in _OF_FFMPEG and name not in own and "--start" in own:
            raise UsageError(f"no such option: {name}; a part of a film is taken by --start and --end")


def _options(command: click.Command) -> Iterator[click.Option]:
    return (param for param in command.params if isinstance(param, click.Option))


def _as_options(words: Sequence[str], command: click.Command) -> Iterator[str]:
    """Yield the words that begin with a dash and are no value of the option before them."""
    taking = {flag for option in _options(command) if not (option.is_flag or option.count) for flag in option.opts}
    for before, word in zip(("", *words), words, strict=False):
        if word == "--":
            return
        if word.startswith("-") and before not in taking:
            yield word
