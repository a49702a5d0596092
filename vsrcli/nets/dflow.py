"""Difference-flow VSR (Gao et al., BMVC 2022): BasicVSR's loop with flow that is propagated instead of estimated.

Between the first two frames of a branch, a net of large-kernel attention (Guo et al., 2022) estimates the flow. Each
later flow is computed from the last flow and the difference of the two frames by two convolutions. The trunks distil
features in steps (after RFDN, Liu et al., 2020).
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.nets.layers import Conv, enlarge, flow_warp, leaky, upcast
from vsrcli.nets.marks import Architecture, Config, Shapes, count, in_blocks
from vsrcli.nets.observe import stage
from vsrcli.nets.recurrent import Branch, Features, RecurrentNet, State

TAPS = (48, 32, 16)
"""Channels that the trunk's output keeps of its first features and of those after its first and second stage."""


class SpatialGate(nn.Module):
    """Attention over a large neighbourhood: depthwise 5x5, depthwise 7x7 with dilation 3, 1x1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv0 = Conv(channels, channels, 5, padding=2, groups=channels)
        self.conv_spatial = Conv(channels, channels, 7, padding=9, dilation=3, groups=channels)
        self.conv1 = Conv(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply (n, c, h, w) by its attention weights; return the same shape."""
        weights: Tensor = self.conv1(self.conv_spatial(self.conv0(x)))
        return x * weights


class LargeKernelAttention(nn.Module):
    """1x1 convolution, GELU, `SpatialGate`, 1x1 convolution, with a residual connection."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.proj_1 = Conv(channels, channels, 1)
        self.spatial_gating_unit = SpatialGate(channels)
        self.proj_2 = Conv(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, c, h, w) to the same shape."""
        return x + self.proj_2(self.spatial_gating_unit(F.gelu(self.proj_1(x))))


class FirstFlow(nn.Module):
    """Flow between two frames at full size, from three paths: their difference, that of their features, and both."""

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()

        def path() -> nn.Sequential:
            return nn.Sequential(*(LargeKernelAttention(channels) for _ in range(blocks)))

        self.lka1, self.lka2, self.lka3 = path(), path(), path()
        self.conv1 = Conv(3, channels, 3, padding=1)
        self.conv2 = Conv(3, channels, 3, padding=1)
        self.conv3 = Conv(6, channels, 3, padding=1)
        self.convout = Conv(3 * channels, 2, 1)

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Estimate the flow (n, 2, h, w) from `a` to `b`, both (n, 3, h, w)."""
        paths = [
            self.lka1(self.conv1(a - b)),
            self.lka2(self.conv3(torch.cat([a, b], 1))),
            self.lka3(self.conv2(a) - self.conv2(b)),
        ]
        return upcast(self.convout(torch.cat(paths, 1)))


class SpatialAttention(nn.Module):
    """Spatial attention computed at a sixth of the size with half the channels (ESA, Liu et al., 2020)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = channels // 2
        self.conv1 = Conv(channels, inner, 1)
        self.conv_f = Conv(inner, inner, 1)
        self.conv_max = Conv(inner, inner, 3, padding=1)
        self.conv2 = Conv(inner, inner, 3, stride=2)
        self.conv3 = Conv(inner, inner, 3, padding=1)
        self.conv3_ = Conv(inner, inner, 3, padding=1)
        self.conv4 = Conv(inner, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Multiply (n, c, h, w) by its attention weights; return the same shape. Height and width are 15 or more."""
        first = self.conv1(x)
        small = F.max_pool2d(self.conv2(first), 7, stride=3)
        small = F.relu(self.conv3(F.relu(self.conv_max(small))))
        small = F.interpolate(self.conv3_(small), size=x.shape[-2:], mode="bilinear", align_corners=False)
        return x * self.conv4(small + self.conv_f(first)).sigmoid()


class DistillationBlock(nn.Module):
    """RFDB: three steps each keep half the channels and refine all; what is kept is fused and weighted.

    It is residual.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        kept = channels // 2
        self.c1_d, self.c2_d, self.c3_d = (Conv(channels, kept, 1) for _ in range(3))
        self.c1_r, self.c2_r, self.c3_r = (Conv(channels, channels, 3, padding=1) for _ in range(3))
        self.c4 = Conv(channels, kept, 3, padding=1)
        self.c5 = Conv(4 * kept, channels, 1)
        self.esa = SpatialAttention(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, c, h, w) to the same shape."""
        kept, refined = [], x
        for keep, refine in ((self.c1_d, self.c1_r), (self.c2_d, self.c2_r), (self.c3_d, self.c3_r)):
            kept.append(leaky(keep(refined)))
            refined = leaky(refine(refined) + refined)
        kept.append(leaky(self.c4(refined)))
        out: Tensor = x + self.esa(self.c5(torch.cat(kept, 1)))
        return out


class DistillationTrunk(nn.Module):
    """DFD: three stages of `blocks` blocks; parts of the features before each stage are fused into the output."""

    def __init__(self, channels_in: int, channels: int, blocks: int) -> None:
        super().__init__()

        def stack() -> nn.Sequential:
            return nn.Sequential(*(DistillationBlock(channels) for _ in range(blocks)))

        self.inconv = Conv(channels_in, channels, 3, padding=1)
        self.r1, self.r2, self.r3 = stack(), stack(), stack()
        self.conv1, self.conv2, self.conv3 = (Conv(channels, tap, 1) for tap in TAPS)
        self.fusion = Conv(channels + sum(TAPS), channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, channels_in, h, w) to (n, channels, h, w) in the type of `x`."""
        first = leaky(self.inconv(x)).to(x.dtype)
        second = self.r1(first)
        third = self.r2(second)
        parts = [self.r3(third), self.conv1(first), self.conv2(second), self.conv3(third)]
        out: Tensor = first + self.fusion(torch.cat(parts, 1))
        return out


class DFlow(RecurrentNet):
    """A backward and a forward branch, which takes the backward features; both are fused and upsampled by 4.

    The flow is part of a branch's state: it is estimated anew where the branch starts.
    """

    branches: ClassVar[tuple[Branch, ...]] = (Branch("backward", reverse=True), Branch("forward", reverse=False))
    # flow, and what sees the frame itself, whose 8 bits bf16 would round
    float32_parts = (
        *("createflowf", "createflowb", "flowconv1", "flowconv2", "flowconv31", "flowconv32"),
        *("backward_trunk.inconv", "forward_trunk.inconv"),
    )
    feature_module = "fusion"
    min_size = 15
    reconstruct_reach = 3
    state_channels = 69
    working_channels = 900
    flow_channels = 2

    def __init__(self, channels: int = 64, blocks: int = 2) -> None:
        super().__init__()
        self.channels = channels
        self.state_channels = channels + 5
        self.createflowf = FirstFlow(channels, 2)
        self.createflowb = FirstFlow(channels, 2)
        self.flowconv1, self.flowconv2 = Conv(64, 2, 1), Conv(64, 2, 1)
        self.flowconv31, self.flowconv32 = Conv(5, 64, 3, padding=1), Conv(5, 64, 3, padding=1)
        self.backward_trunk = DistillationTrunk(channels + 3, channels, blocks)
        self.forward_trunk = DistillationTrunk(2 * channels + 3, channels, blocks)
        self.fusion = Conv(2 * channels, channels, 1)
        self.upconv1 = Conv(channels, 4 * channels, 3, padding=1)
        self.upconv2 = Conv(channels, 4 * 64, 3, padding=1)
        self.conv_hr = Conv(64, 64, 3, padding=1)
        self.conv_last = Conv(64, 3, 3, padding=1)

    @stage("flow")
    def next_flow(self, branch: str, lr: Tensor, neighbour: Tensor, last: Tensor | None) -> Tensor:
        """Return the flow (n, 2, h, w) from a frame to the branch's previous one; `last` is the flow of the last step.

        It is estimated if `last` is None, else computed from `last` and the difference of the frames (section 3.1).
        """
        backward = branch == "backward"
        if last is None:
            first_flow: Tensor = (self.createflowb if backward else self.createflowf)(lr, neighbour)
            return first_flow
        first, second = (self.flowconv31, self.flowconv1) if backward else (self.flowconv32, self.flowconv2)
        return upcast(second(first(torch.cat([lr - neighbour, last], 1))))

    def propagate(
        self, branch: str, features: Features, flow: Tensor | None, state: State | None
    ) -> tuple[Tensor, State]:
        """Warp the neighbour's feature, concatenate it with the frame and refine it.

        The forward branch also takes the backward feature. The state is (feature, frame) and, after the branch's second
        step, the flow.
        """
        lr = features["lr"]
        if state is None:
            moved: tuple[Tensor, ...] = ()
            warped = lr.new_zeros(lr.shape[0], self.channels, *lr.shape[-2:])
        else:
            moved = (self.next_flow(branch, lr, state[1], state[2] if len(state) > 2 else None),)
            warped = flow_warp(state[0], moved[0])
        if branch == "backward":
            feature: Tensor = self.backward_trunk(torch.cat([lr, warped], 1))
        else:
            feature = self.forward_trunk(torch.cat([lr, warped, features["backward"]], 1))
        return feature.to(self.compute_dtype), (feature, lr, *moved)

    def fade(self, state: State, factor: Tensor) -> State:
        """Return the state as it is: the flow that shows what stands still is not known before the step."""
        return state

    def reconstruct(self, features: Features) -> Tensor:
        """Fuse both branches, upsample twice by pixel shuffle and add the bilinear upsampling of the frame."""
        x = leaky(self.fusion(torch.cat([features["backward"], features["forward"]], 1)))
        return enlarge(x, features["lr"], self.upconv1, self.upconv2, self.conv_hr, self.conv_last)


def read_config(shapes: Shapes) -> Config:
    """Read width and depth from the backward trunk."""
    return {
        "channels": shapes["backward_trunk.inconv.weight"][0],
        "blocks": count(shapes, r"backward_trunk\.r1\.\d+\.c5\.weight"),
    }


ARCHITECTURE = Architecture(
    "dflow",
    DFlow,
    marker="createflowf.",
    configure=read_config,
    kernels=in_blocks(18),
    before=("basicvsr", "basicvsr-uni"),
)
