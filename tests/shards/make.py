"""A film of shots, small and with real cuts."""

from bisect import bisect_right
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import av
import numpy as np

from tests.media import make

SHOTS = (0, 37, 55, 90)
"""Where the film's shots begin; the last one, to its end, is long."""


def film(path: Path, *, frames: int = 220, shots: Sequence[int] = SHOTS, **options: Any) -> Path:
    """Encode shots of smooth motion, each of its own pattern, every other one brighter."""

    def draw(number: int, width: int, height: int) -> np.ndarray:
        shot = bisect_right(shots, number) - 1
        return (make.pattern(number, width, height, seed=shot) // 2 + 120 * (shot % 2)).astype(np.uint8)

    return make.video(path, width=32, height=24, frames=frames, draw=draw, **options)


def packets(path: Path) -> list[tuple[int | None, int | None, bytes]]:
    """Return pts, dts and data of the packets of a video's picture."""
    with av.open(str(path)) as container:
        return [(p.pts, p.dts, bytes(p)) for p in container.demux(video=0) if p.size]
