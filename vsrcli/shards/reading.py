"""Read a source from a frame in its middle. Frames keep the numbers that they have in the whole source."""

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from itertools import chain, islice

from vsrcli.engine.repeats import steadied
from vsrcli.errors import InputError
from vsrcli.frame import Frame
from vsrcli.media.info import VideoInfo
from vsrcli.pipeline.options import Options
from vsrcli.pipeline.running.source import decoded
from vsrcli.shards.plan import SourcePlan
from vsrcli.shards.scan import checksum

PROVEN = 5
"""Number of frames after a seek that must agree with the plan before any is used."""

_NEAR = 100  # up to this frame, decoding from the beginning is faster than a seek


def frames_from(
    info: VideoInfo, options: Options, planned: SourcePlan, number: int, warn: Callable[[str], None]
) -> Iterator[Frame]:
    """Yield the frames from `number` on, with the pts and the pictures of the plan.

    Where near repeats count, reading begins at the frame whose picture number `number` has. A seek finds it. If it
    leads to other frames than the plan's, as in some files, frames are counted from the beginning instead. Raises
    InputError if those have other times than the plan's.
    """
    near = planned.engine.near
    first = planned.origin(number) if near else number
    read = _read(info, options, planned, first, warn)
    yield from islice(_checked(steadied(read, near), info, planned), number - first, None)


def _read(
    info: VideoInfo, options: Options, planned: SourcePlan, number: int, warn: Callable[[str], None]
) -> Iterator[Frame]:
    """Yield the frames from `number` on as they are decoded."""
    if number > _NEAR and not info.images and not options.detelecine:  # whose cycles are counted from the beginning
        sought = _sought(info, options, planned, number, warn)
        head = list(islice(sought, PROVEN))
        if head and all(_is_planned(frame, planned) for frame in steadied(head, planned.engine.near)):
            yield from chain(head, sought)
            return
        sought.close()
        warn(f"{info.path}: a seek does not lead to frame {number}: counting from the beginning")
    yield from decoded(info, options, warn, start=options.start, skip=number)


def _sought(
    info: VideoInfo, options: Options, planned: SourcePlan, number: int, warn: Callable[[str], None]
) -> Generator[Frame, None, None]:
    """Yield the frames that a seek to the time of frame `number` gives."""
    start = float(planned.pts[number] * info.time_base) - info.start_time
    for frame in decoded(info, options, warn, start=max(0.0, start)):
        yield replace(frame, number=number + frame.number)


def _is_planned(frame: Frame, planned: SourcePlan) -> bool:
    """Return whether a frame's time and levels agree with those of its number in the plan."""
    known = frame.number < len(planned.pts)
    return known and frame.pts == planned.pts[frame.number] and checksum(frame) == planned.sums[frame.number]


def _checked(frames: Iterator[Frame], info: VideoInfo, planned: SourcePlan) -> Iterator[Frame]:
    """Pass on frames whose times agree with the plan. Raises InputError for others."""
    for frame in frames:
        if frame.number >= len(planned.pts) or frame.pts != planned.pts[frame.number]:
            raise InputError(f"{info.path} has other frames here than the plan has seen, from frame {frame.number} on")
        yield frame
