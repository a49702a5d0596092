"""AnimeSR (Wu et al., NeurIPS 2022): a streaming net for drawn animation with features at three scales and no flow.

Each step takes the previous, the current and the next LR frame, the net's own last HR frame and a hidden state. Nothing
is aligned: the convolutions compensate motion, and the coarse scales widen their receptive field. The output is one
frame late.
"""

import re
from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.nets.layers import Conv, ResidualBlock, upcast
from vsrcli.nets.marks import Architecture, Config, Shapes, count
from vsrcli.nets.observe import stage
from vsrcli.nets.recurrent import Branch, Features, RecurrentNet, State, frames_around

SCALE = 4
PICTURE = 3 * SCALE**2
"""Channels of an HR frame folded to LR size."""


class MultiScaleCell(nn.Module):
    """Parallel residual blocks at full, half and quarter size, `blocks` of them at each size; all paths end together.

    The output is the detail of the HR frame, folded (`PICTURE` channels), and the hidden state (`hidden` channels)
    before its activation.
    """

    def __init__(self, channels: int, blocks: Sequence[int], hidden: int) -> None:
        super().__init__()
        if len(blocks) != 3 or not blocks[0] >= blocks[1] >= blocks[2] >= 1:
            raise ValueError(f"blocks must be three numbers that do not rise, from 1, not {list(blocks)}")

        def first(channels_in: int, stride: int) -> nn.Sequential:
            return nn.Sequential(Conv(channels_in, channels, 3, stride=stride, padding=1), nn.LeakyReLU(0.1, True))

        def body(count: int) -> nn.ModuleList:
            return nn.ModuleList(ResidualBlock(channels) for _ in range(count))

        outputs = PICTURE + hidden
        self.conv_s1_first = first(3 * 3 + PICTURE + hidden, 1)
        self.conv_s2_first = first(channels, 2)
        self.conv_s4_first = first(channels, 2)
        self.body_s1_first = body(blocks[0])
        self.body_s2_first = body(blocks[1])
        self.body_s4_first = body(blocks[2])
        self.fusion = nn.Sequential(
            Conv(3 * channels, 2 * outputs, 3, padding=1),
            nn.LeakyReLU(0.1, True),
            Conv(2 * outputs, outputs, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, 3*3 + PICTURE + hidden, h, w) to (n, PICTURE + hidden, h, w); h and w are multiples of 4.

        After its first block, each scale adds the coarser scales, upsampled, before every further block.
        """
        full = upcast(self.conv_s1_first(x))
        half = upcast(self.conv_s2_first(full))
        quarter = upcast(self.conv_s4_first(half))
        steps = len(self.body_s1_first)
        half_from, quarter_from = steps - len(self.body_s2_first), steps - len(self.body_s4_first)
        for i, block in enumerate(self.body_s1_first):
            if i > half_from:
                full = full + bilinear(half, 2)
            if i > quarter_from:
                full = full + bilinear(quarter, 4)
            full = block(full)
            if i >= half_from:
                if i > quarter_from:
                    half = half + bilinear(quarter, 2)
                half = self.body_s2_first[i - half_from](half)
            if i >= quarter_from:
                quarter = self.body_s4_first[i - quarter_from](quarter)
        out: Tensor = self.fusion(torch.cat([full, bilinear(half, 2), bilinear(quarter, 4)], 1))
        return out


class AnimeSR(RecurrentNet):
    """AnimeSR with `blocks` residual blocks at full, half and quarter size and `hidden` channels of hidden state.

    Frames are padded to multiples of 4 by reflection, as for all nets here. The authors' scripts crop to such a size
    instead, and others replicate the border: each of these gives slightly different right and bottom borders.
    """

    branches: ClassVar[tuple[Branch, ...]] = (Branch("forward", reverse=False),)
    float32_parts = ("recurrent_cell.conv_s1_first",)  # it sees the frames, whose 8 bits bf16 would round
    int8_parts = (
        *(f"recurrent_cell.body_s{size}_first" for size in (1, 2, 4)),
        "recurrent_cell.fusion.0",
    )
    context = 1
    multiple = 4
    stored_channels = PICTURE
    working_channels = 900
    flow_channels = 2
    feature_module = "recurrent_cell.fusion.1"

    def __init__(self, channels: int = 64, blocks: Sequence[int] = (5, 3, 2), hidden: int = 64) -> None:
        super().__init__()
        self.hidden = hidden
        self.state_channels = PICTURE + hidden
        self.recurrent_cell = MultiScaleCell(channels, blocks, hidden)

    def encode(self, lr: Sequence[Tensor], index: int, *, number: int, length: int | None) -> Features:
        """Return the neighbouring frames; at the ends of a scene its first or last frame replaces the missing one."""
        return frames_around(lr, index, number=number, length=length)

    def propagate(
        self, branch: str, features: Features, flow: Tensor | None, state: State | None
    ) -> tuple[Tensor, State]:
        """Return the HR estimate and the next state: the estimate (n, 3, 4*h, 4*w) and the hidden state.

        The hidden state is (n, hidden, h, w). Both are zero where a scene starts. The estimate is fed back as it is,
        neither clamped nor rounded.
        """
        lr = features["lr"]
        n, _, h, w = lr.shape
        if state is None:
            folded, hidden = lr.new_zeros(n, PICTURE, h, w), lr.new_zeros(n, self.hidden, h, w)
        else:
            folded, hidden = F.pixel_unshuffle(state[0], SCALE), state[1]
        out = self.recurrent_cell(torch.cat([features["previous"], lr, features["next"], folded, hidden], 1))
        detail, hidden = out.split((PICTURE, self.hidden), 1)
        hr = unfold(lr, detail)
        return hr, (hr, upcast(F.leaky_relu(hidden, 0.1)))  # not in place: it is a part of another tensor

    def reconstruct(self, features: Features) -> Tensor:
        """Return the propagated HR estimate itself."""
        return features["forward"]


@stage("reconstruct")
def unfold(lr: Tensor, detail: Tensor) -> Tensor:
    """Return the HR frame (n, 3, 4*h, 4*w): the bilinear upsampling of `lr` plus the folded `detail`.

    The detail is (n, PICTURE, h, w).
    """
    return bilinear(lr, SCALE) + F.pixel_shuffle(detail, SCALE)


def bilinear(x: Tensor, factor: int) -> Tensor:
    """Upsample (n, c, h, w) bilinearly to (n, c, factor*h, factor*w)."""
    return F.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)


def read_config(shapes: Shapes) -> Config:
    """Read the width, the number of blocks at each scale and the hidden channels from the shapes of the weights."""
    cell = "recurrent_cell."
    return {
        "channels": shapes[cell + "conv_s1_first.0.weight"][0],
        "blocks": [count(shapes, rf"{re.escape(cell)}body_s{s}_first\.\d+\.conv1\.weight") for s in (1, 2, 4)],
        "hidden": shapes[cell + "fusion.2.weight"][0] - PICTURE,
    }


ARCHITECTURE = Architecture(
    "animesr", AnimeSR, marker="recurrent_cell.", configure=read_config, bounds={"hidden": (1, 256)}
)
