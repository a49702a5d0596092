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

_HALF_LEVEL = 0.5 / 65535  # half a 16-bit level, so that nearly black in a source of high bit depth is not black
_AROUND = 5
_STRIP_PIXELS = 16 * 1024  # LR pixels
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
    if wait:
        return _kept_by_strips(hr, lr, scale)
    for _ in range(ROUNDS):
        shift = _local_shift(hr, lr)
        little = shift.abs().max() < LEAST
        hr = hr + enlarge_bilinear(shift.masked_fill(little, 0.0), scale)
    ends, full = (_spread(mask, scale) for mask in _ends(lr))
    return torch.where(ends, full.to(hr.dtype), hr)


def _kept_by_strips(hr: Tensor, lr: Tensor, scale: int) -> Tensor:
    """Return the same as `keep_colours`, a few rows at once: one HR frame is allocated instead of four."""
    own = None
    h, rows = lr.shape[-2], max(1, _STRIP_PIXELS // lr.shape[-1])
    strips = [(first, min(h, first + rows)) for first in range(0, h, rows)]
    for _ in range(ROUNDS):
        cells = torch.cat([_cells(hr[:, a * scale : b * scale], scale) for a, b in strips], 1)
        shift = _smoothed(lr - cells / scale**2)
        if shift.abs().max() < LEAST:
            break
        before, own = hr, torch.empty_like(hr) if own is None else own
        for a, b in strips:
            first = max(0, a - 1)  # rows beside the strip change its borders
            part = enlarge_bilinear(shift[:, first : b + 1], scale)[:, (a - first) * scale : (b - first) * scale]
            torch.add(before[:, a * scale : b * scale], part, out=own[:, a * scale : b * scale])
        hr = own
    ends, full = _ends(lr)
    if not ends.any():
        return hr
    own = hr.clone() if own is None else own
    for a, b in strips:
        place, value = (_spread(mask[:, a:b], scale) for mask in (ends, full))
        strip = own[:, a * scale : b * scale]
        torch.where(place, value.to(hr.dtype), strip, out=strip)
    return own


def _ends(lr: Tensor) -> tuple[Tensor, Tensor]:
    """Return where a channel is black or saturated in all of 5x5 pixels of (3, h, w), and where it is saturated."""
    full, black = local_minimum(lr, _AROUND) > 1 - _HALF_LEVEL, -local_minimum(-lr, _AROUND) < _HALF_LEVEL
    return full | black, full


def _spread(mask: Tensor, scale: int) -> Tensor:
    return mask.repeat_interleave(scale, -2).repeat_interleave(scale, -1)


def is_grey(picture: np.ndarray) -> bool:
    """Return whether a picture (h, w, 3) is grey. A sample of its rows usually shows that it is not."""
    return all(
        np.array_equal(rows[..., 0], rows[..., 1]) and np.array_equal(rows[..., 1], rows[..., 2])
        for rows in (picture[::_SAMPLED], picture)
    )


def _local_shift(hr: Tensor, lr: Tensor) -> Tensor:
    """Return the LR frame minus the local means of the clamped HR frame (3, h, w), smoothed."""
    scale = hr.shape[-1] // lr.shape[-1]
    return _smoothed(lr - _cells(hr, scale) / scale**2)


def _cells(hr: Tensor, scale: int) -> Tensor:
    """Return the sums of the clamped HR frame (3, s*h, s*w) over the pixels of each LR pixel."""
    cells = hr.clamp(0, 1).unflatten(-2, (-1, scale)).sum(2).unflatten(-1, (-1, scale))
    sums: Tensor = cells.sum(-1)
    return sums


def _smoothed(shift: Tensor) -> Tensor:
    """Return (3, h, w) smoothed over `REACH` pixels on each side. A box applied twice is near a Gaussian."""
    return local_mean(local_mean(shift, REACH), REACH)
