"""Read a source from a frame in its middle on. Frames keep the numbers that they have in the whole source."""

from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from itertools import chain, islice

from vsrcli.errors import InputError
from vsrcli.frame import Frame
from vsrcli.media.decode import decode
from vsrcli.media.info import VideoInfo
from vsrcli.pipeline.options import Options
from vsrcli.shards.plan import SourcePlan
from vsrcli.shards.scan import checksum

PROVEN = 5
"""Frames after a seek that must be those of the plan before any is believed."""

_NEAR = 100  # frames from the beginning that are sooner decoded than sought


def frames_from(
    info: VideoInfo, options: Options, planned: SourcePlan, number: int, warn: Callable[[str], None]
) -> Iterator[Frame]:
    """Yield the frames from a number on, with the pts of the plan.

    They are sought; where a seek gives other frames than the plan has seen (there are files for which it does), they
    are counted from the beginning. Raises InputError where those have other times than the plan's.
    """
    if number > _NEAR and not info.images:
        sought = _sought(info, options, planned, number, warn)
        head = list(islice(sought, PROVEN))
        if head and all(_is_planned(frame, planned) for frame in head):
            yield from _checked(chain(head, sought), info, planned)
            return
        sought.close()
        warn(f"{info.path}: a seek does not lead to frame {number}: counting from the beginning")
    counted = _decoded(info, options, warn, start=options.start, skip=number)
    yield from _checked(counted, info, planned)


def _sought(
    info: VideoInfo, options: Options, planned: SourcePlan, number: int, warn: Callable[[str], None]
) -> Generator[Frame, None, None]:
    """Yield the frames from a number on as a seek to its time gives them."""
    start = float(planned.pts[number] * info.time_base) - info.start_time
    for frame in _decoded(info, options, warn, start=max(0.0, start)):
        yield replace(frame, number=number + frame.number)


def _decoded(
    info: VideoInfo, options: Options, warn: Callable[[str], None], *, start: float | None, skip: int = 0
) -> Iterator[Frame]:
    """Decode from a time on as the job's options say, without the first `skip` frames."""
    return decode(
        info, start=start, end=options.end, deinterlace=options.deinterlace, skip=skip, part_tint=True, warn=warn
    )


def _is_planned(frame: Frame, planned: SourcePlan) -> bool:
    """Return whether a frame is, in its time and its levels, what the plan has seen under its number."""
    known = frame.number < len(planned.pts)
    return known and frame.pts == planned.pts[frame.number] and checksum(frame) == planned.sums[frame.number]


def _checked(frames: Iterator[Frame], info: VideoInfo, planned: SourcePlan) -> Iterator[Frame]:
    """Pass frames on whose times are the plan's. Raises InputError for others."""
    for frame in frames:
        if frame.number >= len(planned.pts) or frame.pts != planned.pts[frame.number]:
            raise InputError(f"{info.path} has other frames here than the plan has seen, from frame {frame.number} on")
        yield frame
