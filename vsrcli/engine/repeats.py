"""Frames that repeat the one before them: the net does not see them, and its result is shown again.

Slides, screen recordings, animation on twos and captures that are padded to a rate are full of them. The net sees the
video as if it were without them, and every frame of the whole video shows what its picture became there. That is exact
in itself: windows, lookahead, horizon and tiles count pictures, so that states hold what they would hold without the
repeats, however the net is strung over time. Against running the repeats too it differs by what a net's recurrence does
to a still, in which nothing is to be learnt: see `SETTLED`.

Pictures are compared as they were decoded, to the last bit. Where near repeats are asked for, a frame that differs by
a few levels at most first gets the picture before it (`steadied`), and then repeats it like any other. A drift cannot
add up, since it is measured from the picture that was run.
"""

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field, replace

import numpy as np

from vsrcli.frame import Frame, largest_level

SETTLED = 5
"""Frames at the start of a scene that are run whether they repeat or not. A net's first results lack what it gathers
from those before: on a still of city AnimeSR's is 1.3 dB worse than its fifth, which is within 0.05 dB of all that
follow (REPVSR: 0.06 dB, and the second is as the last).

Later on a repeat teaches nothing. What running it would change, on city (PSNR of 24 frames on twos, run and held):
repvsr.bi 26.98 and 27.20, repvsr.real 26.29 and 26.37, animesr.v2 24.97 and 24.91. Where motion stops for ten frames,
repvsr.bi falls from 27.39 to 26.44 if they are run, while the net forgets what it knew from the motion.
"""

NEAR = 4
"""Levels of 255 by which a near repeat may differ: a step of Y, Cb and Cr together makes up to 4 of red, green or blue.
Coded stills change by such steps from frame to frame; with 2, x264's were hardly found (docs/speed.md)."""

_ROWS = 64
"""Rows that are compared at once: most frames that are no repeats differ in the first."""

_NOTHING = np.empty((0, 0, 3), np.uint8)


def is_repeat(frame: Frame, before: Frame) -> bool:
    """Return whether two frames show the same picture, bit for bit, and their results are to have the same depth.

    Opacity is a part of it. Their tints may differ, since they are put on results.
    """
    a, b = frame.data, before.data
    if a.shape != b.shape or a.dtype != b.dtype or frame.bit_depth != before.bit_depth:
        return False
    if (frame.alpha is None) != (before.alpha is None):
        return False
    if frame.alpha is not None and before.alpha is not None and not np.array_equal(frame.alpha, before.alpha):
        return False
    return all(np.array_equal(a[i : i + _ROWS], b[i : i + _ROWS]) for i in range(0, len(a), _ROWS))


def steadied(frames: Iterable[Frame], levels: int) -> Iterator[Frame]:
    """Yield frames in which near repeats have the picture that they repeat; see `steady`."""
    before: Frame | None = None
    for frame in frames:
        before = steady(frame, before, levels)
        yield before


def steady(frame: Frame, before: Frame | None, levels: int) -> Frame:
    """Return the frame, with the picture of the one before if no value differs by more than `levels` of 255."""
    if not levels or before is None:
        return frame
    near = _is_near(frame.data, before.data, levels) and _is_near(frame.alpha, before.alpha, levels)
    return replace(frame, data=before.data, alpha=before.alpha) if near else frame


def _is_near(a: np.ndarray | None, b: np.ndarray | None, levels: int) -> bool:
    """Return whether two pictures have one type and size and differ by at most `levels` of 255 everywhere."""
    if a is None or b is None:
        return a is b
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    most = levels * largest_level(a) / 255
    parts = ((a[i : i + _ROWS], b[i : i + _ROWS]) for i in range(0, len(a), _ROWS))
    return all(bool((np.maximum(one, other) - np.minimum(one, other) <= most).all()) for one, other in parts)


def picture_numbers(sums: Sequence[int], cuts: Set[int]) -> list[int]:
    """Return the number of the picture that each frame of a video shows, as an engine that shows repeats again counts.

    Args:
        sums: of each frame, a checksum of its picture.
        cuts: the frames at which scenes start.
    """
    numbers: list[int] = []
    pictures = scene = 0
    for n, checksum in enumerate(sums):
        if n in cuts:
            scene = pictures
        if n == 0 or checksum != sums[n - 1] or pictures - scene < SETTLED:
            pictures += 1
        numbers.append(pictures - 1)
    return numbers


@dataclass
class Showings:
    """The frames that show each picture: their numbers and times, without levels, by the number of the picture."""

    repeated: int = 0
    """Frames that were shown again, so far."""
    _waiting: dict[int, list[Frame]] = field(default_factory=dict)
    _shown: dict[int, int] = field(default_factory=dict)

    def add(self, picture: int, frame: Frame) -> None:
        """Add a frame that shows a picture, which is new or the newest."""
        self._waiting.setdefault(picture, []).append(replace(frame, data=_NOTHING, alpha=None))

    def take(self, picture: int) -> Iterator[Frame]:
        """Yield the frames that show a picture and have not been yielded, without it. Each counts once it was used."""
        waiting = self._waiting.get(picture, [])
        while waiting:
            yield waiting.pop(0)
            before = self._shown.get(picture, 0)
            self.repeated += before > 0
            self._shown[picture] = before + 1

    def first(self, picture: int) -> int | None:
        """Return the number of the next frame that shows a picture; None if none is known."""
        waiting = self._waiting.get(picture)
        return waiting[0].number if waiting else None

    def count(self, picture: int) -> int:
        """Return how many frames have shown a picture so far."""
        return self._shown.get(picture, 0)

    def shown_before(self, picture: int, times: int) -> None:
        """Record that an earlier run has shown a picture `times` times."""
        self._shown[picture] = times

    def drop(self, before: int) -> None:
        """Delete what is stored of the pictures before a number, which have been shown."""
        for stored in (self._waiting, self._shown):
            while (number := next(iter(stored), before)) < before:
                del stored[number]
