"""Convolutions of 8-bit integers on a CPU, by oneDNN, which is part of PyTorch's CPU builds.

Inputs are levels: unsigned bytes q that stand for (q - zero) * step. Their range is fixed beforehand, on other videos
(`vsr weights calibrate`), so that a frame's result depends on nothing but the frame. Values outside it are set to its
ends: a block then sees less of an outlier, while the residual sum, which stays in float32, keeps all of it. Where more
than a few values leave the range (noise, hard black and white, neon colours), the block runs in floats: on the samples
that were tried, real videos leave none of their blocks' ranges. Weights have 8 bits, with a step for each output
channel. Sums are exact, in 32 bits.
"""

import functools
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.nets.instructions import dtype_beside_int8

Range = tuple[float, float]
"""Least and largest value of a convolution's input."""

Ranges = Mapping[str, Range]
"""Ranges by the dotted names of a net's convolutions: those that run in int8."""

LEFT = 1 / 5000
"""Share of values at the ends of a range from which it counts as left. With BasicVSR on 4 frames, the largest share of
a block and the likeness to float32: video 0 and 48 to 55 dB, contrast times 1.6 0.00003 and 52, saturation times 3
0.0008 and 46, noise of deviation 0.15 0.01 and 34, black and white noise 0.14 and 19."""


@dataclass(frozen=True)
class Grid:
    """The levels 0..255 of a range: level q stands for (q - zero) * step."""

    step: float
    zero: int

    @classmethod
    def over(cls, reach: Range) -> "Grid":
        """Return the grid of a range, which is widened to hold 0, because borders are padded with it."""
        least, most = min(reach[0], 0.0), max(reach[1], 0.0)
        step = max(most - least, 1e-6) / 255
        return cls(step, max(round(-least / step), 1 if least < 0 else 0))  # or what is below could not be told

    def levels(self, x: Tensor) -> Tensor:
        """Return the levels (uint8) of `x` (n, c, h, w), channels last, rounded to the nearest."""
        x = x.to(torch.float32, memory_format=torch.channels_last)
        _take_warning()
        made = torch.quantize_per_tensor(x, self.step, self.zero, torch.quint8)
        return torch.empty(0, dtype=torch.uint8).set_(made.untyped_storage(), 0, made.shape, made.stride())

    def left_by(self, levels: Tensor) -> bool:
        """Return whether more than a few of the values left the range, by one pixel of 35."""
        sample = levels[..., ::5, ::7]
        ends = torch.count_nonzero(sample == 255)
        if self.zero:
            ends += torch.count_nonzero(sample == 0)
        return ends.item() > LEFT * sample.numel()


@functools.cache
def _take_warning() -> None:
    """Let PyTorch warn, once a process, that quantized tensors may go away; nothing else makes levels in one pass."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.quantize_per_tensor(torch.zeros(1), 1.0, 0, torch.quint8)


class Int8Conv:
    """What a convolution needs to run in int8: its packed weights, and the grid of its input."""

    def __init__(self, conv: nn.Conv2d, reach: Range) -> None:
        self.grid = Grid.over(reach)
        weight = conv.weight.detach().float()
        self._step = weight.abs().amax((1, 2, 3)).clamp_min(1e-12) / 127
        self._zero = torch.zeros(len(weight), dtype=torch.int64)
        levels = (weight / self._step.view(-1, 1, 1, 1)).round().to(torch.int8)
        self._shape: tuple[Any, ...] = (list(conv.stride), list(conv.padding), list(conv.dilation), conv.groups)
        self._weight = torch.ops.onednn.qconv_prepack(
            levels, self._step, self.grid.step, self.grid.zero, *self._shape, None
        )
        self._bias = None if conv.bias is None else conv.bias.detach().float().clone()

    def __deepcopy__(self, memo: object) -> "Int8Conv":
        """Return the same one: nothing in it changes, and packed weights cannot be copied."""
        return self

    def __call__(self, levels: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Convolve levels on this grid; return (n, c_out, h', w') in `dtype` (float32 or bf16)."""
        return self._run(levels, 1.0, 0, dtype, "none")

    def relu_to(self, levels: Tensor, grid: Grid) -> Tensor:
        """Convolve levels on this grid, apply the ReLU, and return the result's levels on another."""
        return self._run(levels, grid.step, grid.zero, torch.uint8, "relu")

    def _run(self, levels: Tensor, step: float, zero: int, dtype: torch.dtype, after: str) -> Tensor:
        out: Tensor = torch.ops.onednn.qconv2d_pointwise(
            levels,
            self.grid.step,
            self.grid.zero,
            self._weight,
            self._step,
            self._zero,
            self._bias,
            *self._shape,
            step,
            zero,
            dtype,
            after,
            [],
            "",
        )
        return out


def int8_of(conv: nn.Module) -> Int8Conv | None:
    """Return what `conv` runs in int8 with, or None where it runs in floats."""
    found: Int8Conv | None = getattr(conv, "int8", None)
    return found


def residual_int8(x: Tensor, conv1: Int8Conv, conv2: Int8Conv) -> Tensor | None:
    """Return x + conv2(relu(conv1(x))) (n, c, h, w), with the sum in float32; None where a range is left."""
    levels = conv1.grid.levels(x)
    if conv1.grid.left_by(levels):
        return None
    middle = conv1.relu_to(levels, conv2.grid)
    return None if conv2.grid.left_by(middle) else conv2(middle).add_(x)


def enlarge_int8(x: Tensor, upconv1: Int8Conv, upconv2: Int8Conv, conv_hr: Int8Conv) -> Tensor | None:
    """Upsample features (n, c, h, w) twice by pixel shuffle; return the result of `conv_hr` (n, c', 4*h, 4*w).

    None stands for a range that is left.

    LeakyReLU(0.1) precedes each pixel shuffle, which moves bytes then; it does not follow `conv_hr`.
    """
    levels = upconv1.grid.levels(x)
    for conv, after in ((upconv1, upconv2), (upconv2, conv_hr)):
        if conv.grid.left_by(levels):
            return None
        levels = F.pixel_shuffle(after.grid.levels(F.leaky_relu_(conv(levels), 0.1)), 2)
    if conv_hr.grid.left_by(levels):
        return None
    return conv_hr(levels, dtype_beside_int8())
