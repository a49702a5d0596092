"""RSDN (Isobe et al., ECCV 2020): structure and detail refined side by side by a net that streams, without flow.

A frame's structure is what is left when it is halved and doubled, its detail the rest. Each has a branch of its own,
and in every block the residues of both are added to both. The hidden state is weighted by how like the frame it is.
Weights by the authors come without a licence: all rights reserved.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.nets.layers import Conv, leaky, wide
from vsrcli.nets.marks import Architecture, Config, Shapes, count, in_blocks
from vsrcli.nets.observe import stage
from vsrcli.nets.recurrent import Branch, Features, RecurrentNet, State

SCALE = 4
PICTURE = 3 * SCALE**2
"""Channels of an HR frame folded to LR size."""


class StructureDetailBlock(nn.Module):
    """Section 3.2: one residue for structure and one for detail, their sum added to both."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_d1 = Conv(channels, channels, 3, padding=1)
        self.conv_d2 = Conv(channels, channels, 3, padding=1)
        self.conv_s1 = Conv(channels, channels, 3, padding=1)
        self.conv_s2 = Conv(channels, channels, 3, padding=1)

    def forward(self, detail: Tensor, structure: Tensor) -> tuple[Tensor, Tensor]:
        """Features (n, c, h, w) both -> the same."""
        residue = wide(self.conv_d2(F.relu(self.conv_d1(detail)))) + self.conv_s2(F.relu(self.conv_s1(structure)))
        return detail + residue, structure + residue


class StructureDetailCell(nn.Module):
    """All of a step but the last convolution. The blocks are called SD1, SD2, ... as in the checkpoints."""

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        self.blocks = blocks
        self.forget = Conv(3, 9, 3, padding=1)
        self.conv_d = Conv(2 * 3 + channels + PICTURE, channels, 3, padding=1)
        self.conv_s = Conv(2 * 3 + channels + PICTURE, channels, 3, padding=1)
        for i in range(1, blocks + 1):
            self.add_module(f"SD{i}", StructureDetailBlock(channels))
        self.conv_hd = Conv(channels, channels, 3, padding=1)
        self.conv_od = Conv(channels, PICTURE, 3, padding=1)
        self.conv_hs = Conv(channels, channels, 3, padding=1)
        self.conv_os = Conv(channels, PICTURE, 3, padding=1)

    def forward(self, lr: Tensor, details: Tensor, structures: Tensor, state: State) -> tuple[Tensor, Tensor, Tensor]:
        """The frame (n, 3, h, w), details and structures of it and the one before (n, 6, h, w), and the state (hidden,
        detail, structure) -> the same state for the next frame."""
        hidden, detail, structure = state
        hidden = self.adapt(lr, hidden)
        d = wide(leaky(self.conv_d(torch.cat([details, hidden, detail], 1))))
        s = wide(leaky(self.conv_s(torch.cat([structures, hidden, structure], 1))))
        for i in range(1, self.blocks + 1):
            d, s = self.get_submodule(f"SD{i}")(d, s)
        hidden = wide(leaky(self.conv_hd(d))) + wide(leaky(self.conv_hs(s)))
        return hidden, wide(self.conv_od(d)), wide(self.conv_os(s))

    def adapt(self, lr: Tensor, hidden: Tensor) -> Tensor:
        """Section 3.3: weight each pixel of the hidden state by how well the 3x3 pixels around it fit the frame.

        The frame gives one 3x3 filter for each pixel, common to all channels.
        """
        filters = wide(leaky(self.forget(lr)))
        h, w = hidden.shape[-2:]
        padded = F.pad(hidden, (1,) * 4)
        likeness = torch.zeros_like(hidden)
        for i in range(9):
            y, x = divmod(i, 3)
            likeness.addcmul_(padded[..., y : y + h, x : x + w], filters[:, i : i + 1])
        return hidden * likeness.sigmoid()


class RSDN(RecurrentNet):
    """The net. Published: 9 blocks of 128 channels (6.2 M parameters)."""

    branches: ClassVar[tuple[Branch, ...]] = (Branch("forward", reverse=False),)
    float32_parts = ("neuro.forget", "neuro.conv_d", "neuro.conv_s")  # they see the frames, which bf16 would round
    feature_module = "neuro"
    context = 1
    multiple = 2
    reconstruct_reach = 1
    stored_channels = 2 * PICTURE
    flow_channels = 2

    def __init__(self, channels: int = 128, blocks: int = 9) -> None:
        super().__init__()
        self.channels = channels
        self.state_channels = channels + 2 * PICTURE
        self.working_channels = 10 * channels + 4 * PICTURE
        self.neuro = StructureDetailCell(channels, blocks)
        self.conv = Conv(2 * PICTURE, PICTURE, 3, padding=1)

    def encode(self, lr: Sequence[Tensor], index: int, *, number: int, length: int | None) -> Features:
        """Split the frame and the one before; before a scene's first frame stands its second, as in the authors' code.

        Only where a scene has one frame, which the authors' code refuses, does that frame stand before itself.
        """
        current = lr[index]
        previous = lr[index - 1] if number else lr[index if length == 1 else index + 1]
        structures = torch.cat([smoothed(previous), smoothed(current)], 1)
        return {"structures": structures, "details": torch.cat([previous, current], 1) - structures}

    def propagate(
        self, branch: str, features: Features, flow: Tensor | None, state: State | None
    ) -> tuple[Tensor, State]:
        """Make detail and structure of the HR frame, folded (n, 96, h, w). Where a scene starts the state is zero."""
        lr = features["lr"]
        n, _, h, w = lr.shape
        if state is None:
            state = tuple(lr.new_zeros(n, c, h, w) for c in (self.channels, PICTURE, PICTURE))
        state = self.neuro(lr, features["details"], features["structures"], state)
        return torch.cat(state[1:], 1), state

    @stage("reconstruct")
    def reconstruct(self, features: Features) -> Tensor:
        """Join detail and structure by a convolution and unfold. No enlarged frame is added."""
        return F.pixel_shuffle(wide(self.conv(features["forward"])), SCALE)


def smoothed(frame: Tensor) -> Tensor:
    """Return the structure of a frame (n, 3, h, w) of even sides: halved and doubled, bilinearly."""
    half = F.interpolate(frame, scale_factor=0.5, mode="bilinear", align_corners=False)
    return F.interpolate(half, size=frame.shape[-2:], mode="bilinear", align_corners=False)


def read_config(shapes: Shapes) -> Config:
    """Read width and depth."""
    return {
        "channels": shapes["neuro.conv_hd.weight"][0],
        "blocks": count(shapes, r"neuro\.SD\d+\.conv_d1\.weight"),
    }


ARCHITECTURE = Architecture("rsdn", RSDN, marker="neuro.SD1.", configure=read_config, kernels=in_blocks(4))
