"""Videos side by side as a picture or a film with the first video's sound, and their quality frame by frame."""

import math
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from vsrcli.compare import Mode, Zoom, same_size, side_by_side
from vsrcli.errors import OutputError, UsageError
from vsrcli.evaluate.alignment import aligned, master
from vsrcli.files import write_whole
from vsrcli.frame import Frame
from vsrcli.levels import picture_to_unit
from vsrcli.media.assemble import assemble
from vsrcli.media.codecs import EncodeSettings, choose_settings
from vsrcli.media.encode import SegmentWriter
from vsrcli.media.images import write_image
from vsrcli.media.info import VideoInfo
from vsrcli.plot import Panel, Series, plot_picture, plot_svg
from vsrcli.quality.metrics import planes, psnr, ssim

WIPE_PERIOD = 8.0
"""Seconds in which a wipe's border goes there and back: slow enough to look at what it passes."""

CROPPED = 16
"""A result that lacks at most so many rows or columns of the reference was made from a cropped one."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Look:
    """How a comparison looks; see `side_by_side`."""

    labels: Sequence[str]
    mode: Mode = "side"
    zoom: Zoom | None = None

    def picture(self, frames: list[np.ndarray], *, sway: float | None = None) -> np.ndarray:
        """One picture of all frames."""
        return side_by_side(frames, list(self.labels), mode=self.mode, zoom=self.zoom, sway=sway)


@dataclass
class Quality:
    """PSNR (dB) and SSIM of the luma of each video in each frame, against a reference."""

    labels: Sequence[str]
    psnr: list[list[float]] = field(default_factory=list)
    ssim: list[list[float]] = field(default_factory=list)

    def add(self, frames: Sequence[np.ndarray], reference: np.ndarray) -> None:
        """One moment's figures; smaller frames are enlarged to the reference. Raises UsageError for larger ones."""
        pairs = [_matched(frame, reference) for frame in frames]
        both = [(_luma(frame), _luma(truth)) for frame, truth in pairs]
        self.psnr.append([float(psnr(a, b)) for a, b in both])
        self.ssim.append([float(ssim(a, b)) for a, b in both])

    def panels(self) -> list[Panel]:
        """What to plot."""
        return [
            Panel(title, [Series(n, [row[i] for row in rows]) for i, n in enumerate(self.labels)], digits=digits)
            for title, rows, digits in (("PSNR-Y (dB)", self.psnr, 2), ("SSIM-Y", self.ssim, 4))
        ]

    def save(self, path: Path) -> None:
        """Write the plot as .svg or .png."""
        if path.suffix.lower() != ".svg":
            write_image(path, plot_picture(self.panels()))
            return
        try:
            write_whole(path, plot_svg(self.panels()).encode())
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror}") from None


def still(infos: Sequence[VideoInfo], output: Path, look: Look, *, at: float = 0.0) -> None:
    """Write the moment `at` seconds as a picture. Raises UsageError where a video is over by then."""
    moment = next(aligned(infos, start=at), None)
    if moment is None:
        raise UsageError(f"not all of the videos last {at:g} s")
    write_image(output, look.picture(moment.frames))


def measure(
    infos: Sequence[VideoInfo], reference: VideoInfo, quality: Quality, on_frame: Callable[[int], None]
) -> None:
    """Add every moment's figures to `quality`."""
    for count, moment in enumerate(aligned([*infos, reference]), 1):
        quality.add(moment.frames[:-1], moment.frames[-1])
        on_frame(count)


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
    """Write all moments as a video with the master's timestamps, sound and subtitles; the number of frames.

    A wipe's borders move slowly to and fro. With `reference` the figures of each moment go to `quality`.
    """
    lead = infos[master(infos)]
    stamps: list[int] = []
    with ExitStack() as stack:
        segment = _scratch(output, stack) / "film"
        writer: SegmentWriter | None = None
        shown, settings = lead, None
        for moment in aligned([*infos, *([reference] if reference else [])]):
            frames = moment.frames[: len(infos)]
            picture = look.picture(frames, sway=_sway(moment.seconds) if look.mode == "wipe" else None)
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
        assemble([segment], shown, settings, output, pts=stamps, warn=warn)
    if lead.frames is not None and len(stamps) < lead.frames - 1:  # some containers only estimate the number
        warn(f"the shortest video ends the comparison after {len(stamps)} frames")
    return len(stamps)


def _scratch(output: Path, stack: ExitStack) -> Path:
    try:
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=".vsr-compare-", dir=output.parent)))
    except OSError as error:
        raise OutputError(f"cannot write {output}: {error.strerror}") from None


def _sway(seconds: float) -> float:
    return math.sin(2 * math.pi * seconds / WIPE_PERIOD)


def _output(lead: VideoInfo, output: Path, picture: np.ndarray) -> tuple[VideoInfo, EncodeSettings]:
    """The master as if it had the comparison's size, upright, and plain 8-bit 4:2:0 that plays everywhere."""
    height, width = picture.shape[:2]
    shown = replace(lead, width=width, height=height, rotation=None, pix_fmt="yuv420p", bit_depth=8, interlaced=False)
    return shown, choose_settings(shown, output, width=width, height=height)


def _matched(frame: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The frame in the reference's size, and the part of the reference that it shows."""
    (height, width), (h, w) = reference.shape[:2], frame.shape[:2]
    if h > height or w > width:
        raise UsageError(f"the reference of {width}x{height} is smaller than a video of {w}x{h}")
    if height - h < CROPPED and width - w < CROPPED:
        return frame, reference[:h, :w]
    enlarged, _ = same_size([frame, reference])
    return enlarged, reference


def _luma(frame: np.ndarray) -> torch.Tensor:
    return planes(picture_to_unit(frame))
