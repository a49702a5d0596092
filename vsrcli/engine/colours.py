"""Keep the source's colours: a net should add detail without changing local means.

Nets shift colours: half a level for the official REDS weights on saturated red, one level and more for nets that were
trained with a GAN or through an imprecise conversion. The result's means over areas of `REACH` pixels are set to those
of the source. Detail has no mean over such an area, so it is not changed.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from vsrcli.nets.layers import luma

REACH = 8
"""LR pixels on each side over which the source's mean is kept."""

LEAST = 0.05 / 255
"""Largest shift that is not corrected: a twentieth of a level."""

ROUNDS = 2
"""Largest number of corrections. One is enough except near black, white and pure colours, where clamping undoes a part
of it."""

_HALF_LEVEL = 0.5 / 65535  # of 16 bits: nearly black in a source of high bit depth is not black
_AROUND = 5


def keep_colours(hr: Tensor, lr: Tensor) -> Tensor:
    """Return the HR frame (3, s*h, s*w) with the local means of the LR frame (3, h, w), both in [0, 1].

    Where a channel is black or saturated in all of 5x5 LR pixels, it is so in each HR pixel too: black bars stay black.
    A grey frame stays grey.
    """
    if torch.equal(lr[0], lr[1]) and torch.equal(lr[1], lr[2]):
        hr = luma(hr).expand(3, -1, -1)
    for _ in range(ROUNDS):
        shift = _local_shift(hr, lr)
        if shift.abs().max() < LEAST:
            break
        hr = hr + F.interpolate(shift[None], size=hr.shape[-2:], mode="bilinear", align_corners=False)[0]
    full, black = _lowest(lr) > 1 - _HALF_LEVEL, -_lowest(-lr) < _HALF_LEVEL
    ends = full | black
    if not ends.any():
        return hr
    scale = hr.shape[-1] // lr.shape[-1]
    ends, full = (mask.repeat_interleave(scale, -2).repeat_interleave(scale, -1) for mask in (ends, full))
    return torch.where(ends, full.to(hr.dtype), hr)


def _lowest(x: Tensor) -> Tensor:
    """Return the minimum around each pixel of (3, h, w)."""
    return -F.max_pool2d(-x, _AROUND, 1, _AROUND // 2)


def _local_shift(hr: Tensor, lr: Tensor) -> Tensor:
    """Return the LR frame minus the local means of the clamped HR frame (3, h, w), smoothed."""
    shift = lr - F.avg_pool2d(hr.clamp(0, 1), hr.shape[-1] // lr.shape[-1])
    size = 2 * REACH + 1
    # a box twice is near a Gaussian; at borders only what is inside the frame counts
    for kernel in 2 * ((1, size), (size, 1)):
        shift = F.avg_pool2d(shift, kernel, 1, (kernel[0] // 2, kernel[1] // 2), count_include_pad=False)
    return shift
