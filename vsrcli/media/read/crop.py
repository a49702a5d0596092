"""Crop a source to a requested part of its picture, or to what black borders leave."""

from collections.abc import Iterator
from itertools import islice

import numpy as np

from vsrcli.errors import InputError, UsageError
from vsrcli.frame import narrowed
from vsrcli.media.info import VideoInfo
from vsrcli.media.options import read_crop
from vsrcli.media.read.decode import decode

PLACES = 12
"""Number of evenly spread frames that are examined for borders."""
BLACK = 36
"""Level, of 255, below which 99 % of a row or column must stay in every examined frame to count as border."""
_LUMA = np.array((0.299, 0.587, 0.114), np.float32)
_LEAST = 16  # pixels a side that must be left
_WORTH = 2  # pixels of a border that are worth a cut


def cropped(info: VideoInfo, text: str) -> VideoInfo:
    """Return a source of which only a part is read, in pixels of the picture as it is stored, less hidden borders.

    Raises UsageError for a part that does not lie in the picture, and for images.
    """
    if info.images:
        raise UsageError("images are not cropped: only videos are")
    part = read_crop(text) or _inner(info)
    width, height, x, y = part
    if min(width, height) < _LEAST or x + width > info.width or y + height > info.height:
        raise UsageError(f"a crop of {text} does not fit the picture of {info.width}x{info.height}")
    if (width, height) == (info.width, info.height):
        return info
    return info.part(x, y, width, height)


def _inner(info: VideoInfo) -> tuple[int, int, int, int]:
    """Return (width, height, x, y) of what lies within black borders, even and never less than it."""
    rows = np.zeros(info.height, bool)
    columns = np.zeros(info.width, bool)
    for picture in _samples(info):
        light = picture @ _LUMA  # alone: colours bleed beyond the border
        rows |= np.quantile(light, 0.99, axis=1) > BLACK
        columns |= np.quantile(light, 0.99, axis=0) > BLACK
    if not (rows.any() and columns.any()):
        return info.width, info.height, 0, 0
    top, height = _even(rows)
    left, width = _even(columns)
    return width, height, left, top


def _even(lit: np.ndarray) -> tuple[int, int]:
    """Return the start and length of the lit part, grown to even ones; borders too thin to matter stay."""
    first, last = int(lit.argmax()), len(lit) - 1 - int(lit[::-1].argmax())
    first = 0 if first < _WORTH else first - first % 2
    end = len(lit) if len(lit) - 1 - last < _WORTH else min(len(lit), last + 1 + (last + 1 - first) % 2)
    return (0, len(lit)) if end - first < _LEAST else (first, end - first)


def _samples(info: VideoInfo) -> Iterator[np.ndarray]:
    """Yield frames of 8 bits from all over the film; of one whose length is unknown, its first ones."""
    if not info.duration:
        yield from (narrowed(frame.data) for frame in islice(decode(info), PLACES))
        return
    for number in range(PLACES):
        try:
            frame = next(decode(info, start=info.duration * number / PLACES), None)
        except InputError:
            continue
        if frame is not None:
            yield narrowed(frame.data)
