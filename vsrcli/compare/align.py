"""Align several videos in time: step through them together, with the frames of one moment side by side and upright."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice

import numpy as np

from vsrcli.frame import Frame
from vsrcli.media.info import VideoInfo
from vsrcli.media.read.decode import decode
from vsrcli.media.write.made import offset_in_source

_HALF = 0.5
"""Share of a frame's duration by which rounded times may differ."""


@dataclass(frozen=True, eq=False)
class Moment:
    """The frames shown at one moment, each uint8 (h, w, 3); `pts` and `duration` are the master's."""

    seconds: float
    pts: int
    duration: int
    frames: list[np.ndarray]


def master(infos: Sequence[VideoInfo]) -> int:
    """Return the index of the video that sets the clock: the first video, or the first of image sequences."""
    return next((i for i, info in enumerate(infos) if not info.images), 0)


def aligned(infos: Sequence[VideoInfo], *, start: float = 0.0) -> Iterator[Moment]:
    """Yield a moment for each of the master's frames, from `start` seconds after its first one, while all have frames.

    Videos are aligned by time, counted from the first frame of each: a frame of the master is paired with the nearest
    frame of every other video. If image sequences take part, which have no clock of their own, frames are paired by
    number.
    """
    lead, places = master(infos), origins(infos)
    by_number = any(info.images for info in infos)
    rows = (_by_number if by_number else _by_time)(infos, lead, start, places)
    for seconds, frames in rows:
        shown = [upright(f.data, info) for f, info in zip(frames, infos, strict=True)]
        yield Moment(seconds, frames[lead].pts, frames[lead].duration, shown)


def origins(infos: Sequence[VideoInfo]) -> list[float]:
    """Return when each video's first frame is, in seconds of the time that they share: 0 of all that are whole."""
    told = [None if info.images else offset_in_source(info.path) for info in infos]
    if all(offset is None for offset in told):
        return [0.0] * len(infos)
    return [_lead_in(info) if offset is None else offset for info, offset in zip(infos, told, strict=True)]


def common_start(infos: Sequence[VideoInfo]) -> float:
    """Return the first moment that all have, in seconds after the master's first frame."""
    places = origins(infos)
    return max(places) - places[master(infos)]


def _lead_in(info: VideoInfo) -> float:
    """Return how long after the container's start a whole video shows its first frame, which is what parts count by."""
    first = None if info.images else next(decode(info), None)
    return 0.0 if first is None else float(first.pts * info.time_base) - info.start_time


_Row = tuple[float, Sequence[Frame]]


def _by_number(infos: Sequence[VideoInfo], lead: int, start: float, places: Sequence[float]) -> Iterator[_Row]:
    tick = infos[lead].time_base
    first: int | None = None
    numbers = [round(place * info.rate) for place, info in zip(places, infos, strict=True)]
    skipped = [max(numbers) - number for number in numbers]
    parts = [islice(decode(info), skip, None) for info, skip in zip(infos, skipped, strict=True)]
    for frames in zip(*parts, strict=False):
        first = frames[lead].pts - round(skipped[lead] / infos[lead].rate / tick) if first is None else first
        seconds = (frames[lead].pts - first) * tick
        if seconds + tick / 2 >= start:
            yield float(seconds), frames


def _by_time(infos: Sequence[VideoInfo], lead: int, start: float, places: Sequence[float]) -> Iterator[_Row]:
    start = max(start, max(places) - places[lead] - _HALF / float(infos[lead].rate))
    start = start if max(places) > places[lead] else max(0.0, start)
    after = [Fraction(places[lead] - place).limit_denominator(1_000_000) for place in places]
    others = {i: _Nearest(info, start + float(after[i])) for i, info in enumerate(infos) if i != lead}
    for seconds, frame in _timed(infos[lead], start):
        frames = [frame if i == lead else others[i].at(seconds + after[i]) for i in range(len(infos))]
        there = [f for f in frames if f is not None]
        if len(there) < len(infos):
            return
        yield float(seconds), there


def _timed(info: VideoInfo, start: float) -> Iterator[tuple[Fraction, Frame]]:
    """Yield frames with their seconds since the first one, from `start` on."""
    began = next(decode(info)).pts * info.time_base
    seek = float(began) - info.start_time + start if start > 0 else None
    for frame in decode(info, start=seek):
        yield frame.pts * info.time_base - began, frame


class _Nearest:
    """Search for the frame of a video that is nearest in time, for increasing times."""

    def __init__(self, info: VideoInfo, start: float) -> None:
        self._frames = _timed(info, max(0.0, start - 2 / float(info.rate)))
        self._info = info
        self._now = next(self._frames, None)
        self._next = next(self._frames, None)

    def at(self, seconds: Fraction) -> Frame | None:
        """Return the frame nearest to `seconds`, or None after the end of the video."""
        while self._now and self._next and abs(self._next[0] - seconds) < abs(self._now[0] - seconds):
            self._now, self._next = self._next, next(self._frames, None)
        if self._now is None:
            return None
        lasts = max(self._now[1].duration * self._info.time_base, 1 / self._info.rate)
        over = self._next is None and seconds - self._now[0] > lasts / 2  # nearer to the end than to the last frame
        return None if over else self._now[1]


def upright(rgb: np.ndarray, info: VideoInfo) -> np.ndarray:
    """Return the picture as 8-bit RGB, rotated and mirrored by its display matrix (to the nearest quarter turn)."""
    levels = rgb if rgb.dtype == np.uint8 else np.rint(rgb / 257).astype(np.uint8)
    if info.rotation is None:
        return levels
    a, b, _, c, d = info.rotation[:5]
    if a * d - b * c < 0:
        levels, a, b = levels[:, ::-1], -a, -b
    return np.ascontiguousarray(np.rot90(levels, -round(math.atan2(b, a) / (math.pi / 2))))
