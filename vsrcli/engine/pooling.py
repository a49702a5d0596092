"""Pooling and enlargement of frames (3, h, w) by shifted sums, several times as fast on a CPU as torch's operators."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def local_minimum(x: Tensor, size: int) -> Tensor:
    """Return the minimum of the `size` by `size` pixels around each; `size` is one more than a power of two."""
    for dim in (-1, -2):
        x = _slide(x, dim, size, torch.minimum, fill=float("inf"))
    return x


def local_mean(x: Tensor, reach: int) -> Tensor:
    """Return the mean of all pixels of the frame up to `reach`, a power of two, to each side of each pixel."""
    for dim in (-1, -2):
        x = _slide(x, dim, 2 * reach + 1, torch.add) / _inside(x.shape[dim], dim, reach, x.device)
    return x


def _inside(length: int, dim: int, reach: int, device: torch.device) -> Tensor:
    """Return the number of pixels within `reach` of each that lie inside, along dimension `dim` of (3, h, w)."""
    places = torch.arange(length, device=device)
    count = (places + reach).clamp(max=length - 1) - (places - reach).clamp(min=0) + 1
    return count if dim == -1 else count[:, None]


def _slide(x: Tensor, dim: int, size: int, join: Callable[[Tensor, Tensor], Tensor], *, fill: float = 0.0) -> Tensor:
    """Join the `size` pixels around each along a dimension of (3, h, w); `size` is one more than a power of two.

    The joined length doubles in each step.
    """
    reach, length = size // 2, x.shape[dim]
    padded = F.pad(x, (reach, reach) if dim == -1 else (0, 0, reach, reach), value=fill)
    out, width = padded, 1
    while width < size - 1:
        rest = out.shape[dim] - width
        out = join(out.narrow(dim, 0, rest), out.narrow(dim, width, rest))
        width *= 2
    return join(out.narrow(dim, 0, length), padded.narrow(dim, size - 1, length))


def enlarge_bilinear(x: Tensor, scale: int) -> Tensor:
    """Enlarge (3, h, w) bilinearly by a whole factor. `F.interpolate` takes twice as long on a CPU."""
    for dim in (-2, -1):
        first, last = x.narrow(dim, 0, 1), x.narrow(dim, x.shape[dim] - 1, 1)
        before = torch.cat([first, x.narrow(dim, 0, x.shape[dim] - 1)], dim)
        after = torch.cat([x.narrow(dim, 1, x.shape[dim] - 1), last], dim)
        places = [(phase + 0.5) / scale - 0.5 for phase in range(scale)]
        phases = [x.lerp(before, -place) if place < 0 else x.lerp(after, place) for place in places]
        x = torch.stack(phases, 2 if dim == -2 else 3).flatten(*((1, 2) if dim == -2 else (2, 3)))
    return x
