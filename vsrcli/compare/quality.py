"""Measure videos against a reference, frame by frame, and plot the figures."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from vsrcli.compare.align import aligned
from vsrcli.compare.picture import fitted
from vsrcli.compare.plot import Panel, Series
from vsrcli.compare.plot_file import save
from vsrcli.compare.shapes import check_shapes
from vsrcli.errors import UsageError
from vsrcli.levels import picture_to_unit
from vsrcli.media.info import VideoInfo
from vsrcli.quality.metrics import planes, psnr, ssim

CROPPED = 16
"""A result that lacks fewer rows and columns of the reference than this counts as made from a cropped source."""


@dataclass
class Quality:
    """PSNR (dB) and SSIM of the luma of each video in each frame, against a reference."""

    labels: Sequence[str]
    psnr: list[list[float]] = field(default_factory=list)
    ssim: list[list[float]] = field(default_factory=list)

    def add(self, frames: Sequence[np.ndarray], reference: np.ndarray) -> None:
        """Add the figures of one moment; smaller frames are enlarged. Raises UsageError for larger ones."""
        pairs = [_matched(frame, reference) for frame in frames]
        both = [(_luma(frame), _luma(truth)) for frame, truth in pairs]
        self.psnr.append([float(psnr(a, b)) for a, b in both])
        self.ssim.append([float(ssim(a, b)) for a, b in both])

    def panels(self) -> list[Panel]:
        """Return the panels of the plot."""
        return [
            Panel(title, [Series(n, [row[i] for row in rows]) for i, n in enumerate(self.labels)], digits=digits)
            for title, rows, digits in (("PSNR-Y (dB)", self.psnr, 2), ("SSIM-Y", self.ssim, 4))
        ]

    def save(self, path: Path) -> None:
        """Write the plot as .svg or .png."""
        save(self.panels(), path)


def measure_quality(
    infos: Sequence[VideoInfo], reference: VideoInfo, quality: Quality, on_frame: Callable[[int], None]
) -> None:
    """Add the figures of every moment to `quality`. Raises UsageError if a video is shown in another shape."""
    check_reference(infos, reference)
    for count, moment in enumerate(aligned([*infos, reference]), 1):
        quality.add(moment.frames[:-1], moment.frames[-1])
        on_frame(count)


def check_reference(infos: Sequence[VideoInfo], reference: VideoInfo) -> None:
    """Raise UsageError if a video is shown in another shape than the reference and is no part of it."""
    for info in infos:
        if not _is_part((info.height, info.width), (reference.height, reference.width)):
            check_shapes([info, reference])


def _is_part(size: tuple[int, int], whole: tuple[int, int]) -> bool:
    return all(0 <= b - a < CROPPED for a, b in zip(size, whole, strict=True))


def _matched(frame: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the frame in the reference's size, and the part of the reference that it shows."""
    (height, width), (h, w) = reference.shape[:2], frame.shape[:2]
    if h > height or w > width:
        raise UsageError(f"the reference of {width}x{height} is smaller than a video of {w}x{h}")
    if _is_part((h, w), (height, width)):
        return frame, reference[:h, :w]
    return fitted(frame, width, height), reference


def _luma(frame: np.ndarray) -> torch.Tensor:
    return planes(picture_to_unit(frame))
