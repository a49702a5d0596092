"""Keep the source's colours: a net should add detail without changing local means.

Nets shift colours: half a level for the official REDS weights on saturated red, one level and more for nets that were
trained with a GAN or through an imprecise conversion. The result's means over areas of `REACH` pixels are set to those
of the source. Detail has no mean over such an area, so it is not changed.
"""

import numpy as np
import torch
from torch import Tensor

from vsrcli.engine.pooling import enlarge_bilinear, local_mean, local_minimum
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
_SAMPLED = 64


def keep_colours(hr: Tensor, lr: Tensor, *, grey: bool | None = None, wait: bool | None = None) -> Tensor:
    """Return the HR frame (3, s*h, s*w) with the local means of the LR frame (3, h, w), both in [0, 1].

    Where a channel is black or saturated in all of 5x5 LR pixels, it is so in each HR pixel too: black bars stay black.
    A grey frame stays grey; `grey` says whether it is one, if that is known. With `wait`, the default on CPUs alone,
    results of the device decide which steps are run; without, all steps are queued. Both give the same result.
    """
    wait = hr.device.type == "cpu" if wait is None else wait
    if torch.equal(lr[0], lr[1]) and torch.equal(lr[1], lr[2]) if grey is None else grey:
        hr = luma(hr).expand(3, -1, -1)
    hr = hr.contiguous()
    scale = hr.shape[-1] // lr.shape[-1]
    for _ in range(ROUNDS):
        shift = _local_shift(hr, lr)
        little = shift.abs().max() < LEAST
        if wait and little:
            break
        hr = hr + enlarge_bilinear(shift if wait else shift.masked_fill(little, 0.0), scale)
    full, black = local_minimum(lr, _AROUND) > 1 - _HALF_LEVEL, -local_minimum(-lr, _AROUND) < _HALF_LEVEL
    ends = full | black
    if wait and not ends.any():
        return hr
    ends, full = (mask.repeat_interleave(scale, -2).repeat_interleave(scale, -1) for mask in (ends, full))
    return torch.where(ends, full.to(hr.dtype), hr)


def is_grey(picture: np.ndarray) -> bool:
    """Return whether a picture (h, w, 3) is grey. A sample of its rows usually shows that it is not."""
    return all(
        np.array_equal(rows[..., 0], rows[..., 1]) and np.array_equal(rows[..., 1], rows[..., 2])
        for rows in (picture[::_SAMPLED], picture)
    )


def _local_shift(hr: Tensor, lr: Tensor) -> Tensor:
    """Return the LR frame minus the local means of the clamped HR frame (3, h, w), smoothed.

    A box applied twice is near a Gaussian.
    """
    _, h, w = lr.shape
    cells = hr.clamp(0, 1).unflatten(-2, (h, -1)).sum(2).unflatten(-1, (w, -1))
    shift: Tensor = lr - cells.sum(-1) / (hr.shape[-2] // h * (hr.shape[-1] // w))
    return local_mean(local_mean(shift, REACH), REACH)
