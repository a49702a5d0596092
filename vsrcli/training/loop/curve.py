"""The training curve as SVG: the loss above, the validation gain over bicubic below."""

import csv
from pathlib import Path

from vsrcli.compare.plot import Panel, Series, plot_svg
from vsrcli.files import write_whole

WIDTH, PANEL_HEIGHT = 720, 170


def draw(log: Path, output: Path) -> None:
    """Draw log.csv as an SVG file: loss (smoothed) and the gain in dB against minutes. Raises OSError."""
    with log.open(newline="") as file:
        rows = list(csv.DictReader(file))
    loss = [(float(row["minutes"]), float(row["loss"])) for row in rows]
    gain = [(float(row["minutes"]), float(row["psnr"]) - float(row["bicubic"])) for row in rows if row["psnr"]]
    panels = [
        Panel("loss", [_series("smoothed", loss, smooth=True)], digits=None),
        Panel("gain over bicubic (dB)", [_series("validation", gain)], digits=None),
    ]
    svg = plot_svg(panels, axis="minutes", width=WIDTH, panel_height=PANEL_HEIGHT)
    write_whole(output, svg.encode())


def _series(label: str, points: list[tuple[float, float]], *, smooth: bool = False) -> Series:
    values = [y for _, y in points]
    return Series(label, _smooth(values) if smooth else values, at=[x for x, _ in points])


def _smooth(values: list[float]) -> list[float]:
    """Return a running mean over about a twentieth of the run."""
    weight = 1 / max(1.0, len(values) / 20)
    out, mean = [], values[0] if values else 0.0
    for value in values:
        mean += weight * (value - mean)
        out.append(mean)
    return out
