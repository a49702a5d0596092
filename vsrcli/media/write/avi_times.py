"""Check before work begins which times AVI and Y4M can hold: they have no timestamps, only frames to count."""

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from av.error import FFmpegError

from vsrcli.errors import Reason
from vsrcli.media.containers import CannotHoldError, container_of
from vsrcli.media.info import VideoInfo
from vsrcli.media.opening import demux, open_video
from vsrcli.media.read.decode import shown_times
from vsrcli.media.write.y4m import constant

LONGEST_GAP = 60_000
"""Longest gap in frames, also of sound, that ffmpeg's muxer accepts."""


def check_avi_times(info: VideoInfo, output: Path, start: float | None, end: float | None) -> None:
    """Raise CannotHoldError if `output` is AVI and cannot hold the times of the frames from `start` to `end` (seconds).

    For most sources the packets' times suffice. If these do not fit, the frames are decoded, which is certain.
    """
    muxer = container_of(output).muxer
    if muxer not in ("avi", "yuv4mpegpipe") or info.images:
        return
    if info.cadence < 1:
        message = f"{output.suffix} has no times, and what is no film in {info.path} keeps its own rate"
        raise CannotHoldError(message, Reason.NEEDS_CONTAINER, output="NAME.mkv")
    if muxer == "yuv4mpegpipe":
        _check_constant(info, output, start, end)
    if muxer != "avi" or info.container == "avi":
        return
    preview = start is not None or end is not None
    reason = _misfit(_finer(_packet_times(info), info), info, preview=preview) and _misfit(
        _finer(shown_times(info.own, start=start, end=end), info), info, preview=preview
    )
    if reason:
        message = f"{output.suffix} cannot hold the times of {info.path}: {reason}"
        raise CannotHoldError(message, Reason.NEEDS_CONTAINER, output="NAME.mkv")


def _check_constant(info: VideoInfo, output: Path, start: float | None, end: float | None) -> None:
    """Raise CannotHoldError if the source's frames do not come at a constant rate."""
    if info.images or info.container in ("yuv4mpegpipe", "avi"):
        return
    own = info.own
    first, last = (None if at is None else (at + own.start_time) / float(own.time_base) for at in (start, end))

    def even(times: Iterable[int]) -> bool:
        inside = (time for time in times if (first is None or time >= first) and (last is None or time < last))
        return constant(((after - before) * own.time_base for before, after in pairwise(inside)), own.rate)

    if even(_packet_times(info)) or even(shown_times(own, start=start, end=end)):
        return
    message = f"{output.suffix} knows only a constant frame rate, and that of {info.path} varies"
    raise CannotHoldError(message, Reason.NEEDS_CONTAINER, output="NAME.mkv")


def avi_origin(info: VideoInfo, first: int, *, preview: bool) -> int:
    """Return the time of the source, in its time base, that is 0 in AVI: AVI's sound begins at 0."""
    return first if preview else round(Fraction(info.start_time) / info.time_base)


def avi_slot(info: VideoInfo, time: int, origin: int) -> int:
    """Return the number of the frame that is shown at `time`."""
    return round((time - origin) * info.time_base * info.rate)


def _finer(times: Iterable[int], info: VideoInfo) -> Iterator[int]:
    """Yield the times of a result in its ticks, by those of the source: the new ones between them are evenly spaced."""
    before = None
    for time in times:
        if before is not None:
            yield from (before * info.ticks + step * (time - before) for step in range(1, info.ticks))
        yield time * info.ticks
        before = time


def _misfit(times: Iterable[int], info: VideoInfo, *, preview: bool) -> str | None:
    """Return why the times, in order, are no numbers of frames; None if they are."""
    origin = before = None
    for time in times:
        if origin is None:
            origin = avi_origin(info, time, preview=preview)
        slot = avi_slot(info, time, origin)
        if before is not None and slot <= before:
            return "it knows only a constant frame rate, and here two frames come within one"
        if before is not None and slot - before > LONGEST_GAP:
            return f"a frame comes {float((slot - before) / info.rate):.0f} s after the one before it"
        before = slot
    return None


def _packet_times(info: VideoInfo) -> list[int]:
    """Return the distinct times of the source's packets, in order, as far as the file can be read."""
    times = set()
    with open_video(info.path) as container:
        try:
            for packet in demux(container, container.streams[info.stream_index]):
                if packet.size and packet.pts is not None:
                    times.add(packet.pts)
        except FFmpegError:
            pass
    return sorted(times)
