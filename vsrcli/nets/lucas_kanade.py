"""Refinement of flow by least squares where the picture has texture, without parameters (Lucas-Kanade).

A small net estimates motion to a fifth of a pixel. At four times the resolution that is nearly a whole pixel, and blurs
what is propagated. The remaining error is small enough for a linear model: in a neighbourhood where frame - warped
neighbour = gradient . step + offset, the step is the least-squares solution of two unknowns (Lucas and Kanade 1981;
Gauss-Newton). The offset absorbs a change of brightness, so that fades and flicker cause no motion. Where there is no
texture, the damping keeps the step at zero and the net's flow is unchanged.
"""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from vsrcli.nets.layers import flow_warp, luma, upsample_by_2

DAMPING = 1e-3
"""Added to the variance of the gradient, for frames in [0, 1]: the variance that noise of 16 of 255 levels in both
frames would cause."""

LONGEST = 1.0
"""Longest step in pixels: the linear model does not hold beyond."""


def refine_flow(frame: Tensor, neighbour: Tensor, flow: Tensor, steps: int) -> Tensor:
    """Refine `flow` from `frame` to `neighbour` (n, 3, h, w) by `steps` Gauss-Newton steps.

    The flow is given and returned at half the frames' resolution and in its pixels: (n, 2, ceil(h/2), ceil(w/2)).
    Differences and gradients are computed at the frames' resolution; neighbourhoods of ten of its pixels are summed at
    half of it.
    """
    own, other = luma(frame), luma(neighbour)
    h, w = own.shape[-2:]
    own_x, own_y = gradient(own)
    for _ in range(steps):
        warped = flow_warp(other, upsample_flow(flow)[..., :h, :w], padding="border", mode="bicubic")
        x, y = gradient(warped)
        x, y, rest = (own_x + x) / 2, (own_y + y) / 2, own - warped
        products = torch.cat([x, y, rest, x * x, x * y, y * y, x * rest, y * rest], 1)
        mx, my, mr, xx, xy, yy, xr, yr = neighbourhood(products).split(1, 1)
        xx, xy, yy = xx - mx * mx + DAMPING, xy - mx * my, yy - my * my + DAMPING
        xr, yr = xr - mx * mr, yr - my * mr
        step = torch.cat([yy * xr - xy * yr, xx * yr - xy * xr], 1) / (xx * yy - xy * xy)
        flow = flow + step.clamp(-LONGEST, LONGEST) / 2
    return flow


def gradient(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the central differences of `x` (n, c, h, w) along x and along y, each of the same shape.

    The border is replicated.
    """
    p = F.pad(x, (1,) * 4, mode="replicate")
    return (p[..., 1:-1, 2:] - p[..., 1:-1, :-2]) / 2, (p[..., 2:, 1:-1] - p[..., :-2, 1:-1]) / 2


def neighbourhood(x: Tensor) -> Tensor:
    """Return weighted means over about ten pixels: (n, c, h, w) to (n, c, ceil(h/2), ceil(w/2)).

    Near pixels count more.
    """
    x = F.avg_pool2d(x, 2, ceil_mode=True)
    for _ in range(2):
        x = mean_of_3x3(x)
    return x


def mean_of_3x3(x: Tensor) -> Tensor:
    """Return the mean over each pixel of `x` (n, c, h, w) and its neighbours inside the frame.

    It equals `F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)` in an eighth of the time on a CPU.
    """
    rows = _sum_of_3(x, -1)
    return _sum_of_3(rows, -2) / _count_of_3x3(x.shape[-2], x.shape[-1], x.dtype, x.device)


def _sum_of_3(x: Tensor, dim: int) -> Tensor:
    """Return `x` plus its neighbours on both sides along `dim`."""
    length = x.shape[dim] - 1
    out = x.clone()
    out.narrow(dim, 1, length).add_(x.narrow(dim, 0, length))
    out.narrow(dim, 0, length).add_(x.narrow(dim, 1, length))
    return out


@lru_cache(maxsize=8)
@torch.inference_mode(False)
def _count_of_3x3(h: int, w: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return how many pixels of a 3x3 neighbourhood lie inside the frame, (h, w)."""
    return _sum_of_3(_sum_of_3(torch.ones(h, w, dtype=dtype), -1), -2).to(device)


def upsample_flow(flow: Tensor) -> Tensor:
    """Return a flow (n, 2, h, w) at twice the resolution and in its pixels: (n, 2, 2*h, 2*w)."""
    return 2 * upsample_by_2(flow)
