"""A built-in stroke font: each character is a path of a pen, so that it is smooth at any size.

Units: the baseline is 0, y points up, capitals are 14 high, small letters 10, descenders reach to -4.3. A path consists
of `M x y` (move), `L x y` (line) and `A cx cy rx ry from to` (elliptic arc, degrees counterclockwise, joined to the
path by a line).
"""

import re
from functools import lru_cache

import numpy as np

CAP_HEIGHT = 14.0
DESCENT = 4.3
ASCENT = 14.5
STROKE = 1.85
GAP = 3.9  # between the pens of two neighbouring characters

# character: (width of the pen's path, path)
GLYPHS: dict[str, tuple[float, str]] = {
    " ": (1.6, ""),
    "!": (0, "M0 14L0 4.6M0 0L0 0"),
    '"': (3.6, "M0 14L0 10M3.6 14L3.6 10"),
    "#": (10, "M3.4 13L1.6 1M8.4 13L6.6 1M0.4 9.4L10 9.4M0 4.6L9.6 4.6"),
    "$": (8.6, "A4.3 10.2 3.9 3.1 30 270A4.3 3.9 4.2 3.2 90 -150M4.3 15.4L4.3 -1.4"),
    "%": (13, "A2.8 10.7 2.8 3.3 90 450M10.6 14L2.4 0M7.4 3.3A10.2 3.3 2.8 3.3 180 540"),
    "&": (11, "M11 0L2.6 9.4A4.4 11.2 2.9 2.8 220 -40L2.4 7A3.9 3.6 3.9 3.6 130 320L10.4 6.6"),
    "'": (0, "M0 14L0 10"),
    "(": (3.6, "A6.6 6 6.4 11 128 232"),
    ")": (3.6, "A-3 6 6.4 11 52 -52"),
    "*": (6.4, "M3.2 14L3.2 7M0.2 12.2L6.2 8.8M0.2 8.8L6.2 12.2"),
    "+": (8, "M0 5.6L8 5.6M4 9.6L4 1.6"),
    ",": (0.8, "M0.8 0.2L0 -2.6"),
    "-": (5, "M0 5.4L5 5.4"),
    ".": (0, "M0 0L0 0"),
    "/": (6, "M0 -1.6L6 15.2"),
    "0": (9, "A4.5 7 4.5 7 90 450"),
    "1": (9, "M1.4 11L5.2 14L5.2 0"),
    "2": (9, "A4.4 9.8 4.2 4.2 165 -36L0.2 0L8.8 0"),
    "3": (9, "A4.2 10.5 3.9 3.5 150 -90A4.2 3.5 4.6 3.5 90 -150"),
    "4": (9, "M6.7 0L6.7 14L0 4L9 4"),
    "5": (9, "M8 14L1.5 14L0.9 7.4A4.3 4.5 4.6 4.5 140 -150"),
    "6": (9, "M6.5 14L0.6 6.75A4.5 4.5 4.5 4.5 150 510"),
    "7": (9, "M0.2 14L9 14L3.2 0"),
    "8": (9, "A4.5 10.5 3.8 3.5 -90 270A4.5 3.5 4.5 3.5 90 450"),
    "9": (9, "M2.5 0L8.4 7.25A4.5 9.5 4.5 4.5 -30 330"),
    ":": (0, "M0 8.4L0 8.4M0 0.4L0 0.4"),
    ";": (0.8, "M0.8 8.4L0.8 8.4M0.8 0.2L0 -2.6"),
    "<": (7.4, "M7.4 10L0 5.6L7.4 1.2"),
    "=": (8, "M0 7.6L8 7.6M0 3.6L8 3.6"),
    ">": (7.4, "M0 10L7.4 5.6L0 1.2"),
    "?": (7.2, "A3.6 10.5 3.6 3.5 170 -50L3.6 5.8L3.6 4.6M3.6 0L3.6 0"),
    "@": (14, "A7 5.4 3 3.4 90 450M10 8.8L10 3.6A12 4.4 2 2.4 200 360A7 5.4 7 7.6 0 305"),
    "A": (11, "M0 0L5.5 14L11 0M2 4.8L9 4.8"),
    "B": (9, "M5 7.4L0 7.4L0 14L4.6 14A4.8 10.7 3.5 3.3 90 -90A5 3.7 4 3.7 90 -90L0 0L0 7.4"),
    "C": (10.4, "A6 7 6 7 48 312"),
    "D": (10.5, "M0 0L0 14L4 14A4 7 6.5 7 90 -90L0 0"),
    "E": (8.2, "M8.2 14L0 14L0 0L8.2 0M0 7.3L7.2 7.3"),
    "F": (7.8, "M7.8 14L0 14L0 0M0 7L6.8 7"),
    "G": (11.6, "A6 7 6 7 50 318L10.9 6.4L6.6 6.4"),
    "H": (10, "M0 0L0 14M10 0L10 14M0 7.2L10 7.2"),
    "I": (0, "M0 0L0 14"),
    "J": (6.2, "M6.2 14L6.2 3.6A3.1 3.6 3.1 3.6 360 190"),
    "K": (9.2, "M0 0L0 14M8.8 14L0 5M3.3 8.4L9.2 0"),
    "L": (7.6, "M0 14L0 0L7.6 0"),
    "M": (12.6, "M0 0L0 14L6.3 4L12.6 14L12.6 0"),
    "N": (10, "M0 0L0 14L10 0L10 14"),
    "O": (12.4, "A6.2 7 6.2 7 90 450"),
    "P": (8.8, "M0 0L0 14L4.8 14A4.8 10.1 4 3.9 90 -90L0 6.2"),
    "Q": (12.4, "A6.2 7 6.2 7 90 450M7.6 3.8L11.8 -0.8"),
    "R": (9.2, "M0 0L0 14L4.8 14A4.8 10.2 4 3.8 90 -90L0 6.4M4.6 6.4L9.2 0"),
    "S": (8.8, "A4.5 10.5 4 3.5 30 270A4.4 3.5 4.4 3.5 90 -150"),
    "T": (10, "M0 14L10 14M5 14L5 0"),
    "U": (10, "M0 14L0 5A5 5 5 5 180 360L10 14"),
    "V": (11, "M0 14L5.5 0L11 14"),
    "W": (15.6, "M0 14L3.9 0L7.8 13L11.7 0L15.6 14"),
    "X": (9.8, "M0 0L9.8 14M0 14L9.8 0"),
    "Y": (10, "M0 14L5 6.6L10 14M5 6.6L5 0"),
    "Z": (9.2, "M0 14L9.2 14L0 0L9.2 0"),
    "[": (3, "M3 15L0 15L0 -3L3 -3"),
    "\\": (6, "M0 15.2L6 -1.6"),
    "]": (3, "M0 15L3 15L3 -3L0 -3"),
    "^": (7, "M0 8.6L3.5 14L7 8.6"),
    "_": (9, "M0 -2.4L9 -2.4"),
    "`": (2, "M0 14L2 11.6"),
    "a": (8, "A4 5 4 5 90 450M8 10L8 0"),
    "b": (8, "M0 14.5L0 0M4 10A4 5 4 5 90 450"),
    "c": (7, "A4.2 5 4.2 5 46 314"),
    "d": (8, "A4 5 4 5 90 450M8 14.5L8 0"),
    "e": (8.4, "M0.1 5.3L8.4 5.3A4.2 5 4.2 5 4 316"),
    "f": (4.8, "M5 14.5A5 11.7 2.9 2.8 90 180L2.1 0M0 10L4.8 10"),
    "g": (8, "A4 5 4 5 90 450M8 10L8 -0.6A4 -0.6 4 3.7 360 205"),
    "h": (7.6, "M0 14.5L0 0M0 6A3.8 6.2 3.8 3.8 180 0L7.6 0"),
    "i": (0, "M0 10L0 0M0 13.6L0 13.6"),
    "j": (1.6, "M1.6 10L1.6 -1.7A-1 -1.7 2.6 2.6 360 270M1.6 13.6L1.6 13.6"),
    "k": (7, "M0 14.5L0 0M6.6 10L0 3.6M2.6 6.1L7 0"),
    "l": (2.2, "M0 14.5L0 2.2A2.2 2.2 2.2 2.2 180 270"),
    "m": (12.4, "M0 10L0 0M0 6.6A3.1 6.8 3.1 3.2 180 0L6.2 0M6.2 6.8A9.3 6.8 3.1 3.2 180 0L12.4 0"),
    "n": (7.6, "M0 10L0 0M0 6A3.8 6.2 3.8 3.8 180 0L7.6 0"),
    "o": (8.6, "A4.3 5 4.3 5 90 450"),
    "p": (8, "M0 10L0 -4.3M4 10A4 5 4 5 90 450"),
    "q": (8, "A4 5 4 5 90 450M8 10L8 -4.3"),
    "r": (4.4, "M0 10L0 0M0 5.8A4.2 5.8 4.2 4.2 180 84"),
    "s": (6.6, "A3.4 7.5 3 2.5 28 270A3.3 2.5 3.3 2.5 90 -152"),
    "t": (4.8, "M2.1 13.2L2.1 2.8A4.9 2.8 2.8 2.8 180 270M0 10L4.8 10"),
    "u": (7.6, "M0 10L0 3.8A3.8 3.8 3.8 3.8 180 360M7.6 10L7.6 0"),
    "v": (8, "M0 10L4 0L8 10"),
    "w": (11.8, "M0 10L2.95 0L5.9 9.4L8.85 0L11.8 10"),
    "x": (7.6, "M0 0L7.6 10M0 10L7.6 0"),
    "y": (8, "M0 10L4 0M8 10L2.3 -4.3"),
    "z": (7, "M0 10L7 10L0 0L7 0"),
    "{": (4, "M4 15L3.4 15A3.4 13 1.6 2 90 180L1.8 8L0 6L1.8 4L1.8 -1A3.4 -1 1.6 2 180 270L4 -3"),
    "|": (0, "M0 15L0 -3"),
    "}": (4, "M0 15L0.6 15A0.6 13 1.6 2 90 0L2.2 8L4 6L2.2 4L2.2 -1A0.6 -1 1.6 2 360 270L0 -3"),
    "~": (8, "A2 5.2 2 1.6 180 20A6 5.9 2 1.6 200 360"),
    "°": (4, "A2 12 2 2 90 450"),
    "·": (0, "M0 5.6L0 5.6"),
    "×": (7, "M0 2.1L7 9.1M0 9.1L7 2.1"),
    "–": (8, "M0 5.4L8 5.4"),
    "…": (8, "M0 0L0 0M4 0L4 0M8 0L8 0"),
}
UNKNOWN = (8.0, "M0 0L0 14L8 14L8 0L0 0")


def text_width(text: str, size: float) -> float:
    """Return the width in pixels of `text` with capitals `size` pixels high, from the outer edges of its strokes."""
    pens = sum(GLYPHS.get(c, UNKNOWN)[0] for c in text) + GAP * max(len(text) - 1, 0)
    return (pens + STROKE) * size / CAP_HEIGHT


def text_segments(text: str, size: float, x: float, baseline: float) -> np.ndarray:
    """Return the strokes of `text` as lines (n, 4): x0, y0, x1, y1 in pixels, y down, with the left edge at `x`."""
    unit = size / CAP_HEIGHT
    pen = x / unit + STROKE / 2
    parts = [np.zeros((0, 4))]
    for character in text:
        width, _ = GLYPHS.get(character, UNKNOWN)
        parts.append(_glyph_segments(character) + np.array([pen, 0, pen, 0]))
        pen += width + GAP
    return np.concatenate(parts) * [unit, -unit, unit, -unit] + [0, baseline, 0, baseline]


@lru_cache(maxsize=256)
def _glyph_segments(character: str) -> np.ndarray:
    """Return the lines (n, 4) of a character in font units, y up; a dot is a line of length zero."""
    lines: list[tuple[float, float, float, float]] = []
    at: tuple[float, float] | None = None
    for op, arguments in re.findall(r"([MLA])([^MLA]*)", GLYPHS.get(character, UNKNOWN)[1]):
        numbers = [float(n) for n in arguments.split()]
        points = [(numbers[0], numbers[1])] if op != "A" else _arc(*numbers)
        if op == "M":
            at = None
        for point in points:
            if at is not None:
                lines.append((*at, *point))
            at = point
    return np.array(lines, dtype=np.float64).reshape(-1, 4)


def _arc(cx: float, cy: float, rx: float, ry: float, start: float, end: float) -> list[tuple[float, float]]:
    steps = max(2, round(abs(end - start) / 9))
    angles = np.radians(np.linspace(start, end, steps + 1))
    return list(zip((cx + rx * np.cos(angles)).tolist(), (cy + ry * np.sin(angles)).tolist(), strict=True))
