"""The training curve as an SVG: loss on the left axis, validation gain over bicubic on the right."""

import csv
from pathlib import Path

WIDTH, HEIGHT, MARGIN = 720, 360, 56


def draw(log: Path, output: Path) -> None:
    """Draw log.csv as an SVG file: loss (smoothed) and the gain in dB against minutes."""
    with log.open(newline="") as file:
        rows = list(csv.DictReader(file))
    loss = _smooth([(float(r["minutes"]), float(r["loss"])) for r in rows])
    gain = [(float(r["minutes"]), float(r["psnr"]) - float(r["bicubic"])) for r in rows if r["psnr"]]
    end = max(x for x, _ in loss) or 1.0
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12"><rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<path d="M{MARGIN} {MARGIN / 2}V{HEIGHT - MARGIN}H{WIDTH - MARGIN}V{MARGIN / 2}" fill="none" stroke="#888"/>',
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 12}" text-anchor="middle">minutes</text>',
        f'<text x="{MARGIN}" y="14" fill="#b55">loss</text>',
        f'<text x="{WIDTH - MARGIN}" y="14" fill="#258" text-anchor="end">gain over bicubic, dB</text>',
        *(_tick(_x(end * i / 4, end), HEIGHT - MARGIN + 16, f"{end * i / 4:.3g}", "middle") for i in range(5)),
        _line(loss, end, "#b55", "end", MARGIN - 6),
        _line(gain, end, "#258", "start", WIDTH - MARGIN + 6),
        "</svg>",
    ]
    output.write_text("\n".join(p for p in parts if p) + "\n")


def _line(points: list[tuple[float, float]], end: float, colour: str, anchor: str, tick_x: float) -> str:
    """A curve with its own vertical axis, whose labels stand at `tick_x`."""
    if not points:
        return ""
    low, high = min(y for _, y in points), max(y for _, y in points)
    span = (high - low) or 1.0

    def place(y: float) -> float:
        return HEIGHT - MARGIN - (y - low) / span * (HEIGHT - 1.5 * MARGIN)

    path = " ".join(f"{_x(x, end):.1f},{place(y):.1f}" for x, y in points)
    ticks = [_tick(tick_x, place(low + span * i / 4) + 4, f"{low + span * i / 4:.3g}", anchor) for i in range(5)]
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>' + "".join(ticks)


def _tick(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="#444" text-anchor="{anchor}">{text}</text>'


def _x(minutes: float, end: float) -> float:
    return MARGIN + minutes / end * (WIDTH - 2 * MARGIN)


def _smooth(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """A running mean whose memory is a twentieth of the run."""
    weight = 1 / max(1.0, len(points) / 20)
    out, mean = [], points[0][1] if points else 0.0
    for x, y in points:
        mean += weight * (y - mean)
        out.append((x, mean))
    return out
