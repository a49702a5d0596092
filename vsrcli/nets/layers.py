"""Layers that several nets share: warping, convolutions that compute in their own type, residual trunks, upsampling."""

from functools import lru_cache
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli import warp
from vsrcli.nets.fused import residual
from vsrcli.nets.int8 import Int8Conv, enlarge_int8, int8_of
from vsrcli.nets.observe import stage

_LUMA = torch.tensor([0.299, 0.587, 0.114]).view(3, 1, 1)


class Conv(nn.Conv2d):
    """A convolution that computes in the type of its own weights, whatever the type of its input.

    This is the whole mixed-precision scheme: weights in bf16 or fp16 select the arithmetic, and sums of the results
    with float32 tensors are promoted to float32. In training `compute_dtype` selects the arithmetic while the weights
    stay in float32, where small steps are not rounded away. Where `int8` is set, it does the arithmetic.
    """

    compute_dtype: torch.dtype | None = None
    int8: Int8Conv | None = None

    if TYPE_CHECKING:  # torch leaves what a module returns open

        def __call__(self, input: Tensor) -> Tensor:
            """Return what `forward` returns."""

    def forward(self, input: Tensor) -> Tensor:
        """Convolve (n, c_in, h, w) of any floating type; return (n, c_out, h', w') in the type of computation.

        In int8 that is the type of the weights.
        """
        if self.int8 is not None:
            levels = self.int8.grid.levels(input)
            if not self.int8.grid.left_by(levels):
                return self.int8(levels, self.weight.dtype)
        dtype = self.compute_dtype or self.weight.dtype
        bias = None if self.bias is None else self.bias.to(dtype)
        out: Tensor = self._conv_forward(input.to(dtype), self.weight.to(dtype), bias)
        return out


flow_warp = stage("warp")(warp.flow_warp)
"""`vsrcli.warp.flow_warp`, which benchmarks observe as the stage "warp"."""


def upsample_by_2(x: Tensor) -> Tensor:
    """Upsample (n, c, h, w) bilinearly to (n, c, 2*h, 2*w)."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def luma(x: Tensor) -> Tensor:
    """Return the luma (..., 1, h, w) of RGB (..., 3, h, w) in the same range, by BT.601's weights."""
    return (x * _luma_weights(x.device)).sum(-3, keepdim=True)


@lru_cache(maxsize=8)
@torch.inference_mode(False)
def _luma_weights(device: torch.device) -> Tensor:
    """Return BT.601's weights (3, 1, 1), moved to a device once."""
    return _LUMA.to(device)


class ResidualBlock(nn.Module):
    """A residual block, conv - ReLU - conv, whose sum is not rounded to the convolutions' type."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = Conv(channels, channels, 3, padding=1)
        self.conv2 = Conv(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, c, h, w) to the same shape and type."""
        return residual(x, self.conv1, self.conv2)


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
        """Map (n, channels_in, h, w) to (n, channels, h, w) in the type of `x`."""
        first = self.main[1](self.main[0](x))
        out: Tensor = self.main[2](first.to(x.dtype))
        return out


def leaky(x: Tensor) -> Tensor:
    """Apply LeakyReLU(0.1) in place: the activation of all these nets outside residual blocks."""
    return F.leaky_relu(x, 0.1, inplace=True)


def upcast(x: Tensor) -> Tensor:
    """Return `x` in float32, or unchanged if its type is float32 or better."""
    return x.to(torch.promote_types(x.dtype, torch.float32))


def enlarge(
    x: Tensor, lr: Tensor, upconv1: nn.Module, upconv2: nn.Module, conv_hr: nn.Module, conv_last: nn.Module
) -> Tensor:
    """Upsample features (n, c, h, w) twice by pixel shuffle and add the bilinear 4x upsampling of `lr`."""
    x = upsample_detail(x, upconv1, upconv2, conv_hr, conv_last)
    return F.interpolate(lr, scale_factor=4, mode="bilinear", align_corners=False) + x


def upsample_detail(
    x: Tensor, upconv1: nn.Module, upconv2: nn.Module, conv_hr: nn.Module, conv_last: nn.Module
) -> Tensor:
    """Return the detail of an HR frame (n, 3, 4*h, 4*w): features (n, c, h, w) upsampled twice by pixel shuffle."""
    int8 = int8_of(upconv1), int8_of(upconv2), int8_of(conv_hr)
    if int8[0] and int8[1] and int8[2] and (large := enlarge_int8(x, int8[0], int8[1], int8[2])) is not None:
        detail: Tensor = conv_last(leaky(large))
        return detail + x.sum() * 0  # not 0 where `x` is not finite, which levels hide
    x = leaky(F.pixel_shuffle(upconv1(x), 2))
    x = leaky(F.pixel_shuffle(upconv2(x), 2))
    out: Tensor = conv_last(leaky(conv_hr(x)))
    return out
