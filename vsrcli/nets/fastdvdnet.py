"""FastDVDnet for super-resolution: the student of Space-Time Distillation (Xiao et al., CVPR 2021, supplement, sec. 2).

A sliding window of seven frames passes through blocks of three in one, as in FastDVDnet (Tassano et al., CVPR 2020),
without flow and without state. With t the frame to be upscaled:

- The first block, with the same weights each time, takes (t-3, t, t+3), (t-2, t, t+2) and (t-1, t, t+1). The second
  takes the three results.
- A block of width c (32) has three levels. Its three inputs, each by itself, are convolved to `hidden` (30) channels
  (one convolution of 3 groups), and together to c: level 0. A stride-2 convolution to 2c and two convolutions give
  level 1, and the same to 4c level 2. Two convolutions and a third to 8c, shuffled to 2c at twice the size, are added
  to level 1. Two convolutions and a third to 4c, shuffled to c, are added to level 0. A convolution and the block's
  last one follow. All kernels are 3x3, padded by zeros; a ReLU follows each but the two before a shuffle and the last.
- The supplement leaves some points open; they are settled here. A first block's result is a feature of c channels
  ("feature maps"). The second block ends in 48 channels, which a pixel shuffle turns into the HR picture's detail.
  Skips inside the blocks are those of FastDVDnet, which the figure omits. Instead of FastDVDnet's residue of the middle
  frame, the bilinear upsampling of frame t is added to the detail. There is no map of noise.
- Frames beyond a scene's end are reflected without repetition, as in FastDVDnet (frame 0 of 9 sees 3 2 1 0 1 2 3).

FastDVDnet has a batch norm where a ReLU follows (but for the two grouped inputs, at both convolutions); it is folded
when a checkpoint is read, and nets that are trained here have biases instead. Names are FastDVDnet's.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.nets.layers import Conv, upcast
from vsrcli.nets.marks import Architecture, Config, Shapes, StateDict
from vsrcli.nets.nanovsr import fold_batch_norm
from vsrcli.nets.observe import stage
from vsrcli.nets.recurrent import Branch, Features, RecurrentNet, State

REACH = 3
"""Number of neighbours on each side."""

SCALE = 4


def _conv(channels_in: int, channels: int, *, stride: int = 1, groups: int = 1, bias: bool = True) -> Conv:
    return Conv(channels_in, channels, 3, stride=stride, padding=1, groups=groups, bias=bias)


class Convolutions(nn.Module):
    """Convolutions with a ReLU after each. They are numbered as among the batch norms that are folded into them."""

    def __init__(self, *parts: nn.Module) -> None:
        super().__init__()
        self.convblock = nn.ModuleDict({str(3 * i): part for i, part in enumerate(parts)})

    def forward(self, x: Tensor) -> Tensor:
        """Apply one after the other to (n, c, h, w)."""
        for part in self.convblock.values():
            x = part(x) if isinstance(part, Convolutions) else F.relu(part(x))
        return x


class Up(nn.Module):
    """Two convolutions with ReLUs, a third to four times `channels`, and a pixel shuffle by 2."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        pair = Convolutions(_conv(channels_in, channels_in), _conv(channels_in, channels_in))
        self.convblock = nn.ModuleList([pair, _conv(channels_in, 4 * channels, bias=False)])

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels_in, h, w) to (n, channels, 2*h, 2*w)."""
        return F.pixel_shuffle(self.convblock[1](self.convblock[0](x)), 2)


class Last(nn.Module):
    """A convolution with a ReLU, and one without."""

    def __init__(self, channels: int, channels_out: int) -> None:
        super().__init__()
        self.convblock = nn.ModuleDict({"0": _conv(channels, channels), "3": _conv(channels, channels_out, bias=False)})

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels, h, w) to (n, channels_out, h, w)."""
        out: Tensor = self.convblock["3"](F.relu(self.convblock["0"](x)))
        return out


class ThreeInOne(nn.Module):
    """One block: three inputs of `each` channels to one result of `channels_out`, by a U-Net of three levels."""

    def __init__(self, each: int, channels_out: int, channels: int = 32, hidden: int = 30) -> None:
        super().__init__()
        c = channels
        self.inc = Convolutions(_conv(3 * each, 3 * hidden, groups=3), _conv(3 * hidden, c))
        self.downc0 = _down(c, 2 * c)
        self.downc1 = _down(2 * c, 4 * c)
        self.upc2 = Up(4 * c, 2 * c)
        self.upc1 = Up(2 * c, c)
        self.outc = Last(c, channels_out)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map the inputs (n, 3*each, h, w), joined, to (n, channels_out, h, w). Sides are multiples of 4."""
        full = self.inc(inputs)
        half = self.downc0(full)
        half = upcast(half) + self.upc2(self.downc1(half))
        out: Tensor = self.outc(upcast(full) + self.upc1(half))
        return out


def _down(channels_in: int, channels: int) -> Convolutions:
    pair = Convolutions(_conv(channels, channels), _conv(channels, channels))
    return Convolutions(_conv(channels_in, channels, stride=2), pair)


class FastDVDnet(RecurrentNet):
    """FastDVDnet for x4. Published width: 32 channels, 30 of each frame: 2.5 M parameters.

    A frame of 180x120 takes 30 GFLOP (2 x multiply-adds); the supplement's table 2 says 60, and not how it counts.
    """

    branches: ClassVar[tuple[Branch, ...]] = (Branch("window", reverse=False),)
    float32_parts = ("temp1.inc.convblock.0",)  # it sees pictures, whose 8 bits bf16 would round
    feature_module = "temp2.outc.convblock.0"
    context = REACH
    multiple = 4
    reconstruct_reach = 1  # the bilinear base
    working_channels = 600
    flow_channels = 2

    def __init__(self, channels: int = 32, hidden: int = 30) -> None:
        super().__init__()
        self.stored_channels = 3 * channels
        self.temp1 = ThreeInOne(3, channels, channels, hidden)
        self.temp2 = ThreeInOne(channels, 3 * SCALE**2, channels, hidden)

    @stage("encode")
    def encode(self, lr: Sequence[Tensor], index: int, *, number: int, length: int | None) -> Features:
        """Run the first block on the frame and its neighbours at distances 3, 2 and 1: (n, 3*channels, h, w)."""
        frames = [lr[index + n - number] for n in window_numbers(number, length)]
        middle = frames[REACH]
        triples = (torch.cat([frames[i], middle, frames[-1 - i]], 1) for i in range(REACH))
        return {"triples": torch.cat([self.temp1(triple) for triple in triples], 1).to(self.compute_dtype)}

    def propagate(
        self, branch: str, features: Features, flow: Tensor | None, state: State | None
    ) -> tuple[Tensor, State]:
        """Run the second block. The state is empty."""
        return self.temp2(features["triples"]), ()

    @stage("reconstruct")
    def reconstruct(self, features: Features) -> Tensor:
        """Add the detail, shuffled to the HR frame's pixels, to the bilinear upsampling of the frame."""
        base = F.interpolate(features["lr"], scale_factor=SCALE, mode="bilinear", align_corners=False)
        return base + F.pixel_shuffle(features["window"], SCALE)


def window_numbers(number: int, length: int | None) -> list[int]:
    """Return the frame numbers of the window around frame `number` of a scene; `length` is None if its end is far away.

    Beyond the ends they are reflected without repetition, in short scenes several times.
    """
    around = range(number - REACH, number + REACH + 1)
    if length is None:
        return [abs(n) for n in around]
    period = 2 * max(1, length - 1)
    return [min(n % period, -n % period) if length > 1 else 0 for n in around]


def read_config(shapes: Shapes) -> Config:
    """Read the widths from the first block. Raises ValueError for FastDVDnet itself, a denoiser."""
    if shapes["temp1.inc.convblock.0.weight"][1] != 3:
        raise ValueError("FastDVDnet for denoising, which does not upscale")
    return {
        "channels": shapes["temp1.downc0.convblock.0.weight"][1],
        "hidden": shapes["temp1.inc.convblock.0.weight"][0] // 3,
    }


def fold_batch_norms(state: StateDict) -> StateDict:
    """Return a checkpoint's tensors with each batch norm folded into the convolution before it.

    Raises KeyError where a part is missing, ValueError where parts do not fit each other.
    """
    norms = {key.removesuffix(".running_var") for key in state if key.endswith(".running_var")}
    out = {key: value for key, value in state.items() if key.rpartition(".")[0] not in norms}
    for norm in norms:
        block, _, place = norm.rpartition(".")
        name = f"{block}.{int(place) - 1}"
        out[f"{name}.weight"], out[f"{name}.bias"] = fold_batch_norm(state, norm, state[f"{name}.weight"])
    return out


def kernels(config: Config) -> int:
    """Return a number of convolutions from `channels` to `channels` that both blocks exceed, counted by their weights.

    Those of 2c and 4c channels count 4 and 16 times.
    """
    return 256


ARCHITECTURE = Architecture(
    "fastdvdnet",
    FastDVDnet,
    marker="temp1.",
    configure=read_config,
    adapt=fold_batch_norms,
    kernels=kernels,
    bounds={"hidden": (1, 256)},
)
