"""Write videos side by side, as a picture of one moment or as a video with the first one's sound."""

import math
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from vsrcli.compare.align import aligned, common_start, master
from vsrcli.compare.picture import Mode, Zoom, fitted, side_by_side
from vsrcli.compare.quality import Quality, check_reference
from vsrcli.compare.shapes import check_shapes, largest
from vsrcli.errors import Remark, UsageError, unwritable
from vsrcli.frame import Frame
from vsrcli.media.info import VideoInfo
from vsrcli.media.photo.images import write_image
from vsrcli.media.write.assemble import assemble
from vsrcli.media.write.codecs import choose_settings
from vsrcli.media.write.encode import SegmentWriter
from vsrcli.media.write.encode_settings import EncodeSettings

WIPE_PERIOD = 8.0
"""Seconds in which a wipe's border moves there and back, slow enough to look at details."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Look:
    """The appearance of a comparison; see `side_by_side`."""

    labels: Sequence[str]
    mode: Mode = "side"
    zoom: Zoom | None = None

    def picture(self, frames: list[np.ndarray], *, sway: float | None = None) -> np.ndarray:
        """Return one picture of all frames."""
        return side_by_side(frames, list(self.labels), mode=self.mode, zoom=self.zoom, sway=sway)


def still(infos: Sequence[VideoInfo], output: Path, look: Look, *, at: float = 0.0) -> None:
    """Write the moment at `at` seconds as a picture, in square pixels.

    Raises UsageError if a video has ended before, or if they are shown in different shapes.
    """
    check_shapes(infos)
    size = largest(infos)
    begin = common_start(infos)
    if at and at < begin - 1 / float(infos[master(infos)].rate):
        raise UsageError(f"a part is among the videos: they have no moment before {begin:g} s in common")
    moment = next(aligned(infos, start=at), None)
    if moment is None:
        raise UsageError(f"not all of the videos last {at:g} s")
    write_image(output, look.picture([fitted(frame, *size) for frame in moment.frames]))


def film(
    infos: Sequence[VideoInfo],
    output: Path,
    look: Look,
    *,
    warn: Say,
    on_frame: Callable[[int], None],
    reference: VideoInfo | None = None,
    quality: Quality | None = None,
) -> int:
    """Write all moments as a video with the master's timestamps, sound and subtitles; return the number of frames.

    A wipe's borders move slowly from side to side. With `reference` the figures of each moment are added to `quality`.
    Pixels are square. Raises UsageError if the videos are shown in different shapes.
    """
    check_shapes(infos)
    if reference:
        check_reference(infos, reference)
    size = largest(infos)
    lead = infos[master(infos)]
    stamps: list[int] = []
    with ExitStack() as stack:
        segment = _scratch(output, stack) / "film"
        writer: SegmentWriter | None = None
        shown, settings = lead, None
        for moment in aligned([*infos, *([reference] if reference else [])]):
            frames = moment.frames[: len(infos)]
            sway = _sway(moment.seconds) if look.mode == "wipe" else None
            picture = look.picture([fitted(frame, *size) for frame in frames], sway=sway)
            if writer is None:
                shown, settings = _output(lead, output, picture)
                writer = stack.enter_context(SegmentWriter(segment, shown, settings))
            writer.write(Frame(len(stamps), picture, moment.pts, moment.duration))
            stamps.append(moment.pts)
            if reference and quality:
                quality.add(frames, moment.frames[-1])
            on_frame(len(stamps))
        if writer is None or settings is None:
            raise UsageError("the videos have no moment in common")
        writer.close()
        cut = lead.frames is not None and len(stamps) < lead.frames - 1  # some containers only estimate the number
        begin, end = _span(lead, infos, stamps, cut=cut)
        assemble([segment], shown, settings, output, pts=stamps, warn=warn, start=begin, end=end)
    if begin is not None:
        line = f"a part is among the videos: the comparison begins at {begin:.2f} s and has {len(stamps)} frames"
        warn(Remark(line))
    elif cut:
        warn(f"the shortest video ends the comparison after {len(stamps)} frames")
    return len(stamps)


def _span(
    lead: VideoInfo, infos: Sequence[VideoInfo], stamps: Sequence[int], *, cut: bool
) -> tuple[float | None, float | None]:
    """Return from when to when the master's sound goes along; None: from its start, to its end.

    It begins later if the comparison begins in its middle, and ends earlier if that is `cut` by a shorter video.
    """
    is_part = common_start(infos) > 1 / lead.rate
    begin, end = (float(pts * lead.time_base) - lead.start_time for pts in (stamps[0], stamps[-1]))
    return begin if is_part else None, end + 1 / float(lead.rate) if is_part or cut else None


def _scratch(output: Path, stack: ExitStack) -> Path:
    try:
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".vsr-compare-", dir=output.parent)))
    except OSError as error:
        raise unwritable(output, error) from None


def _sway(seconds: float) -> float:
    return math.sin(2 * math.pi * seconds / WIPE_PERIOD)


def _output(lead: VideoInfo, output: Path, picture: np.ndarray) -> tuple[VideoInfo, EncodeSettings]:
    """Return the master's info with the comparison's size, upright and square, as 8-bit 4:2:0 that plays everywhere."""
    height, width = picture.shape[:2]
    upright = replace(lead, width=width, height=height, rotation=None, sample_aspect_ratio=Fraction(1))
    shown = replace(upright, pix_fmt="yuv420p", bit_depth=8, interlaced=False)
    return shown, choose_settings(shown, output, width=width, height=height)
