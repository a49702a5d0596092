"""Measure the noise of a source's pictures: of tape, film and small sensors, which its compression does not tell.

Noise is what differs both between neighbouring pixels and from one frame to the next. Texture that moves does so too,
so the calmest blocks tell: in nearly every picture some show a wall, the sky or something out of focus.
"""

import math
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice, pairwise
from statistics import median

import numpy as np

from vsrcli.errors import InputError
from vsrcli.media.info import VideoInfo
from vsrcli.media.read.decode import timed_frames

PLACES = 4
"""Number of evenly spread places that are looked at."""
_FRAMES = 4  # at each place
_BLOCK = 8  # pixels a side
_LEAST = 10  # blocks
_CALMEST = 5  # per cent of the blocks
_OF_ALL = 0.72  # what these measure of noise that all have, found with noise of 1.5 to 4 levels on four clips
_BLACK, _WHITE = 20, 235  # mean levels beyond which noise is clipped


def measure_noise(info: VideoInfo) -> float:
    """Return the standard deviation of a video's noise in luma, in levels of 8 bits; 0 where nothing tells it."""
    if info.images or info.once:
        return 0.0
    own = info.own
    found = []
    for place in range(PLACES if own.duration else 1):
        start = own.start_time + (own.duration or 0.0) * place / PLACES
        with suppress(InputError):  # a damaged place tells nothing
            levels = noise_of(
                timed.picture.to_ndarray(format="gray") for timed in islice(timed_frames(own, start), _FRAMES)
            )
            found += [] if levels is None else [levels]
    return median(found) if found else 0.0


def noise_of(pictures: Iterator[np.ndarray]) -> float | None:
    """Return the noise of the first two luma pictures (h, w), uint8, that differ enough to tell it, or None."""
    for before, after in pairwise(pictures):
        if before.shape != after.shape:
            continue
        here = _blocks(after)
        change = here - _blocks(before)
        told = (here.mean(1) > _BLACK) & (here.mean(1) < _WHITE)
        if told.sum() >= _LEAST and change.any(1).sum() >= _LEAST:  # else it is the same picture once more
            least = np.minimum(_rough(here[told]), _rough(change[told]) / math.sqrt(2))
            return float(np.percentile(least, _CALMEST)) / _OF_ALL
    return None


def _blocks(picture: np.ndarray) -> np.ndarray:
    """Return the blocks of a picture (h, w) as rows (n, pixels) of float32."""
    rows, columns = (side // _BLOCK for side in picture.shape)
    whole = picture[: rows * _BLOCK, : columns * _BLOCK].astype(np.float32)
    return whole.reshape(rows, _BLOCK, columns, _BLOCK).swapaxes(1, 2).reshape(-1, _BLOCK * _BLOCK)


def _rough(blocks: np.ndarray) -> np.ndarray:
    """Return the standard deviation of each row's block from its slope, the plane that fits it best."""
    place = np.arange(_BLOCK * _BLOCK)
    slope, _ = np.linalg.qr(np.stack([np.ones_like(place), place // _BLOCK, place % _BLOCK], 1).astype(np.float32))
    rest = blocks - (blocks @ slope) @ slope.T
    return np.asarray(np.sqrt((rest**2).sum(1) / (_BLOCK * _BLOCK - slope.shape[1])))
