"""BasicVSR++ (Chan et al., CVPR 2022): second-order grid propagation with flow-guided deformable alignment."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from vsrcli.nets.deform import DeformConv
from vsrcli.nets.layers import Conv, ResidualTrunk, enlarge, flow_warp, upcast
from vsrcli.nets.marks import Architecture, Config, Shapes, renamed, trunk_config
from vsrcli.nets.recurrent import Branch, Features, RecurrentNet, State
from vsrcli.nets.spynet import SpyNet

GROUPS = 16
"""Deformable groups: 8 for the previous state and 8 for the one before; 16 * 9 taps * (dy, dx, mask) = 432 channels."""

MAX_RESIDUE = 10.0
"""Largest distance in pixels between an offset and the flow."""


class FlowGuidedAlign(DeformConv):
    """Deformable alignment of the two previous states, with offsets predicted as residues to their flows (eqs. 3-5)."""

    def __init__(self, channels: int) -> None:
        super().__init__(2 * channels, channels)
        layers: list[nn.Module] = []
        for c_in, c_out in ((3 * channels + 4, channels), (channels, channels), (channels, channels)):
            layers += [Conv(c_in, c_out, 3, padding=1), nn.LeakyReLU(0.1, inplace=True)]
        last = Conv(channels, 27 * GROUPS, 3, padding=1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]
        self.conv_offset = nn.Sequential(*layers, last)

    def forward(self, states: Tensor, condition: Tensor, flow1: Tensor, flow2: Tensor) -> Tensor:
        """Align two states with the current frame and return one feature (n, c, h, w).

        Args:
            states: both states (n, 2*c, h, w).
            condition: both warped states and the current feature (n, 3*c, h, w).
            flow1: flow (n, 2, h, w) from the current frame to that of the first state.
            flow2: the same for the second state.
        """
        raw = self.conv_offset(torch.cat([condition, flow1, flow2], 1))
        flows = torch.stack([flow1, flow2], 1).flip(2)[:, :, None]  # (n, state, 1, (dy, dx), h, w)

        def taps(rows: slice) -> tuple[Tensor, Tensor]:
            residue, mask = upcast(raw[:, :, rows].contiguous()).split((18 * GROUPS, 9 * GROUPS), 1)
            residue = residue.tanh().unflatten(1, (2, -1, 2))
            offset = torch.add(flows[..., rows, :], residue, alpha=MAX_RESIDUE)
            return offset.flatten(1, 3), mask.sigmoid()

        return self.convolve(states, taps, GROUPS)


class BasicVSRPP(RecurrentNet):
    """Two rounds of backward and forward branches, each fed by all earlier ones, then fusion and upsampling by 4."""

    branches: ClassVar[tuple[Branch, ...]] = (
        Branch("backward_1", reverse=True),
        Branch("forward_1", reverse=False),
        Branch("backward_2", reverse=True),
        Branch("forward_2", reverse=False),
    )
    float32_parts = ("feat_extract.main.0",)  # they see the frame, whose 8 bits bf16 would round
    min_size = 64
    reconstruct_reach = 14  # as BasicVSR, after a trunk of 11 convolutions
    stored_channels = 256
    state_channels = 130
    working_channels = 1500
    feature_module = "reconstruction"

    def __init__(self, channels: int = 64, blocks: int = 7) -> None:
        super().__init__()
        self.channels = channels
        names = [branch.name for branch in self.branches]
        self.spynet = SpyNet()
        self.feat_extract = ResidualTrunk(3, channels, 5)
        self.deform_align = nn.ModuleDict({name: FlowGuidedAlign(channels) for name in names})
        self.backbone = nn.ModuleDict(
            {name: ResidualTrunk((2 + i) * channels, channels, blocks) for i, name in enumerate(names)}
        )
        self.reconstruction = ResidualTrunk(5 * channels, channels, 5)
        self.upsample1 = nn.ModuleDict({"upsample_conv": Conv(channels, 4 * channels, 3, padding=1)})
        self.upsample2 = nn.ModuleDict({"upsample_conv": Conv(channels, 4 * 64, 3, padding=1)})
        self.conv_hr = Conv(64, 64, 3, padding=1)
        self.conv_last = Conv(64, 3, 3, padding=1)

    def flow(self, frame: Tensor, neighbour: Tensor) -> Tensor:
        """Estimate the flow with SPyNet."""
        out: Tensor = self.spynet(frame, neighbour)
        return out

    def encode(self, lr: Sequence[Tensor], index: int, *, number: int, length: int | None) -> Features:
        """Extract the frame's own feature."""
        return {"spatial": self.feat_extract(lr[index]).to(self.compute_dtype)}

    def propagate(
        self, branch: str, features: Features, flow: Tensor | None, state: State | None
    ) -> tuple[Tensor, State]:
        """Align the two previous states and refine them with the features of all earlier branches (eqs. 1-2).

        The state is (feature,) after the branch's first step, then (feature, feature of the frame before, flow from
        this frame to that one).
        """
        known = [features["spatial"]]
        for earlier in self.branches:
            if earlier.name == branch:
                break
            known.append(features[earlier.name])
        if state is None or flow is None:
            lr = features["lr"]
            aligned = lr.new_zeros(lr.shape[0], self.channels, *lr.shape[-2:])
        else:
            aligned = upcast(self.align(branch, features["spatial"], flow, state))
        feature = aligned + self.backbone[branch](torch.cat([*known, aligned], 1))
        after = (feature,) if state is None or flow is None else (feature, state[0], flow)
        return feature.to(self.compute_dtype), after

    def align(self, branch: str, current: Tensor, flow: Tensor, state: State) -> Tensor:
        """Align the one or two previous states with this frame; a missing state counts as zeros."""
        previous = state[0]
        warped = flow_warp(previous, flow)
        if len(state) == 1:
            before = warped_before = torch.zeros_like(previous)
            flow_before = torch.zeros_like(flow)
        else:
            _, before, step = state
            flow_before = flow + flow_warp(step, flow)
            warped_before = flow_warp(before, flow_before)
        condition = torch.cat([warped, current, warped_before], 1)
        states = torch.cat([previous, before], 1)
        out: Tensor = self.deform_align[branch](states, condition, flow, flow_before)
        return out

    def fade(self, state: State, factor: Tensor) -> State:
        """Return the state with its features multiplied by `factor` (n, 1, h, w); its flow is unchanged."""
        feature, *before = state
        return (feature * factor, before[0] * factor, before[1]) if before else (feature * factor,)

    def reconstruct(self, features: Features) -> Tensor:
        """Fuse the frame's own feature with those of all branches, refine and upsample onto the bilinear upsampling."""
        names = ["spatial", *(branch.name for branch in self.branches)]
        x = self.reconstruction(upcast(torch.cat([features[name] for name in names], 1)))
        upsample1, upsample2 = self.upsample1["upsample_conv"], self.upsample2["upsample_conv"]
        return enlarge(x, features["lr"], upsample1, upsample2, self.conv_hr, self.conv_last)


def read_config(shapes: Shapes) -> Config:
    """Read width and depth from the first backward trunk."""
    return trunk_config(shapes, "backbone.backward_1")


ARCHITECTURE = Architecture(
    "basicvsr++",
    BasicVSRPP,
    marker="backbone.",
    configure=read_config,
    adapt=renamed((r"^upconv(\d)\.", r"upsample\1.upsample_conv.")),
)
