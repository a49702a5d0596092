"""Frames of an evaluation clip in pairs of HR and LR, one at a time."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from vsrcli.errors import InputError, Reason, UsageError
from vsrcli.evaluate.datasets import Clip, find_clips
from vsrcli.levels import picture_to_unit, to_levels, unit_to_picture
from vsrcli.media.photo.images import read_image
from vsrcli.media.read.decode import decode
from vsrcli.media.read.probe import probe
from vsrcli.media.strength.compress import compressed
from vsrcli.quality.degrade import bd, bi, crop_to_multiple

Degradation = Literal["bi", "bd", "none"]


X264 = {"preset": "medium", "g": "250", "bf": "3"}
"""How LR frames are compressed, beside the CRF: x264's own defaults, as libavcodec calls them."""


@dataclass(frozen=True, eq=False)
class Pair:
    """One frame: ground truth `hr` uint8 (3, scale*h, scale*w), and `lr` float32 (3, h, w) in [0, 1]."""

    name: str
    hr: Tensor
    lr: Tensor


def choose_clips(root: Path, names: Sequence[str] | None = None) -> list[Clip]:
    """Return the clips under `root`, or those of them called `names`. Raises InputError or UsageError."""
    clips = find_clips(root)
    if names is None:
        return clips
    unknown = set(names) - {c.name for c in clips}
    if unknown:
        there = ", ".join(c.name for c in clips[:20]) + (", ..." if len(clips) > 20 else "")
        raise UsageError(f"{root} has no clip called {', '.join(sorted(unknown))}: there is {there}")
    return [c for c in clips if c.name in names]


def length(clip: Clip, limit: int | None = None) -> int | None:
    """Return the number of frames that `pairs` will yield, or None if it is not known beforehand."""
    count = probe(clip.hr[0]).frames if clip.is_video else len(clip.hr)
    return min(count, limit) if count is not None and limit is not None else count


def total_length(clips: Sequence[Clip], limit: int | None = None) -> int | None:
    """Return the number of frames of all clips together, at most `limit` of each, or None if it is not known."""
    counts = [length(clip, limit) for clip in clips]
    return None if None in counts else sum(count for count in counts if count is not None)


def pairs(
    clip: Clip,
    degradation: Degradation,
    scale: int,
    *,
    limit: int | None = None,
    noise: float = 0.0,
    crf: int | None = None,
) -> Iterator[Pair]:
    """Yield the clip's frames in order, at most `limit`.

    The LR frames get Gaussian `noise` of that many levels, the same in red, green and blue and in every call, and with
    a `crf` they are then compressed by x264.

    HR is cropped at the right and bottom to a multiple of the scale, and both sides are 8-bit, as in the published
    protocol. The degradation "none" takes the clip's own LR frames unchanged. Raises InputError if HR and LR do not
    fit, and UsageError if LR frames to compress have odd sides.
    """
    plain = partial(_noisy, partial(_pairs, clip, degradation, scale, limit), noise)
    if crf is None:
        yield from plain()
        return
    pictures = compressed((unit_to_picture(pair.lr) for pair in plain()), "libx264", X264 | {"crf": str(crf)})
    for pair, picture in zip(plain(), pictures, strict=True):
        yield replace(pair, lr=picture_to_unit(picture))


def _noisy(source: Callable[[], Iterator[Pair]], sigma: float) -> Iterator[Pair]:
    for number, pair in enumerate(source()):
        if not sigma:
            yield pair
            continue
        chance = torch.Generator().manual_seed(number)
        noise = torch.randn((1, *pair.lr.shape[-2:]), generator=chance) * (sigma / 255)
        yield replace(pair, lr=to_levels(pair.lr + noise).float() / 255)


def _pairs(clip: Clip, degradation: Degradation, scale: int, limit: int | None) -> Iterator[Pair]:
    if degradation == "none":
        if clip.lr is None:
            raise InputError(
                f"{clip.name}: has no LR frames (expected as GT/{clip.name}/*.png with LR/{clip.name}/*.png, or "
                f"{clip.name}/GT/*.png with {clip.name}/LR/*.png)",
                Reason.NO_LR_FRAMES,
            )
        both = zip(read_images(clip.hr), read_images(clip.lr), strict=False)
        for name, hr, lr in itertools.islice(((n, a, b) for (n, a), (_, b) in both), limit):
            yield Pair(name, _cut(clip, hr, lr, scale), lr)
        return
    degrade = {"bi": bi, "bd": bd}[degradation]
    for name, frame in itertools.islice(_frames(clip), limit):
        hr = crop_to_multiple(frame, scale)
        yield Pair(name, to_levels(hr), degrade(hr, scale))


def _cut(clip: Clip, hr: Tensor, lr: Tensor, scale: int) -> Tensor:
    height, width = (side * scale for side in lr.shape[-2:])
    spare = (hr.shape[-2] - height, hr.shape[-1] - width)
    if not all(0 <= s < scale for s in spare):
        sizes = " and ".join(f"{x.shape[-1]}x{x.shape[-2]}" for x in (hr, lr))
        raise InputError(f"{clip.name}: HR and LR frames of {sizes} do not differ by x{scale}", Reason.WRONG_SCALE)
    return to_levels(hr[..., :height, :width])


def _frames(clip: Clip) -> Iterator[tuple[str, Tensor]]:
    if not clip.is_video:
        yield from read_images(clip.hr)
        return
    for frame in decode(probe(clip.hr[0])):
        yield f"{frame.number + 1:08d}", picture_to_unit(frame.data)


def read_images(paths: Sequence[Path]) -> Iterator[tuple[str, Tensor]]:
    """Yield the names of images, and the images (3, h, w) in [0, 1]. Raises InputError for one that cannot be read."""
    info = probe(paths[0])
    for path in paths:
        yield path.stem, picture_to_unit(read_image(path, info))
