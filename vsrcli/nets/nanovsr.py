"""NanoVSR (Pawlicki et al., ECCV 2026): a bidirectional net without flow, whose blocks are plain convolutions.

Nothing is aligned: a branch adds the frame's feature to the state, and its convolutions compensate motion. The two
branches are independent; a 1x1 convolution fuses them. In training a block is a 3x3 and a 1x1 convolution and an
identity, each with a batch norm. A checkpoint of that form is folded into plain convolutions when it is read (RepVGG,
Ding et al., CVPR 2021, eq. 3).
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.nets.layers import Conv, leaky, upcast
from vsrcli.nets.marks import Architecture, Config, Shapes, StateDict
from vsrcli.nets.observe import stage
from vsrcli.nets.recurrent import Branch, Features, RecurrentNet, State

LAST = 32
"""Channels of the features at the output's size."""

EPSILON = 1e-5
"""Added to the variance in batch norms."""


class Shuffle(Conv):
    """A 3x3 convolution, a pixel shuffle by 2 and a PReLU with one slope."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__(channels_in, 4 * channels, 3, padding=1)
        self.prelu = nn.PReLU()

    def forward(self, input: Tensor) -> Tensor:
        """Map (n, channels_in, h, w) to (n, channels, 2*h, 2*w)."""
        x = F.pixel_shuffle(super().forward(input), 2)
        return F.prelu(x, self.prelu.weight.to(x.dtype))


class NanoVSR(RecurrentNet):
    """A backward and a forward branch of `blocks` convolutions each, fused and upsampled by 4.

    Published sizes (channels, blocks): 32, 8 (226 k parameters); 48, 12 (644 k); 64, 20 (1.7 M); 96, 30 (5.4 M).
    """

    branches: ClassVar[tuple[Branch, ...]] = (Branch("backward", reverse=True), Branch("forward", reverse=False))
    float32_parts = ("feat_extract",)  # it sees the frame, whose 8 bits bf16 would round
    feature_module = "fusion"
    reconstruct_reach = 2  # 3x3 convolutions at 1x, 2x and 4x: 1 + 1/2 + 1/4, and the bilinear base
    flow_channels = 2

    def __init__(self, channels: int = 48, blocks: int = 12) -> None:
        super().__init__()
        self.channels = channels
        self.state_channels = channels
        self.stored_channels = 2 * channels  # the frame's feature and the backward one
        self.working_channels = 6 * channels
        self.feat_extract = Conv(3, channels, 3, padding=1)
        self.forward_net = nn.ModuleList(Conv(channels, channels, 3, padding=1) for _ in range(blocks))
        self.backward_net = nn.ModuleList(Conv(channels, channels, 3, padding=1) for _ in range(blocks))
        self.fusion = Conv(2 * channels, channels, 1)
        self.upsample1 = Shuffle(channels, channels)
        self.upsample2 = Shuffle(channels, LAST)
        self.conv_last = Conv(LAST, 3, 3, padding=1)

    @stage("encode")
    def encode(self, lr: Sequence[Tensor], index: int, *, number: int, length: int | None) -> Features:
        """Extract the frame's own feature."""
        return {"feature": leaky(self.feat_extract(lr[index])).to(self.compute_dtype)}

    def propagate(
        self, branch: str, features: Features, flow: Tensor | None, state: State | None
    ) -> tuple[Tensor, State]:
        """Add the frame's feature to the neighbour's and refine the sum."""
        x = features["feature"] if state is None else state[0] + features["feature"]
        for conv in self.backward_net if branch == "backward" else self.forward_net:
            x = leaky(conv(x))
        return x, (upcast(x),)

    def fade(self, state: State, factor: Tensor) -> State:
        """Return the state as it is: without flow it is not known what stands still."""
        return state

    @stage("reconstruct")
    def reconstruct(self, features: Features) -> Tensor:
        """Fuse both branches, upsample twice by pixel shuffle and add the bilinear upsampling of the frame."""
        x = self.fusion(torch.cat([features["forward"], features["backward"]], 1))
        x = self.conv_last(self.upsample2(self.upsample1(x)))
        return F.interpolate(features["lr"], scale_factor=4, mode="bilinear", align_corners=False) + x


def read_config(shapes: Shapes) -> Config:
    """Read the width from the fusion, the depth from the forward branch."""
    blocks = {key.split(".")[1] for key in shapes if key.startswith("forward_net.")}
    return {"channels": shapes["fusion.weight"][0], "blocks": len(blocks)}


def fold_branches(state: StateDict) -> StateDict:
    """Return a checkpoint's tensors with the branches of each block folded into one convolution.

    Blocks that the authors' tool has folded already (rbr_reparam) only lose that part of their name. Raises KeyError
    where a part of a branch is missing, ValueError where the parts do not fit each other.
    """
    out = {k.replace(".rbr_reparam.", "."): v for k, v in state.items() if ".rbr_" not in k or ".rbr_reparam." in k}
    for name in dict.fromkeys(key.split(".rbr_")[0] for key in state if ".rbr_dense." in key):
        dense, single = state[f"{name}.rbr_dense.0.weight"], state[f"{name}.rbr_1x1.0.weight"]
        if dense.shape != (*single.shape[:2], 3, 3) or single.shape[2:] != (1, 1):
            raise ValueError(f"{name}: kernels of {tuple(dense.shape)} and {tuple(single.shape)}")
        kernel, bias = fold_batch_norm(state, f"{name}.rbr_dense.1", dense)
        point, shift = fold_batch_norm(state, f"{name}.rbr_1x1.1", F.pad(single, (1,) * 4))
        kernel, bias = kernel + point, bias + shift
        if f"{name}.rbr_identity.weight" in state:
            unit = torch.zeros_like(kernel)
            unit[:, :, 1, 1].fill_diagonal_(1)
            same, shift = fold_batch_norm(state, f"{name}.rbr_identity", unit)
            kernel, bias = kernel + same, bias + shift
        out[f"{name}.weight"], out[f"{name}.bias"] = kernel, bias
    return out


def fold_batch_norm(state: StateDict, norm: str, kernel: Tensor) -> tuple[Tensor, Tensor]:
    """Return kernel and bias of a convolution without bias followed by the batch norm `norm`.

    Raises ValueError where the norm has another width.
    """
    if state[f"{norm}.weight"].shape != kernel.shape[:1] or state[f"{norm}.running_var"].shape != kernel.shape[:1]:
        raise ValueError(f"{norm} is not {len(kernel)} wide")
    gain = state[f"{norm}.weight"] / (state[f"{norm}.running_var"] + EPSILON).sqrt()
    return kernel * gain.view(-1, 1, 1, 1), state[f"{norm}.bias"] - state[f"{norm}.running_mean"] * gain


ARCHITECTURE = Architecture("nanovsr", NanoVSR, marker="forward_net.", configure=read_config, adapt=fold_branches)
