"""Keep the source's colours: what a net adds is detail, and its mean must not be.

Nets shift colours: half a level for the official REDS weights on saturated red, one level and more for nets that were
trained with a GAN or through a careless conversion. Over areas of `REACH` pixels the result is brought back to the
source's mean. Detail is left alone, since it has none over such an area.
"""

import torch.nn.functional as F
from torch import Tensor

REACH = 8
"""LR pixels on each side over which the source's mean is kept."""

LEAST = 0.02 / 255
"""Errors that are not worth the time to take away: a fiftieth of a level."""


def keep_colours(hr: Tensor, lr: Tensor) -> Tensor:
    """Return an HR frame (3, s*h, s*w) whose local means are those of the LR frame (3, h, w), both in [0, 1]."""
    scale = hr.shape[-1] // lr.shape[-1]
    shift = lr[None] - F.avg_pool2d(hr[None].clamp(0, 1), scale)
    size = 2 * REACH + 1
    # twice a box is near a Gaussian; borders count only what is inside the frame
    for _ in range(2):
        for kernel in ((1, size), (size, 1)):
            padding = (kernel[0] // 2, kernel[1] // 2)
            shift = F.avg_pool2d(shift, kernel, 1, padding, count_include_pad=False)
    if shift.abs().max() < LEAST:
        return hr
    return hr + F.interpolate(shift, size=hr.shape[-2:], mode="bilinear", align_corners=False)[0]
