"""Flow refined where the picture has texture, by least squares and without a parameter (Lucas-Kanade).

A small net finds motion to a fifth of a pixel; at four times the resolution that is nearly a whole one, and blurs what
the past brings. What is left over is small enough to be linear: in a neighbourhood where frame - warped neighbour =
gradient . step + offset, the step is the least-squares solution of two unknowns (Lucas and Kanade 1981; Gauss-Newton).
The offset takes up a change of brightness, so that fades and flicker move nothing. Where there is no texture the
damping keeps the step at zero, and the net's flow stands.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from vsrcli.nets.layers import double, flow_warp, luma

DAMPING = 1e-3
"""Added to the gradient's variance, frames in [0, 1]: what noise of 16 of 255 levels in both would bring there."""

LONGEST = 1.0
"""Pixels that one step may go: beyond, linear is no longer true."""


def refined(frame: Tensor, neighbour: Tensor, flow: Tensor, steps: int) -> Tensor:
    """`flow` from `frame` to `neighbour` (n, 3, h, w), given and returned at half their resolution and in its pixels,
    (n, 2, ceil(h/2), ceil(w/2)).

    Differences and gradients are taken at the frames' resolution; neighbourhoods of ten of its pixels are summed up at
    half of it.
    """
    own, other = luma(frame), luma(neighbour)
    h, w = own.shape[-2:]
    own_x, own_y = gradient(own)
    for _ in range(steps):
        warped = flow_warp(other, doubled(flow)[..., :h, :w], padding="border", mode="bicubic")
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
    """Central differences along x and y, replicated at the border: two tensors of the shape of `x` (n, c, h, w)."""
    p = F.pad(x, (1,) * 4, mode="replicate")
    return (p[..., 1:-1, 2:] - p[..., 1:-1, :-2]) / 2, (p[..., 2:, 1:-1] - p[..., :-2, 1:-1]) / 2


def neighbourhood(x: Tensor) -> Tensor:
    """Means over about ten pixels, nearer ones weighing more: (n, c, h, w) -> (n, c, ceil(h/2), ceil(w/2))."""
    x = F.avg_pool2d(x, 2, ceil_mode=True)
    for _ in range(2):
        x = F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    return x


def doubled(flow: Tensor) -> Tensor:
    """Flow (n, 2, h, w) at twice the resolution, in its pixels: (n, 2, 2h, 2w)."""
    return 2 * double(flow)
