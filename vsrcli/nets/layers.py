"""Layers that several nets share: warping, convolutions that choose their own type, residual trunks, upsampling."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.nets.stages import stage

_LUMA = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)


class Conv(nn.Conv2d):
    """A convolution that computes in the type of its own weights, whatever type comes in.

    This is the whole mixed-precision scheme: weights in bf16 or fp16 make the arithmetic so, while sums of its
    results with float32 tensors are promoted back to float32. In training `compute_dtype` makes the arithmetic so
    while the weights stay in float32, where small steps are not rounded away.
    """

    compute_dtype: torch.dtype | None = None

    def forward(self, input: Tensor) -> Tensor:
        """(n, c_in, h, w) of any floating type -> (n, c_out, h', w') in the type of the weights or `compute_dtype`."""
        dtype = self.compute_dtype or self.weight.dtype
        bias = None if self.bias is None else self.bias.to(dtype)
        return self._conv_forward(input.to(dtype), self.weight.to(dtype), bias)


@stage("warp")
def flow_warp(x: Tensor, flow: Tensor, *, padding: str = "zeros", mode: str = "bilinear") -> Tensor:
    """Sample `x` (n, c, h, w) where `flow` (n, 2, h, w; x then y, in pixels) points, by `mode` "bilinear" or "bicubic".

    Outside the frame lies zero or, with padding="border", the nearest pixel. Coordinates are computed in the flow's
    type, which should be float32 or better: half-precision coordinates are off by up to 0.7 pixel at width 1280.
    """
    h, w = x.shape[-2:]
    xs = torch.arange(w, device=flow.device, dtype=flow.dtype)
    ys = torch.arange(h, device=flow.device, dtype=flow.dtype)
    # grid_sample's align_corners=True coordinates: -1 and 1 are the centres of the outermost pixels
    grid_x = (flow[:, 0] + xs) * (2.0 / max(w - 1, 1)) - 1.0
    grid_y = (flow[:, 1] + ys[:, None]) * (2.0 / max(h - 1, 1)) - 1.0
    grid = torch.stack((grid_x, grid_y), -1)
    return F.grid_sample(x.to(flow.dtype), grid, mode=mode, padding_mode=padding, align_corners=True)


def double(x: Tensor) -> Tensor:
    """Bilinear enlargement by 2: (n, c, h, w) -> (n, c, 2h, 2w)."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def luma(x: Tensor) -> Tensor:
    """RGB (..., 3, h, w) -> (..., 1, h, w) in the same range, by BT.601's weights."""
    return (x * _LUMA.to(x.device)).sum(-3, keepdim=True)


class ResidualBlock(nn.Module):
    """conv - ReLU - conv, added to its input without rounding the sum to the convolutions' type."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = Conv(channels, channels, 3, padding=1)
        self.conv2 = Conv(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) -> the same shape and type."""
        return x + self.conv2(F.relu(self.conv1(x), inplace=True))


class ResidualTrunk(nn.Module):
    """A convolution into `channels`, LeakyReLU(0.1), then `blocks` residual blocks."""

    def __init__(self, channels_in: int, channels: int, blocks: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            Conv(channels_in, channels, 3, padding=1),
            nn.LeakyReLU(0.1, inplace=True),
            nn.Sequential(*(ResidualBlock(channels) for _ in range(blocks))),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, channels_in, h, w) -> (n, channels, h, w), in the type of `x`."""
        first = self.main[1](self.main[0](x))
        out: Tensor = self.main[2](first.to(x.dtype))
        return out


def leaky(x: Tensor) -> Tensor:
    """LeakyReLU(0.1), the activation of all these nets outside residual blocks. In place."""
    return F.leaky_relu(x, 0.1, inplace=True)


def wide(x: Tensor) -> Tensor:
    """`x` in float32, or as it is if that is its type or better."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def enlarge(
    x: Tensor, lr: Tensor, upconv1: nn.Module, upconv2: nn.Module, conv_hr: nn.Module, conv_last: nn.Module
) -> Tensor:
    """The end of all these nets: features (n, c, h, w) twice through pixel shuffle, onto the bilinear 4x of `lr`."""
    x = leaky(F.pixel_shuffle(upconv1(x), 2))
    x = leaky(F.pixel_shuffle(upconv2(x), 2))
    x = conv_last(leaky(conv_hr(x)))
    return F.interpolate(lr, scale_factor=4, mode="bilinear", align_corners=False) + x
