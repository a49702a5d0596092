"""Full-reference quality of frames: PSNR, SSIM and MSE on luma or RGB, by the papers' conventions.

All take frames (..., 3, h, w) in [0, 1] or planes (..., h, w) in 0..255, compute in float64 where the device has it,
and return one value a frame.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

SSIM_SIGMA = 1.5  # Wang et al. 2004, "Image quality assessment: from error visibility to structural similarity"
SSIM_WINDOW = 11


def _double(x: Tensor) -> Tensor:
    return x.float() if x.device.type == "mps" else x.double()


def rgb_to_levels(frames: Tensor) -> Tensor:
    """(..., 3, h, w) in [0, 1] -> the same shape in 0..255, rounded to 8 bits as a written image would be."""
    return (_double(frames) * 255).round_().clamp_(0, 255)


def rgb_to_y(frames: Tensor) -> Tensor:
    """(..., 3, h, w) in [0, 1] -> BT.601 studio-swing luma (..., h, w) in 16..235, not rounded.

    MATLAB's rgb2ycbcr on doubles, as all VSR papers evaluate: 65.481 R + 128.553 G + 24.966 B + 16.
    """
    r, g, b = _double(frames).unbind(-3)
    return 65.481 * r + 128.553 * g + 24.966 * b + 16


def planes(frames: Tensor, channels: str = "y") -> Tensor:
    """8-bit-rounded frames (..., 3, h, w) in [0, 1] as the planes that metrics are taken on, in 0..255.

    "y" gives (..., 1, h, w), "rgb" (..., 3, h, w).
    """
    levels = rgb_to_levels(frames)
    return rgb_to_y(levels / 255).unsqueeze(-3) if channels == "y" else levels


def mse(a: Tensor, b: Tensor) -> Tensor:
    """Mean squared error of planes (..., c, h, w) in 0..255, over c, h and w: (...)."""
    return (_double(a) - _double(b)).square().mean((-3, -2, -1))


def psnr(a: Tensor, b: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB, peak 255, of planes (..., c, h, w): (...). Infinite where they are equal."""
    return 10 * torch.log10(255**2 / mse(a, b))


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Structural similarity (Wang et al. 2004) of planes (..., c, h, w) in 0..255, mean over planes: (...).

    The authors' MATLAB code without its downsampling, as VSR papers use it: 11x11 Gaussian window of sigma 1.5,
    population moments, K1 = 0.01, K2 = 0.03, L = 255, mean over the valid region (frames of 11x11 or more).
    """
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    shape = a.shape
    x, y = (_double(p).reshape(-1, 1, *shape[-2:]) for p in (a, b))
    mu_x, mu_y, xx, yy, xy = _blur(torch.cat((x, y, x * x, y * y, x * y), 1)).unbind(1)
    var_x, var_y, cov = xx - mu_x**2, yy - mu_y**2, xy - mu_x * mu_y
    index = (2 * mu_x * mu_y + c1) * (2 * cov + c2) / ((mu_x**2 + mu_y**2 + c1) * (var_x + var_y + c2))
    return index.mean((-2, -1)).reshape(shape[:-2]).mean(-1)


def _blur(x: Tensor) -> Tensor:
    """Valid Gaussian filtering of (n, c, h, w), separable."""
    offset = torch.arange(SSIM_WINDOW, dtype=x.dtype, device=x.device) - SSIM_WINDOW // 2
    tap = torch.exp(-(offset**2) / (2 * SSIM_SIGMA**2))
    tap = (tap / tap.sum()).expand(x.shape[1], 1, -1)
    x = F.conv2d(x, tap[..., None], groups=x.shape[1])
    return F.conv2d(x, tap[..., None, :], groups=x.shape[1])
