"""Keep the source's colours: a net should add detail without changing local means.

Nets shift colours: half a level for the official REDS weights on saturated red, one level and more for nets that were
trained with a GAN or through an imprecise conversion. The result's means over areas of `REACH` pixels are set to those
of the source. Detail has no mean over such an area, so it is not changed.
"""

from collections.abc import Callable

import numpy as np
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
        hr = hr + _enlarged(shift if wait else shift.masked_fill(little, 0.0), scale)
    full, black = _lowest(lr) > 1 - _HALF_LEVEL, -_lowest(-lr) < _HALF_LEVEL
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
    """Return the LR frame minus the local means of the clamped HR frame (3, h, w), smoothed."""
    _, h, w = lr.shape
    cells = hr.clamp(0, 1).unflatten(-2, (h, -1)).sum(2).unflatten(-1, (w, -1))
    shift: Tensor = lr - cells.sum(-1) / (hr.shape[-2] // h * (hr.shape[-1] // w))
    # a box twice is near a Gaussian; at borders only what is inside the frame counts
    for dim in 2 * (-1, -2):
        shift = _slide(shift, dim, 2 * REACH + 1, torch.add) / _inside(shift.shape[dim], dim, shift.device)
    return shift


def _inside(length: int, dim: int, device: torch.device) -> Tensor:
    """Return the number of pixels within `REACH` of each that are inside, along dimension `dim` of (3, h, w)."""
    places = torch.arange(length, device=device)
    count = (places + REACH).clamp(max=length - 1) - (places - REACH).clamp(min=0) + 1
    return count if dim == -1 else count[:, None]


def _lowest(x: Tensor) -> Tensor:
    """Return the minimum around each pixel of (3, h, w)."""
    for dim in (-1, -2):
        x = _slide(x, dim, _AROUND, torch.minimum, fill=float("inf"))
    return x


def _slide(x: Tensor, dim: int, size: int, join: Callable[[Tensor, Tensor], Tensor], *, fill: float = 0.0) -> Tensor:
    """Join the `size` pixels around each along a dimension of (3, h, w); `size` is one more than a power of two.

    The joined length doubles in each step. Pooling takes several times as long on a CPU.
    """
    reach, length = size // 2, x.shape[dim]
    padded = F.pad(x, (reach, reach) if dim == -1 else (0, 0, reach, reach), value=fill)
    out, width = padded, 1
    while width < size - 1:
        rest = out.shape[dim] - width
        out = join(out.narrow(dim, 0, rest), out.narrow(dim, width, rest))
        width *= 2
    return join(out.narrow(dim, 0, length), padded.narrow(dim, size - 1, length))


def _enlarged(x: Tensor, scale: int) -> Tensor:
    """Enlarge (3, h, w) bilinearly. `F.interpolate` takes twice as long on a CPU."""
    for dim in (-2, -1):
        first, last = x.narrow(dim, 0, 1), x.narrow(dim, x.shape[dim] - 1, 1)
        before = torch.cat([first, x.narrow(dim, 0, x.shape[dim] - 1)], dim)
        after = torch.cat([x.narrow(dim, 1, x.shape[dim] - 1), last], dim)
        places = [(phase + 0.5) / scale - 0.5 for phase in range(scale)]
        phases = [x.lerp(before, -place) if place < 0 else x.lerp(after, place) for place in places]
        x = torch.stack(phases, 2 if dim == -2 else 3).flatten(*((1, 2) if dim == -2 else (2, 3)))
    return x
