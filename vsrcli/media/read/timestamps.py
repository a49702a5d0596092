"""Assign a time to every decoded picture: the stream's own if it is usable, repaired only if it is broken."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice, pairwise

import av

from vsrcli.media.info import VideoInfo
from vsrcli.media.read.joins import Sound

_LOOKAHEAD = 8  # frames in which disorder by wrongly stored pts must show (B-frames reorder over 2 to 4)
_BREAK_SECONDS = 0.5  # a jump back by more is a new beginning (files joined end to end), not a rounding slip
_LEAP_SECONDS = 10.0  # a jump ahead by more is one too in a broadcast format, if sound jumps with it; as in ffmpeg
_LEAP_FRAMES = 20  # least length of a leap in frames: slow slide shows have none
_BROADCAST = frozenset({"mpegts", "mpeg"})


@dataclass(frozen=True, eq=False)
class Timed:
    """A decoded picture with its time and duration, both in the source's time base.

    `moved` was added to its own time after a jump of the clock.
    """

    picture: av.VideoFrame
    pts: int
    duration: int
    moved: int = 0


def stamp(
    pictures: Iterable[av.VideoFrame], info: VideoInfo, warn: Callable[[str], None], *, whole: bool = True
) -> Iterator[Timed]:
    """Pair pictures, in order of presentation, with strictly increasing pts; valid ones are never changed.

    Some files (ASF with B-frames) store times in decoding order; then the pts are out of order and the dts in order, so
    the dts are used, as in ffmpeg. AVI stores none, and libavformat's estimates for H.264 are a frame late: the dts are
    used there too. The last pictures, for which the decoder has no dts, then follow at the frame rate at least. Other
    missing times are continued by the last frame's duration, or the frame rate's. A picture lasts until the next one;
    the container's duration is used only for the last one, since mp4 with B-frames stores the time between packets. If
    the whole source is taken (`whole`), its sound can follow a joined clock, and only then a jump ahead is closed.
    """
    stream = iter(pictures)
    head = deque(islice(stream, _LOOKAHEAD))
    prefer_dts = info.container == "avi" or _disorder([picture.pts for picture in head]) > _disorder(
        [picture.dts for picture in head]
    )
    period = max(1, round(1 / (info.rate * info.time_base)))
    held: Timed | None = None
    offset = 0
    sound = Sound(info.path)
    leap = max(_LEAP_SECONDS, float(_LEAP_FRAMES / info.rate))
    for picture in _emptied(head, stream):
        declared = 0 if prefer_dts else int(picture.duration or 0)
        own = (picture.dts, picture.pts) if prefer_dts else (picture.pts, picture.dts)
        pts = next((time for time in own if time is not None), None)
        if prefer_dts and picture.dts is None and held is not None:
            pts = None if pts is None else max(pts, held.pts - offset + period)
        if held is None:
            held = Timed(picture, 0 if pts is None else pts, declared)
            continue
        step = held.duration or period
        if pts is None:
            pts = held.pts + step
        else:
            pts += offset
            if (held.pts - pts) * info.time_base > _BREAK_SECONDS:
                warn(f"{info.path}: its clock jumps back after {float(held.pts * info.time_base):.2f} s, joined there")
                if not whole and any(other.kind in ("audio", "subtitle") for other in info.streams):
                    warn(f"{info.path}: sound and subtitles are joined only where all of it is upscaled")
                offset += held.pts + step - pts
                pts = held.pts + step
            elif whole and info.container in _BROADCAST and (ahead := (pts - held.pts) * info.time_base) > leap:
                before, after = ((time - offset) * info.time_base for time in (held.pts, pts))
                if sound.pauses(float(before), float(after)):
                    when = float(held.pts * info.time_base)
                    warn(f"{info.path}: its clock jumps ahead by {float(ahead):.2f} s after {when:.2f} s, joined there")
                    offset += held.pts + step - pts
                    pts = held.pts + step
            pts = max(pts, held.pts + 1)
        yield replace(held, duration=pts - held.pts)
        held = Timed(picture, pts, declared, offset)
    if held is not None:
        yield held if held.duration else replace(held, duration=period)


def _emptied(head: deque[av.VideoFrame], rest: Iterator[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """Yield `head`, then `rest`, without keeping references to yielded pictures."""
    while head:
        yield head.popleft()
    yield from rest


def _disorder(times: list[int | None]) -> int:
    """Return how often time does not increase; a missing time counts too."""
    return sum(before is None or after is None or after <= before for before, after in pairwise(times))
