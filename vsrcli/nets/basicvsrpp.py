"""BasicVSR++ (Chan et al., CVPR 2022): second-order grid propagation with flow-guided deformable alignment.

Weights that only restore (deblurring, denoising, decompression; scale 1) work on frames that two strided convolutions
have made a quarter as large, and add the result to the frame itself. What such a net keeps of a frame is handed on at
the frame's own size all the same, so that windows and tiles need know nothing of it: 16 channels of a quarter's size
are one of the whole size.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.nets.deform import DeformConv
from vsrcli.nets.layers import Conv, ResidualTrunk, enlarge, flow_warp, leaky, upcast, upsample_detail
from vsrcli.nets.marks import Architecture, Config, Shapes, count, renamed, trunk_config
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


QUARTER = 4
"""Factor by which frames are downscaled at scale 1."""


class BasicVSRPP(RecurrentNet):
    """Two rounds of backward and forward branches, each fed by all before it; all are joined and upsampled.

    `scale` is 4, 2 (one pixel shuffle), or 1. At 1 `channels` must be a multiple of 16.
    """

    branches: ClassVar[tuple[Branch, ...]] = (
        Branch("backward_1", reverse=True),
        Branch("forward_1", reverse=False),
        Branch("backward_2", reverse=True),
        Branch("forward_2", reverse=False),
    )
    float32_parts = ("feat_extract.main.0", "feat_extract.0")  # they see the frame, whose 8 bits bf16 would round
    int8_parts = (
        *("feat_extract.main.2", "feat_extract.4.main.2"),
        *(f"backbone.{name}.main.2" for name in ("backward_1", "forward_1", "backward_2", "forward_2")),
        *("reconstruction.main.2", "upsample1", "upsample2", "conv_hr"),
    )
    min_size = 64
    reconstruct_reach = 14  # as BasicVSR, after a trunk of 11 convolutions
    stored_channels = 256
    state_channels = 130
    working_channels = 1500
    feature_module = "reconstruction"

    def __init__(self, channels: int = 64, blocks: int = 7, scale: int = 4) -> None:
        super().__init__()
        if scale not in (1, 2, 4):
            raise ValueError(f"scale {scale} is not 1, 2 or 4")
        self.channels, self.scale = channels, scale
        names = [branch.name for branch in self.branches]
        self.spynet = SpyNet()
        self.feat_extract: nn.Module = ResidualTrunk(3, channels, 5)
        if scale == 1:
            if channels % QUARTER**2:
                raise ValueError(f"{channels} channels are no multiple of {QUARTER**2}")
            self.multiple, self.min_size, self.reconstruct_reach = QUARTER, QUARTER * self.min_size, 0
            self.feat_extract = nn.Sequential(
                Conv(3, channels, 3, stride=2, padding=1),
                nn.LeakyReLU(0.1, inplace=True),
                Conv(channels, channels, 3, stride=2, padding=1),
                nn.LeakyReLU(0.1, inplace=True),
                ResidualTrunk(channels, channels, 5),
            )
        self.deform_align = nn.ModuleDict({name: FlowGuidedAlign(channels) for name in names})
        self.backbone = nn.ModuleDict(
            {name: ResidualTrunk((2 + i) * channels, channels, blocks) for i, name in enumerate(names)}
        )
        self.reconstruction = ResidualTrunk(5 * channels, channels, 5)
        between = 64 if scale == 2 else channels
        self.upsample1 = nn.ModuleDict({"upsample_conv": Conv(channels, 4 * between, 3, padding=1)})
        if scale != 2:
            self.upsample2 = nn.ModuleDict({"upsample_conv": Conv(channels, 4 * 64, 3, padding=1)})
        self.conv_hr = Conv(64, 64, 3, padding=1)
        self.conv_last = Conv(64, 3, 3, padding=1)

    def flow(self, frame: Tensor, neighbour: Tensor) -> Tensor:
        """Return SPyNet's flow; with scale 1, that of frames a quarter the size, in their pixels, each 4x4 times."""
        if self.scale != 1:
            out: Tensor = self.spynet(frame, neighbour)
            return out
        small = [F.interpolate(x, scale_factor=1 / QUARTER, mode="bicubic") for x in (frame, neighbour)]
        return F.interpolate(self.spynet(*small), scale_factor=QUARTER, mode="nearest")

    def _whole(self, feature: Tensor) -> Tensor:
        """Return a feature (n, c, h, w) as it is handed on: at the frame's own size."""
        return F.pixel_shuffle(feature, QUARTER) if self.scale == 1 else feature

    def _inner(self, feature: Tensor) -> Tensor:
        """Return a feature that was handed on at the size at which the net works."""
        return F.pixel_unshuffle(feature, QUARTER) if self.scale == 1 else feature

    def _inner_flow(self, flow: Tensor) -> Tensor:
        return flow[..., ::QUARTER, ::QUARTER] if self.scale == 1 else flow

    def encode(self, lr: Sequence[Tensor], index: int, *, number: int, length: int | None) -> Features:
        """Return the frame's own feature."""
        return {"spatial": self._whole(self.feat_extract(lr[index]).to(self.compute_dtype))}

    def propagate(
        self, branch: str, features: Features, flow: Tensor | None, state: State | None
    ) -> tuple[Tensor, State]:
        """Align the two previous states and refine them with the features of all earlier branches (eqs. 1-2).

        The state is (feature,) after the branch's first step, then (feature, feature of the frame before, flow from
        this frame to that one).
        """
        current = self._inner(features["spatial"])
        known = [current]
        for earlier in self.branches:
            if earlier.name == branch:
                break
            known.append(self._inner(features[earlier.name]))
        if state is None or flow is None:
            aligned = features["lr"].new_zeros(current.shape)
        else:
            aligned = upcast(self.align(branch, current, flow, state))
        feature = self._whole(aligned + self.backbone[branch](torch.cat([*known, aligned], 1)))
        after = (feature,) if state is None or flow is None else (feature, state[0], flow)
        return feature.to(self.compute_dtype), after

    def align(self, branch: str, current: Tensor, flow: Tensor, state: State) -> Tensor:
        """Align the state or states before with this frame; a state that is not there yet counts as zeros."""
        previous, flow = self._inner(state[0]), self._inner_flow(flow)
        warped = flow_warp(previous, flow)
        if len(state) == 1:
            before = warped_before = torch.zeros_like(previous)
            flow_before = torch.zeros_like(flow)
        else:
            before, step = self._inner(state[1]), self._inner_flow(state[2])
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
        """Join the frame's feature with all branches', refine, upsample onto the bilinear enlargement, or the frame."""
        names = ["spatial", *(branch.name for branch in self.branches)]
        x = self.reconstruction(upcast(torch.cat([self._inner(features[name]) for name in names], 1)))
        upsample1 = self.upsample1["upsample_conv"]
        if self.scale == 2:
            detail: Tensor = self.conv_last(leaky(self.conv_hr(leaky(F.pixel_shuffle(upsample1(x), 2)))))
            return F.interpolate(features["lr"], scale_factor=2, mode="bilinear", align_corners=False) + detail
        upsample2 = self.upsample2["upsample_conv"]
        if self.scale == 1:
            return features["lr"] + upsample_detail(x, upsample1, upsample2, self.conv_hr, self.conv_last)
        return enlarge(x, features["lr"], upsample1, upsample2, self.conv_hr, self.conv_last)


def read_config(shapes: Shapes) -> Config:
    """Read width and depth from the first backward trunk, and the scale from what stands at the net's two ends."""
    config = trunk_config(shapes, "backbone.backward_1")
    if "feat_extract.0.weight" in shapes:
        return config | {"scale": 1}
    return config if count(shapes, r"(upsample2\.upsample_conv|upconv2)\.weight") else config | {"scale": 2}


ARCHITECTURE = Architecture(
    "basicvsr++",
    BasicVSRPP,
    marker="backbone.",
    configure=read_config,
    adapt=renamed((r"^upconv(\d)\.", r"upsample\1.upsample_conv.")),
)
