"""Full-reference metrics of frames: PSNR, SSIM and MSE on luma or RGB, by the papers' conventions.

`planes` converts frames (..., 3, h, w) in [0, 1] to planes (..., c, h, w) in 0..255. The metrics take two of these and
return one value a frame (...). All compute in float64 where the device supports it.
"""

import math
from typing import Literal

import torch
from torch import Tensor

from vsrcli.errors import UsageError

Channels = Literal["y", "rgb"]

SSIM_SIGMA = 1.5  # Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity"
SSIM_WINDOW = 11


def _double(x: Tensor) -> Tensor:
    return x.float() if x.device.type == "mps" else x.double()


def rgb_to_y(frames: Tensor) -> Tensor:
    """Convert (..., 3, h, w) in [0, 1] to BT.601 studio-range luma (..., 1, h, w) in 16..235, not rounded.

    This is MATLAB's rgb2ycbcr on doubles, as in all VSR papers: 65.481 R + 128.553 G + 24.966 B + 16.
    """
    r, g, b = torch.split(_double(frames), 1, -3)
    return 65.481 * r + 128.553 * g + 24.966 * b + 16


def planes(frames: Tensor, channels: Channels = "y") -> Tensor:
    """Round frames (..., 3, h, w) in [0, 1] to 8 bits, as a written image is, and return them as planes in 0..255.

    "y" gives luma (..., 1, h, w), "rgb" the frames themselves (..., 3, h, w).
    """
    levels = (_double(frames) * 255).round_().clamp_(0, 255)
    return rgb_to_y(levels / 255) if channels == "y" else levels


def without_border(planes: Tensor, border: int) -> Tensor:
    """Return planes (..., h, w) without `border` pixels at each side.

    Raises UsageError if less than SSIM_WINDOW pixels a side are left, which `ssim` needs.
    """
    h, w = planes.shape[-2:]
    if min(h, w) - 2 * border < SSIM_WINDOW:
        raise UsageError(
            f"{w}x{h} without {border} pixels at each border is too small for SSIM's {SSIM_WINDOW}x{SSIM_WINDOW}"
        )
    return planes[..., border : h - border, border : w - border]


def mse(a: Tensor, b: Tensor) -> Tensor:
    """Return the mean squared error of planes (..., c, h, w) in 0..255 over c, h and w: (...)."""
    return (_double(a) - _double(b)).square().mean((-3, -2, -1))


def psnr(a: Tensor, b: Tensor) -> Tensor:
    """Return the peak signal-to-noise ratio in dB (peak 255) of planes (..., c, h, w): (...).

    It is infinite if they are equal.
    """
    return 10 * torch.log10(255**2 / mse(a, b))


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Return the structural similarity (Wang et al. 2004) of planes (..., c, h, w) in 0..255, averaged over planes.

    It follows the authors' MATLAB code without its downsampling, as VSR papers use it: 11x11 Gaussian window of sigma
    1.5, population moments, K1 = 0.01, K2 = 0.03, L = 255, mean over the valid region (frames of 11x11 or more).
    """
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    x, y = _double(a), _double(b)
    mu_x, mu_y, xx, yy, xy = (_blur(p) for p in (x, y, x * x, y * y, x * y))
    var_x, var_y, cov = xx - mu_x**2, yy - mu_y**2, xy - mu_x * mu_y
    index = (2 * mu_x * mu_y + c1) * (2 * cov + c2) / ((mu_x**2 + mu_y**2 + c1) * (var_x + var_y + c2))
    return index.mean((-3, -2, -1))


def _blur(x: Tensor) -> Tensor:
    """Filter (..., h, w) by the Gaussian where the whole window fits: (..., h - 10, w - 10)."""
    weights = [math.exp(-((i - SSIM_WINDOW // 2) ** 2) / (2 * SSIM_SIGMA**2)) for i in range(SSIM_WINDOW)]
    for axis in (-2, -1):
        # shifted sums: 12 times as fast on a CPU as conv2d in float64
        length = x.shape[axis] - SSIM_WINDOW + 1
        out = x.narrow(axis, 0, length) * (weights[0] / sum(weights))
        for i in range(1, SSIM_WINDOW):
            out.add_(x.narrow(axis, i, length), alpha=weights[i] / sum(weights))
        x = out
    return x
