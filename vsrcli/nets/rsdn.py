"""RSDN (Isobe et al., ECCV 2020): a streaming net without flow that refines structure and detail in parallel.

A frame's structure is the frame downscaled and upscaled by 2, its detail the rest. Each has a branch of its own, and in
every block the residues of both are added to both. The hidden state is weighted by its similarity to the frame. The
authors' weights come without a licence: all rights reserved.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.nets.layers import Conv, leaky, upcast
from vsrcli.nets.marks import Architecture, Config, Shapes, count, in_blocks
from vsrcli.nets.observe import stage
from vsrcli.nets.recurrent import Branch, Features, RecurrentNet, State

SCALE = 4
PICTURE = 3 * SCALE**2
"""Channels of an HR frame folded to LR size."""


class StructureDetailBlock(nn.Module):
    """A residual block (section 3.2): one residue for structure and one for detail, their sum added to both."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv_d1 = Conv(channels, channels, 3, padding=1)
        self.conv_d2 = Conv(channels, channels, 3, padding=1)
        self.conv_s1 = Conv(channels, channels, 3, padding=1)
        self.conv_s2 = Conv(channels, channels, 3, padding=1)

    def forward(self, detail: Tensor, structure: Tensor) -> tuple[Tensor, Tensor]:
        """Map the features of detail and structure, both (n, c, h, w), to the same shapes."""
        residue = upcast(self.conv_d2(F.relu(self.conv_d1(detail)))) + self.conv_s2(F.relu(self.conv_s1(structure)))
        return detail + residue, structure + residue


class StructureDetailCell(nn.Module):
    """All of a step except the last convolution. The blocks are called SD1, SD2, ... as in the checkpoints."""

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
        """Return the state (hidden, detail, structure) for the next frame.

        Args:
            lr: the frame (n, 3, h, w).
            details: details of the previous and the current frame (n, 6, h, w).
            structures: structures of the same frames (n, 6, h, w).
            state: (hidden, detail, structure).
        """
        hidden, detail, structure = state
        hidden = self.adapt(lr, hidden)
        d = upcast(leaky(self.conv_d(torch.cat([details, hidden, detail], 1))))
        s = upcast(leaky(self.conv_s(torch.cat([structures, hidden, structure], 1))))
        for i in range(1, self.blocks + 1):
            d, s = self.get_submodule(f"SD{i}")(d, s)
        hidden = upcast(leaky(self.conv_hd(d))) + upcast(leaky(self.conv_hs(s)))
        return hidden, upcast(self.conv_od(d)), upcast(self.conv_os(s))

    def adapt(self, lr: Tensor, hidden: Tensor) -> Tensor:
        """Weight each pixel of the hidden state by the similarity of its 3x3 neighbourhood to the frame (section 3.3).

        The frame gives one 3x3 filter for each pixel, common to all channels.
        """
        filters = upcast(leaky(self.forget(lr)))
        h, w = hidden.shape[-2:]
        padded = F.pad(hidden, (1,) * 4)
        similarity = torch.zeros_like(hidden)
        for i in range(9):
            y, x = divmod(i, 3)
            similarity.addcmul_(padded[..., y : y + h, x : x + w], filters[:, i : i + 1])
        return hidden * similarity.sigmoid()


class RSDN(RecurrentNet):
    """RSDN. Published: 9 blocks of 128 channels (6.2 M parameters)."""

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
        """Split the previous and the current frame into structures and details.

        For a scene's first frame the previous one is the second, as in the authors' code. A scene of one frame, which
        the authors' code refuses, uses that frame as the previous one too.
        """
        current = lr[index]
        previous = lr[index - 1] if number else lr[index if length == 1 else index + 1]
        structures = torch.cat([extract_structure(previous), extract_structure(current)], 1)
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
        """Fuse detail and structure by a convolution and unfold the result. No upsampled frame is added."""
        return F.pixel_shuffle(upcast(self.conv(features["forward"])), SCALE)


def extract_structure(frame: Tensor) -> Tensor:
    """Return the structure of a frame (n, 3, h, w) with even sides: downscaled and upscaled by 2, bilinearly."""
    half = F.interpolate(frame, scale_factor=0.5, mode="bilinear", align_corners=False)
    return F.interpolate(half, size=frame.shape[-2:], mode="bilinear", align_corners=False)


def read_config(shapes: Shapes) -> Config:
    """Read width and depth."""
    return {
        "channels": shapes["neuro.conv_hd.weight"][0],
        "blocks": count(shapes, r"neuro\.SD\d+\.conv_d1\.weight"),
    }


ARCHITECTURE = Architecture("rsdn", RSDN, marker="neuro.SD1.", configure=read_config, kernels=in_blocks(4))
