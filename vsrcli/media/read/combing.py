"""Detect woven fields and their order by the picture itself, not by its flags.

The measure is that of ffmpeg's idet: a line is compared with its neighbours, once with its own frame's, once with those
of the frame before and after. Between fields of one frame that were taken at two times the neighbouring frame's field
is as near as the own one; between those of a whole frame it is not. Only pixels that move are counted, so that a small
thing that moves before a still ground is seen too.
"""

from collections import Counter
from enum import Enum

import av
import numpy as np

MOVES = 12
"""Smallest difference, of 255, that counts as motion; less is noise."""
_LEAST = 1 / 2000  # least share of pixels that must move
_ORDERED = 1.3  # how much more one order of fields combs than the other (idet: 1.04, over all pixels)
_WHOLE = 1.5  # how much more a foreign line combs than the own one, in a whole frame (as idet)
VOTES = 3
"""Least number of frames that tell how all of some are woven."""


class Weave(Enum):
    """Structure of a frame: whole, or woven of two fields."""

    TOP_FIRST = "tff"
    BOTTOM_FIRST = "bff"
    WHOLE = "whole"
    UNKNOWN = "still"


def luma(picture: av.VideoFrame) -> np.ndarray:
    """Return every second column of a picture's luma in 8 bits, as signed numbers."""
    return picture.to_ndarray(format="gray")[:, ::2].astype(np.int16)


def weave_of(before: np.ndarray, frame: np.ndarray, after: np.ndarray) -> Weave:
    """Measure the combing of a frame from its luma and that of its neighbours, and return its class."""
    inner, above_below = frame[1:-1], frame[:-2] + frame[2:]
    moves = (abs(inner - before[1:-1]) > MOVES) | (abs(inner - after[1:-1]) > MOVES)
    moves[:-1] |= moves[1:]
    moves[1:] |= moves[:-1]
    if moves.sum() < _LEAST * moves.size:
        return Weave.UNKNOWN
    own = _sum(2 * inner - above_below, moves)
    past, future = abs(2 * before[1:-1] - above_below) * moves, abs(2 * after[1:-1] - above_below) * moves
    odd, even = slice(0, None, 2), slice(1, None, 2)  # rows of the inner lines, which begin at line 1
    bottom = int(past[even].sum(dtype=np.int64)) + int(future[odd].sum(dtype=np.int64))
    top = int(past[odd].sum(dtype=np.int64)) + int(future[even].sum(dtype=np.int64))
    if bottom > _ORDERED * top:
        return Weave.TOP_FIRST
    if top > _ORDERED * bottom:
        return Weave.BOTTOM_FIRST
    return Weave.WHOLE if top > _WHOLE * own else Weave.UNKNOWN


def clear_order(votes: Counter[Weave]) -> Weave:
    """Return the order of fields that most frames of some have, by how many have which; UNKNOWN unless it is clear."""
    top, bottom = votes[Weave.TOP_FIRST], votes[Weave.BOTTOM_FIRST]
    if max(top, bottom) < VOTES or max(top, bottom) < 4 * min(top, bottom):
        return Weave.UNKNOWN
    return Weave.TOP_FIRST if top > bottom else Weave.BOTTOM_FIRST


def _sum(values: np.ndarray, where: np.ndarray) -> int:
    return int((abs(values) * where).sum(dtype=np.int64))
