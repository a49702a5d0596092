"""A line plot of figures by frame (PSNR, SSIM) or by time (a training run), as SVG text or as an RGB picture.

Both are drawn from one list of shapes, so they look alike; the picture needs no font on the machine.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal

import numpy as np

from vsrcli.compare.canvas import draw_lines, draw_text, fill
from vsrcli.compare.font import text_width
from vsrcli.errors import UsageError

# Okabe and Ito's colours, told apart by the colour-blind too; yellow left out, too faint on white
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#000000")
INK, FAINT, GRID, PAPER = "#23262d", "#6b7280", "#e5e7eb", "#ffffff"
CAP = 8.6  # the height of capitals in pixels of the SVG
LEFT, RIGHT, TOP, BOTTOM, GAP = 62.0, 22.0, 46.0, 44.0, 66.0


@dataclass(frozen=True)
class Series:
    """One line of a plot: its label and its value in each frame; NaN and infinity leave a gap.

    `at` gives the positions of the values along x, increasing from 0; None means one a frame.
    """

    label: str
    values: Sequence[float]
    at: Sequence[float] | None = None


@dataclass(frozen=True)
class Panel:
    """One diagram of a plot: a heading such as "PSNR-Y (dB)", its lines, and the decimals of the means in its legend.

    If `digits` is None, there are no means.
    """

    title: str
    series: Sequence[Series]
    digits: int | None = 2


@dataclass(frozen=True)
class _Line:
    points: tuple[tuple[float, float], ...]
    colour: str
    width: float


@dataclass(frozen=True)
class _Text:
    text: str
    x: float
    y: float
    anchor: Literal["start", "middle", "end"]
    colour: str
    cap: float = CAP


_Shape = _Line | _Text


def plot_svg(panels: Sequence[Panel], *, axis: str = "frame", width: int = 900, panel_height: int = 230) -> str:
    """Return the panels, one above the other, as an SVG document; `axis` is the label of x, which starts at 0."""
    height, shapes = _layout(panels, width, panel_height, axis)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        ' font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, sans-serif">',
        f'<rect width="{width}" height="{height}" fill="{PAPER}"/>',
    ]
    for shape in shapes:
        if isinstance(shape, _Line):
            points = " ".join(f"{x:.1f},{y:.1f}" for x, y in shape.points)
            lines.append(
                f'<polyline points="{points}" fill="none" stroke="{shape.colour}" stroke-width="{shape.width:g}"'
                ' stroke-linejoin="round" stroke-linecap="round"/>'
            )
        else:
            size = shape.cap / 0.71  # the height of capitals of common sans-serif fonts, in their size
            lines.append(
                f'<text x="{shape.x:.1f}" y="{shape.y:.1f}" font-size="{size:.1f}" text-anchor="{shape.anchor}"'
                f' fill="{shape.colour}">{escape(shape.text)}</text>'
            )
    return "\n".join([*lines, "</svg>", ""])


def plot_picture(
    panels: Sequence[Panel], *, axis: str = "frame", width: int = 900, panel_height: int = 230, density: float = 2.0
) -> np.ndarray:
    """Return the same plot as uint8 RGB (h, w, 3), with `density` pixels for each of the SVG's."""
    height, shapes = _layout(panels, width, panel_height, axis)
    image = np.empty((round(height * density), round(width * density), 3), dtype=np.uint8)
    fill(image, 0, 0, image.shape[1], image.shape[0], _rgb(PAPER))
    for shape in shapes:
        if isinstance(shape, _Line):
            points = np.array(shape.points) * density
            ends = points if len(points) > 1 else points.repeat(2, 0)
            draw_lines(image, np.concatenate((ends[:-1], ends[1:]), 1), shape.width * density, _rgb(shape.colour))
        else:
            cap = shape.cap * density
            shift = {"start": 0.0, "middle": 0.5, "end": 1.0}[shape.anchor] * text_width(shape.text, cap)
            draw_text(image, shape.text, shape.x * density - shift, shape.y * density, cap, _rgb(shape.colour))
    return image


def _layout(panels: Sequence[Panel], width: int, panel_height: int, axis: str) -> tuple[int, list[_Shape]]:
    """Return the picture's height and all shapes in drawing order."""
    ends = [_places(s)[-1] for p in panels for s in p.series if s.values]
    if not ends:
        raise UsageError("there is nothing to plot: no frames were measured")
    shapes: list[_Shape] = []
    top = TOP
    for panel in panels:
        shapes += _panel(panel, max(ends) or 1.0, (LEFT, top, width - RIGHT, top + panel_height))
        top += panel_height + GAP
    bottom = top - GAP
    shapes.append(_Text(axis, (LEFT + width - RIGHT) / 2, bottom + 34, "middle", FAINT))
    return round(bottom + BOTTOM + 4), shapes


def _places(series: Series) -> Sequence[float]:
    """Return the position along x of each value."""
    return range(len(series.values)) if series.at is None else series.at


def _panel(panel: Panel, end: float, box: tuple[float, float, float, float]) -> list[_Shape]:
    left, top, right, bottom = box
    finite = [v for s in panel.series for v in s.values if math.isfinite(v)]
    ticks = _ticks(min(finite, default=0.0), max(finite, default=1.0), 5)
    low, high = ticks[0], ticks[-1]

    def spot(place: float, value: float) -> tuple[float, float]:
        return left + place * (right - left) / end, bottom - (value - low) / (high - low) * (bottom - top)

    shapes: list[_Shape] = [_Text(panel.title, left, top - 18, "start", INK, CAP * 1.12)]
    decimals = max(0, -math.floor(math.log10(ticks[1] - ticks[0]) + 1e-9))
    for tick in ticks:
        y = spot(0, tick)[1]
        shapes.append(_Line(((left, y), (right, y)), GRID, 1))
        shapes.append(_Text(f"{tick:z.{decimals}f}", left - 10, y + CAP / 2, "end", FAINT))
    frames = all(s.at is None for s in panel.series)
    for place in [t for t in _ticks(0, end, 8, inside=True) if not frames or t == int(t)]:
        x = left + place * (right - left) / end
        shapes.append(_Line(((x, bottom), (x, bottom + 4)), FAINT, 1))
        shapes.append(_Text(f"{place:.6g}", x, bottom + 17, "middle", FAINT))
    shapes.append(_Line(((left, bottom), (right, bottom)), FAINT, 1))
    for i, series in enumerate(panel.series):
        places = _places(series)
        for run in _runs(series.values):
            points = tuple(spot(places[number], series.values[number]) for number in run)
            shapes.append(_Line(points, PALETTE[i % len(PALETTE)], 1.8 if len(points) > 1 else 4))
    return shapes + _legend(panel, right, top - 18)


def _legend(panel: Panel, right: float, baseline: float) -> list[_Shape]:
    """Return swatch, label and mean of each line, in one row that ends at `right`; long text is smaller."""
    labels = []
    for series in panel.series:
        finite = [v for v in series.values if math.isfinite(v)]
        shown = panel.digits is not None and finite
        labels.append(series.label + (f"  {math.fsum(finite) / len(finite):z.{panel.digits}f}" if shown else ""))
    room = right - LEFT - text_width(panel.title, CAP * 1.12) - 44 * len(labels)
    cap = CAP * min(1.0, room / sum(text_width(label, CAP) for label in labels)) if labels else CAP
    shapes: list[_Shape] = []
    x = right
    for i, label in reversed(list(enumerate(labels))):
        shapes.append(_Text(label, x, baseline, "end", INK, cap))
        x -= text_width(label, cap) + 8
        shapes.append(_Line(((x - 16, baseline - cap / 2), (x, baseline - cap / 2)), PALETTE[i % len(PALETTE)], 3))
        x -= 16 + 20
    return shapes


def _runs(values: Sequence[float]) -> list[list[int]]:
    """Return the numbers of frames with finite values, grouped into runs without gaps."""
    runs: list[list[int]] = [[]]
    for frame, value in enumerate(values):
        if math.isfinite(value):
            runs[-1].append(frame)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _ticks(low: float, high: float, about: int, *, inside: bool = False) -> list[float]:
    """Return round numbers in steps of 1, 2 or 5 times a power of ten, around [low, high] or inside it."""
    if high - low < 1e-6:
        low, high = low - 0.5, high + 0.5
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw * (1 - 1e-9))
    first, last = low / step, high / step
    if inside:
        numbers = range(math.ceil(first - 1e-9), math.floor(last + 1e-9) + 1)
    else:
        numbers = range(math.floor(first + 1e-9), math.ceil(last - 1e-9) + 1)
    return [n * step for n in numbers]


def _rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
