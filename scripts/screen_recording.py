"""Draw a recording of a screen, frame by frame, as the truth by which `vsr evaluate --repeats near` is priced.

    python scripts/screen_recording.py DATA/screen
    vsr evaluate -m repvsr.real --data DATA --crf 28 --repeats near

Text is typed, a letter every third frame; the page stands still; it is scrolled; a pointer moves; it stands still
again, but for a small clock that turns.
"""

import sys
from pathlib import Path

import numpy as np

from vsrcli.compare.canvas import draw_text, fill
from vsrcli.media.photo.images import write_png

WIDTH, HEIGHT = 960, 544
TEXT = "It stands still for most of the time: what moves is small, and what is read does not move at all. " * 6
COLUMNS, LINE = 38, 46
INK, PAPER, BAR = (40, 40, 48), (250, 250, 246), (52, 90, 150)


def frame(typed: int, scroll: int, pointer: tuple[int, int] | None, clock: int | None) -> np.ndarray:
    """Draw the screen: so many letters, scrolled by so many pixels."""
    image = np.empty((HEIGHT, WIDTH, 3), np.uint8)
    image[:] = PAPER
    for number, start in enumerate(range(0, typed, COLUMNS)):
        baseline = 110 + LINE * number - scroll
        if 60 < baseline < HEIGHT + LINE:
            draw_text(image, TEXT[start : min(typed, start + COLUMNS)], 40, baseline, 26, INK)
    fill(image, 0, 0, WIDTH, 64, BAR)
    draw_text(image, "Recording of a screen", 24, 44, 28, (255, 255, 255))
    if pointer is not None:
        fill(image, *pointer, 14, 22, (0, 0, 0))
    if clock is not None:
        draw_text(image, "-\\|/"[clock % 4], WIDTH - 60, 44, 28, (255, 230, 120))
    return image


def recording() -> list[np.ndarray]:
    """Return its 130 frames."""
    shown = [frame(300 + n // 3, 0, None, None) for n in range(30)]
    shown += [frame(310, 0, None, None)] * 30
    shown += [frame(310, 6 * n, None, None) for n in range(1, 16)]
    shown += [frame(310, 90, (200 + 25 * n, 150 + 12 * n), None) for n in range(15)]
    shown += [frame(310, 90, None, None)] * 20
    shown += [frame(310, 90, None, n // 4) for n in range(20)]
    return shown


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(recording()):
        write_png(folder / f"{number:08d}.png", picture)
