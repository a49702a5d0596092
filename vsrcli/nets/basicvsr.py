"""BasicVSR (Chan et al., CVPR 2021, section 3.1): bidirectional propagation of flow-aligned features."""

from typing import ClassVar

import torch
from torch import Tensor

from vsrcli.nets.layers import Conv, ResidualTrunk, enlarge, flow_warp, leaky
from vsrcli.nets.marks import Architecture, Config, Shapes, trunk_config
from vsrcli.nets.recurrent import Branch, Features, RecurrentNet, State
from vsrcli.nets.spynet import SpyNet


class BasicVSR(RecurrentNet):
    """A backward and a forward branch, whose features are fused by a 1x1 convolution and upsampled by 4."""

    branches: ClassVar[tuple[Branch, ...]] = (Branch("backward", reverse=True), Branch("forward", reverse=False))
    # these see the frame itself, whose 8 bits bf16 would round
    float32_parts: ClassVar[tuple[str, ...]] = ("backward_trunk.main.0", "forward_trunk.main.0")
    int8_parts: ClassVar[tuple[str, ...]] = (
        "backward_trunk.main.2",
        "forward_trunk.main.2",
        "upconv1",
        "upconv2",
        "conv_hr",
    )
    reconstruct_reach = 3  # 3x3 convolutions at 1x, 2x, 4x and 4x: 1 + 1/2 + 1/4 + 1/4, and the bilinear base
    feature_module: ClassVar[str] = "fusion"

    def __init__(self, channels: int = 64, blocks: int = 30) -> None:
        super().__init__()
        self.channels = channels
        self.spynet = SpyNet()
        self.backward_trunk = ResidualTrunk(channels + 3, channels, blocks)
        self.forward_trunk = ResidualTrunk(channels + 3, channels, blocks)
        self.fusion = Conv(2 * channels, channels, 1)
        self.upconv1 = Conv(channels, 4 * channels, 3, padding=1)
        self.upconv2 = Conv(channels, 4 * 64, 3, padding=1)
        self.conv_hr = Conv(64, 64, 3, padding=1)
        self.conv_last = Conv(64, 3, 3, padding=1)

    def flow(self, frame: Tensor, neighbour: Tensor) -> Tensor:
        """Estimate the flow with SPyNet."""
        out: Tensor = self.spynet(frame, neighbour)
        return out

    def propagate(
        self, branch: str, features: Features, flow: Tensor | None, state: State | None
    ) -> tuple[Tensor, State]:
        """Warp the neighbour's feature, join it with the frame and refine it by the branch's trunk (eqs. 2-3)."""
        lr = features["lr"]
        if state is None or flow is None:
            warped = lr.new_zeros(lr.shape[0], self.channels, *lr.shape[-2:])
        else:
            warped = flow_warp(state[0], flow)
        trunk = self.backward_trunk if branch == "backward" else self.forward_trunk
        feature: Tensor = trunk(torch.cat([lr, warped], 1))
        return feature.to(self.compute_dtype), (feature,)

    def reconstruct(self, features: Features) -> Tensor:
        """Fuse both branches, upsample twice by pixel shuffle and add the bilinear upsampling of the frame."""
        x = leaky(self.fusion(torch.cat([features["backward"], features["forward"]], 1)))
        return enlarge(x, features["lr"], self.upconv1, self.upconv2, self.conv_hr, self.conv_last)


def read_config(shapes: Shapes) -> Config:
    """Read width and depth from the backward trunk."""
    return trunk_config(shapes, "backward_trunk")


ARCHITECTURE = Architecture(
    "basicvsr", BasicVSR, marker="backward_trunk.", configure=read_config, before=("basicvsr-uni",)
)
