"""Layers that several nets share: warping, convolutions that choose their own type, residual trunks, upsampling."""

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli import warp
from vsrcli.nets.observe import stage

_LUMA = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)


class Conv(nn.Conv2d):
    """A convolution that computes in the type of its own weights, whatever type comes in.

    This is the whole mixed-precision scheme: weights in bf16 or fp16 make the arithmetic so, while sums of its
    results with float32 tensors are promoted back to float32. In training `compute_dtype` makes the arithmetic so
    while the weights stay in float32, where small steps are not rounded away.
    """

    compute_dtype: torch.dtype | None = None

    if TYPE_CHECKING:  # torch leaves what a module returns open

        def __call__(self, input: Tensor) -> Tensor:
            """Return what `forward` returns."""

    def forward(self, input: Tensor) -> Tensor:
        """(n, c_in, h, w) of any floating type -> (n, c_out, h', w') in the type of the weights or `compute_dtype`."""
        dtype = self.compute_dtype or self.weight.dtype
        bias = None if self.bias is None else self.bias.to(dtype)
        out: Tensor = self._conv_forward(input.to(dtype), self.weight.to(dtype), bias)
        return out


flow_warp = stage("warp")(warp.flow_warp)
"""See `vsrcli.warp`; a benchmark sees it as the stage "warp"."""


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
    x = shuffled(x, upconv1, upconv2, conv_hr, conv_last)
    return F.interpolate(lr, scale_factor=4, mode="bilinear", align_corners=False) + x


def shuffled(x: Tensor, upconv1: nn.Module, upconv2: nn.Module, conv_hr: nn.Module, conv_last: nn.Module) -> Tensor:
    """Turn features (n, c, h, w) into the detail of an HR frame (n, 3, 4*h, 4*w), twice through pixel shuffle."""
    x = leaky(F.pixel_shuffle(upconv1(x), 2))
    x = leaky(F.pixel_shuffle(upconv2(x), 2))
    out: Tensor = conv_last(leaky(conv_hr(x)))
    return out
