"""Closed captions of a source's pictures (CEA-608 and CEA-708), on their way to the frames that are made of them.

A picture's captions are its `cc_data` (CTA-708): constructs of three bytes, of which each picture has a share of its
own.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction

import av

from vsrcli.media.read.timestamps import Timed
from vsrcli.media.side_data import side_data


def captions_of(picture: av.VideoFrame) -> bytes:
    """Return the captions of a decoded picture; nothing if it has none."""
    return side_data(picture, "A53_CC") or b""


class Shares:
    """Captions of a source's frames on their way to the frames that are made of them.

    Each goes to the first frame that is shown no earlier: where fields become frames, once, and where frames are left
    out, to the next one.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[Fraction, bytes]] = deque()

    def collect(self, frames: Iterable[Timed], time_base: Fraction) -> Iterator[Timed]:
        """Pass frames on, and take their captions."""
        for timed in frames:
            if captions := captions_of(timed.picture):
                self._waiting.append((timed.pts * time_base, captions))
            yield timed

    def until(self, time: Fraction) -> bytes:
        """Return the captions up to a time in seconds that have not been taken."""
        taken = b""
        while self._waiting and self._waiting[0][0] <= time:
            taken += self._waiting.popleft()[1]
        return taken
