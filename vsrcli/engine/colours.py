"""Keep the source's colours: what a net adds is detail, and its mean must not be.

Nets shift colours: half a level for the official REDS weights on saturated red, one level and more for nets that were
trained with a GAN or through a careless conversion. Over areas of `REACH` pixels the result is brought back to the
source's mean. Detail is left alone, since it has none over such an area.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from vsrcli.nets.layers import luma

REACH = 8
"""LR pixels on each side over which the source's mean is kept."""

LEAST = 0.05 / 255
"""Errors that are not worth the time to take away: a twentieth of a level."""

ROUNDS = 2
"""At the most. One is enough but near black, white and pure colours, where clamping takes a part of it away again."""

_HALF_LEVEL = 0.5 / 65535  # of 16 bits: what is nearly black in a deep source is not black
_AROUND = 5


def keep_colours(hr: Tensor, lr: Tensor) -> Tensor:
    """Return an HR frame (3, s*h, s*w) whose local means are those of the LR frame (3, h, w), both in [0, 1].

    Where a channel is black or full in all of 5x5 LR pixels, it stays so in each HR pixel: black bars stay black. A
    frame without any colour stays without.
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
    """Return the least value around each pixel of (3, h, w)."""
    return -F.max_pool2d(-x, _AROUND, 1, _AROUND // 2)


def _local_shift(hr: Tensor, lr: Tensor) -> Tensor:
    """Return how much the clamped HR frame lacks to the local means of the LR frame (3, h, w), at its size."""
    shift = lr - F.avg_pool2d(hr.clamp(0, 1), hr.shape[-1] // lr.shape[-1])
    size = 2 * REACH + 1
    # a box twice is near a Gaussian; at borders only what is inside the frame counts
    for kernel in 2 * ((1, size), (size, 1)):
        shift = F.avg_pool2d(shift, kernel, 1, (kernel[0] // 2, kernel[1] // 2), count_include_pad=False)
    return shift
