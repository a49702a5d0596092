"""Numbers and strings in messages."""

import unicodedata
from collections.abc import Sequence

_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_JOINERS = "\u200c\u200d"  # needed by words of some languages, and by emoji


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: "1 frame", "2 frames"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def clock(seconds: float) -> str:
    """Return a time such as "1:02" for 62.4."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def length_text(seconds: float) -> str:
    """Return the length of a film: as `clock`, below ten seconds with tenths ("1.6 s")."""
    return f"{seconds:.1f} s" if seconds < 9.95 else clock(seconds)


def rough(seconds: float) -> str:
    """Return a time rounded to about a tenth: "40 s", "12 min", "3 h 20 min", "2 d 5 h"."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    if minutes < 36 * 60:
        return f"{minutes // 60} h {minutes % 60 // 5 * 5} min"
    hours = round(minutes / 60)
    return f"{hours // 24} d {hours % 24} h"


def size_text(size: float) -> str:
    """Return a number of bytes in powers of 1000: "640 MB", "4.2 GB"."""
    for unit, least in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= least:
            return f"{size / least:.1f} {unit}" if size < 10 * least else f"{size / least:.0f} {unit}"
    return f"{size:.0f} bytes"


_SHAPES = ((1, 1), (5, 4), (4, 3), (3, 2), (16, 9), (2, 1))


def shape(width: int, height: int) -> str:
    """Return the shape of a picture: "4:3", "9:16", "2.39:1"."""
    for a, b in _SHAPES:
        for wide, high in ((a, b), (b, a)):
            if abs(width / height * high / wide - 1) < 0.005:
                return f"{wide}:{high}"
    return f"{width / height:.2f}:1"


def size_shown(size: Sequence[int], shown: Sequence[int]) -> str:
    """Return a size in pixels, and how wide and high it is shown: "1350x1080", "1350x1080, shown as 1440x1080"."""
    text = f"{size[0]}x{size[1]}"
    return text if tuple(size) == tuple(shown) else f"{text}, shown as {shown[0]}x{shown[1]}"


def padded(rows: Sequence[Sequence[str]], right: Sequence[bool], *, least: int = 0) -> list[list[str]]:
    """Return a table's cells, filled with spaces so that each column is as wide as its widest cell, or `least`.

    `right` says of each column whether its cells stand on the right, as numbers do.
    """
    widths = [max(least, *map(len, column)) for column in zip(*rows, strict=True)]
    return [[t.rjust(w) if r else t.ljust(w) for t, w, r in zip(row, widths, right, strict=True)] for row in rows]


def labelled(rows: Sequence[tuple[str, str]]) -> list[str]:
    """Return rows of a name and a text as lines whose texts stand below each other."""
    return [f"{name:>10}  {text}" for name, text in rows]


def clean(text: str) -> str:
    """Return a text as one printable line: control characters and other invisible ones are escaped."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escaped(c) if unicodedata.category(c) in _HIDDEN and c not in _JOINERS else c for c in text)


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
