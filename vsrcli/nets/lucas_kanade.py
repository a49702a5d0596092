"""Refinement of flow by least squares where the picture has texture, without parameters (Lucas-Kanade).

A small net estimates motion to a fifth of a pixel. At four times the resolution that is nearly a whole pixel, and blurs
what is propagated. The remaining error is small enough for a linear model: in a neighbourhood where frame - warped
neighbour = gradient . step + offset, the step is the least-squares solution of two unknowns (Lucas and Kanade 1981;
Gauss-Newton). The offset absorbs a change of brightness, so that fades and flicker cause no motion. Where there is no
texture, the damping keeps the step at zero and the net's flow is unchanged.
"""

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
        x = F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    return x


def upsample_flow(flow: Tensor) -> Tensor:
    """Return a flow (n, 2, h, w) at twice the resolution and in its pixels: (n, 2, 2*h, 2*w)."""
    return 2 * upsample_by_2(flow)
