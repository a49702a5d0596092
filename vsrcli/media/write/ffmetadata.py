"""Tags and chapters as a text that ffmpeg reads: what no command line can hold, or what is to have other times."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

_SPECIAL = re.compile(r"([=;#\\\n])")


def tag_lines(tags: Mapping[str, str]) -> list[str]:
    """Return the lines of tags. Backslashes at a value's end are left out.

    ffmpeg takes a line that ends in one, escaped or not, for a line that goes on.
    """
    return [f"{_escaped(key)}={_escaped(value.rstrip(chr(92)))}" for key, value in tags.items()]


def metadata_input(lines: Iterable[str], file: Path) -> list[str]:
    """Write lines to a file and return ffmpeg's arguments for it as an input."""
    file.write_text("\n".join([";FFMETADATA1", *lines, ""]), encoding="utf-8", newline="\n")
    return ["-f", "ffmetadata", "-i", f"file:{file}"]


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
