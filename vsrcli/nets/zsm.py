"""Zooming Slow-Mo (Xiang et al., CVPR 2020): new frames between, and all of them upscaled, by one net.

The feature of a new frame is sampled from its neighbours' by deformable convolutions, then a deformable ConvLSTM runs
over all frames both ways. So the net takes frames in the new count: where it is told that every second one lies
`between`, of those only the place counts, not the picture. Without that it upscales the frames there are. The two
directions share their weights, and no enlarged frame is added. The authors' weights are under GPL-3.0.
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from vsrcli.nets.edvr_features import DeformPack, Pyramid
from vsrcli.nets.layers import Conv, ResidualBlock, leaky, upcast, upsample_by_2, upsample_detail
from vsrcli.nets.marks import Architecture, Config, Shapes, count, renamed
from vsrcli.nets.observe import stage
from vsrcli.nets.recurrent import Branch, Features, RecurrentNet, State

SIDES = (1, 2)


class SidedAlign(nn.Module):
    """One side of the pyramid alignment (section 3.2): one frame's features moved to a place that two frames show.

    It is EDVR's without its cascading convolution and without an activation at the end.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()

        def conv(inputs: int) -> Conv:
            return Conv(inputs * channels, channels, 3, padding=1)

        for level in ("L3", "L2", "L1"):
            self.add_module(f"{level}_offset_conv1", conv(2))
            self.add_module(f"{level}_offset_conv2", conv(1 if level == "L3" else 2))
            self.add_module(f"{level}_dcnpack", DeformPack(channels))
            if level != "L3":
                self.add_module(f"{level}_offset_conv3", conv(1))
                self.add_module(f"{level}_fea_conv", conv(2))

    def forward(self, own: Pyramid, other: Pyramid) -> Tensor:
        """Return the frame's features (n, c, h, w), moved, of its pyramid and the other's."""
        part = self.get_submodule
        offset = leaky(part("L3_offset_conv1")(torch.cat([own[2], other[2]], 1)))
        offset = leaky(part("L3_offset_conv2")(offset))
        feature = leaky(part("L3_dcnpack")(own[2], offset))
        for level, near, far in (("L2", own[1], other[1]), ("L1", own[0], other[0])):
            lower = upsample_by_2(offset) * 2.0  # a pixel of the lower level is two of this one
            offset = leaky(part(f"{level}_offset_conv1")(torch.cat([near, far], 1)))
            offset = leaky(part(f"{level}_offset_conv2")(torch.cat([offset, lower], 1)))
            offset = leaky(part(f"{level}_offset_conv3")(offset))
            sampled = part(f"{level}_dcnpack")(near, offset)
            feature = part(f"{level}_fea_conv")(torch.cat([sampled, upsample_by_2(feature)], 1))
            if level == "L2":
                feature = leaky(feature)
        return feature


class PairAlign(nn.Module):
    """Both sides: each of two frames' features moved to a place between them, (n, 2c, h, w)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.sides = nn.ModuleList(SidedAlign(channels) for _ in SIDES)

    def forward(self, first: Pyramid, second: Pyramid) -> Tensor:
        """Return two frames' features side by side, of their pyramids."""
        return torch.cat([self.sides[0](first, second), self.sides[1](second, first)], 1)


class Levels(nn.Module):
    """Pyramid of a frame's features (n, c, h, w) at three sizes."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        for level in ("L2", "L3"):
            self.add_module(f"fea_{level}_conv1", Conv(channels, channels, 3, stride=2, padding=1))
            self.add_module(f"fea_{level}_conv2", Conv(channels, channels, 3, padding=1))

    def pyramid(self, feature: Tensor) -> Pyramid:
        """Return features (n, c, h, w), sides divisible by 4, at full, half and quarter size."""
        levels = [feature]
        for level in ("L2", "L3"):
            for step in ("conv1", "conv2"):
                feature = leaky(self.get_submodule(f"fea_{level}_{step}")(feature))
            levels.append(feature)
        return levels[0], levels[1], levels[2]


class StateAlign(Levels):
    """Alignment of a state with the current frame's feature, at the first step too."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.pcd_align = PairAlign(channels)
        self.fusion = Conv(2 * channels, channels, 1)

    def forward(self, feature: Tensor, state: Tensor) -> Tensor:
        """Return the state, moved; feature and state are (n, c, h, w)."""
        out: Tensor = self.fusion(self.pcd_align(self.pyramid(feature), self.pyramid(state)))
        return out


class DeformableLSTM(nn.Module):
    """One step of the ConvLSTM (section 3.3): hidden and cell state are aligned, then gates i, f, o and g."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gates = Conv(2 * channels, 4 * channels, 3, padding=1)
        self.pcd_h, self.pcd_c = StateAlign(channels), StateAlign(channels)

    def forward(self, feature: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """Return the next hidden and cell state; feature, hidden and cell state are (n, c, h, w)."""
        hidden, cell = self.pcd_h(feature, hidden), upcast(self.pcd_c(feature, cell))
        gates = upcast(self.gates(torch.cat([feature, hidden], 1)))
        take, keep, give, new = gates.chunk(4, 1)
        cell = keep.sigmoid() * cell + take.sigmoid() * new.tanh()
        return give.sigmoid() * cell.tanh(), cell


class ZoomingSlowMo(Levels, RecurrentNet):
    """The net, x4. Published: 5 and 40 blocks of 64 channels (11.1 M parameters).

    `between` says that the frames of odd numbers in a scene are new ones, to be made of their neighbours.
    """

    branches: ClassVar[tuple[Branch, ...]] = (Branch("backward", reverse=True), Branch("forward", reverse=False))
    float32_parts = ("conv_first",)  # it sees the frame, whose 8 bits bf16 would round
    feature_module = "recon_trunk"
    interpolates = True
    context = 1
    multiple = 4
    min_size = 8
    state_channels = 128
    working_channels = 1500
    flow_channels = 2

    def __init__(self, channels: int = 64, blocks: int = 5, reconstruction_blocks: int = 40) -> None:
        super().__init__(channels)
        self.channels = self.stored_channels = channels
        self.reconstruct_reach = 2 * reconstruction_blocks + 3
        self.conv_first = Conv(3, channels, 3, padding=1)
        self.feature_extraction = nn.Sequential(*(ResidualBlock(channels) for _ in range(blocks)))
        self.pcd_align = PairAlign(channels)
        self.fusion = Conv(2 * channels, channels, 1)
        self.lstm = DeformableLSTM(channels)
        self.conv_1x1 = Conv(2 * channels, channels, 1)
        self.recon_trunk = nn.Sequential(*(ResidualBlock(channels) for _ in range(reconstruction_blocks)))
        self.upconv1 = Conv(channels, 4 * channels, 3, padding=1)
        self.upconv2 = Conv(channels, 4 * 64, 3, padding=1)
        self.HRconv = Conv(64, 64, 3, padding=1)
        self.conv_last = Conv(64, 3, 3, padding=1)

    @stage("encode")
    def encode(self, lr: Sequence[Tensor], index: int, *, number: int, length: int | None) -> Features:
        """Return the frame's own feature, or that of a new frame, fused from its neighbours' (section 3.2)."""
        is_last = length is not None and number + 1 == length
        if not (self.between and number % 2) or is_last:
            return {"feature": self.feature(lr[index]).to(self.compute_dtype)}
        before, after = (self.pyramid(self.feature(lr[i])) for i in (index - 1, index + 1))
        return {"feature": self.fusion(self.pcd_align(before, after)).to(self.compute_dtype)}

    def feature(self, frame: Tensor) -> Tensor:
        """Return the feature (n, channels, h, w) of a frame (n, 3, h, w)."""
        out: Tensor = self.feature_extraction(upcast(leaky(self.conv_first(frame))))
        return out

    def propagate(
        self, branch: str, features: Features, flow: Tensor | None, state: State | None
    ) -> tuple[Tensor, State]:
        """Run one step of the ConvLSTM. The state is (hidden, cell); zeros are aligned too."""
        feature = features["feature"]
        if state is None:
            zeros = torch.zeros_like(upcast(feature))
            state = (zeros, zeros)
        after = self.lstm(feature, *state)
        return after[0].to(self.compute_dtype), after

    @stage("reconstruct")
    def reconstruct(self, features: Features) -> Tensor:
        """Join both directions, refine, upsample twice by pixel shuffle. No enlarged frame is added."""
        x = self.recon_trunk(upcast(self.conv_1x1(torch.cat([features["forward"], features["backward"]], 1))))
        return upcast(upsample_detail(x, self.upconv1, self.upconv2, self.HRconv, self.conv_last))

    def slow_motion(self, clip: Tensor) -> Tensor:
        """Upscale whole clips with new frames between: (n, t, 3, h, w) -> (n, 2*t - 1, 3, 4*h, 4*w)."""
        among = clip.repeat_interleave(2, 1)[:, :-1]
        self.between, asked = True, self.between
        try:
            out: Tensor = self(among)
        finally:
            self.between = asked
        return out


def read_config(shapes: Shapes) -> Config:
    """Read width and depths."""
    return {
        "channels": shapes["conv_first.weight"][0],
        "blocks": count(shapes, r"feature_extraction\.\d+\.conv1\.weight"),
        "reconstruction_blocks": count(shapes, r"recon_trunk\.\d+\.conv1\.weight"),
    }


ARCHITECTURE = Architecture(
    "zsm",
    ZoomingSlowMo,
    marker=("ConvBLSTM.", "lstm."),
    configure=read_config,
    adapt=renamed(
        (r"^ConvBLSTM\.forward_net\.cell_list\.0\.(conv\.)?", "lstm.gates."),
        (r"^ConvBLSTM\.forward_net\.", "lstm."),
        (r"^ConvBLSTM\.conv_1x1\.", "conv_1x1."),
        (r"(^|\.)pcd_align\.(L\d_\w+)_1\.", r"\1pcd_align.sides.0.\2."),
        (r"(^|\.)pcd_align\.(L\d_\w+)_2\.", r"\1pcd_align.sides.1.\2."),
        (r"\.conv_offset_mask\.", ".conv_offset."),
    ),
    bounds={"reconstruction_blocks": (0, 128)},
)
