"""RRN (Isobe et al., BMVC 2020): a streaming residual net on features and its own last HR frame, without flow.

Each step takes the previous and the current LR frame, a hidden state and the last HR frame, folded to LR size. The
authors' weights come without a licence: all rights reserved.
"""

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.nets.layers import Conv, ResidualBlock, upcast
from vsrcli.nets.marks import Architecture, Config, Shapes, count
from vsrcli.nets.observe import stage
from vsrcli.nets.recurrent import Branch, Features, RecurrentNet, State


class ResidualCell(nn.Module):
    """A convolution, `blocks` residual blocks, and one convolution each for the hidden state and for the picture."""

    def __init__(self, channels: int, blocks: int, picture: int) -> None:
        super().__init__()
        self.conv_1 = Conv(2 * 3 + channels + picture, channels, 3, padding=1)
        self.recon_trunk = nn.Sequential(*(ResidualBlock(channels) for _ in range(blocks)))
        self.conv_h = Conv(channels, channels, 3, padding=1)
        self.conv_o = Conv(channels, picture, 3, padding=1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Map (n, 6 + channels + picture, h, w) to the hidden state (n, channels, h, w) and the folded detail.

        The detail is (n, picture, h, w).
        """
        x = self.recon_trunk(upcast(F.relu(self.conv_1(x))))
        return upcast(F.relu(self.conv_h(x))), self.conv_o(x)


class RRN(RecurrentNet):
    """RRN. Published depths: 10 blocks (3.4 M parameters) and 5 (1.9 M), both 128 channels wide."""

    branches: ClassVar[tuple[Branch, ...]] = (Branch("forward", reverse=False),)
    float32_parts = ("neuro.conv_1",)  # it sees the frames, whose 8 bits bf16 would round
    feature_module = "neuro.recon_trunk"
    context = 1
    stored_channels = 48
    flow_channels = 2

    def __init__(self, channels: int = 128, blocks: int = 10, scale: int = 4) -> None:
        super().__init__()
        self.channels, self.scale = channels, scale
        self.picture = 3 * scale**2
        self.state_channels = self.picture + channels
        self.working_channels = 6 * channels + 4 * self.picture
        self.neuro = ResidualCell(channels, blocks, self.picture)

    def encode(self, lr: Sequence[Tensor], index: int, *, number: int, length: int | None) -> Features:
        """Return the previous frame; for a scene's first frame it is the second one, as in the authors' code."""
        if number:
            return {"previous": lr[index - 1]}
        return {"previous": lr[index if length == 1 else index + 1]}

    def propagate(
        self, branch: str, features: Features, flow: Tensor | None, state: State | None
    ) -> tuple[Tensor, State]:
        """Return the HR frame and the next state: this frame (n, 3, s*h, s*w) and the hidden state (n, channels, h, w).

        Both are zero where a scene starts. The HR frame is fed back as it is, neither clamped nor rounded.
        """
        lr = features["lr"]
        n, _, h, w = lr.shape
        if state is None:
            hidden, folded = lr.new_zeros(n, self.channels, h, w), lr.new_zeros(n, self.picture, h, w)
        else:
            hidden, folded = state[1], F.pixel_unshuffle(state[0], self.scale)
        hidden, detail = self.neuro(torch.cat([features["previous"], lr, hidden, folded], 1))
        hr = unfold(lr, detail, self.scale)
        return hr, (hr, hidden)

    def reconstruct(self, features: Features) -> Tensor:
        """Return the propagated HR frame itself."""
        return features["forward"]


@stage("reconstruct")
def unfold(lr: Tensor, detail: Tensor, scale: int) -> Tensor:
    """Return the bilinear upsampling of `lr` plus its folded detail (n, 3*s*s, h, w): (n, 3, s*h, s*w)."""
    base = F.interpolate(lr, scale_factor=scale, mode="bilinear", align_corners=False)
    return base + F.pixel_shuffle(detail, scale)


def read_config(shapes: Shapes) -> Config:
    """Read width, depth and scale."""
    return {
        "channels": shapes["neuro.conv_h.weight"][0],
        "blocks": count(shapes, r"neuro\.recon_trunk\.\d+\.conv1\.weight"),
        "scale": math.isqrt(shapes["neuro.conv_o.weight"][0] // 3),
    }


ARCHITECTURE = Architecture("rrn", RRN, marker="neuro.recon_trunk.", configure=read_config)
