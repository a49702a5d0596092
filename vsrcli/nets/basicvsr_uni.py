"""BasicVSR in one direction (Chan et al., CVPR 2021, section 3.1 and Fig. 4): what the backward branch is worth.

The paper's variant has "comparable network complexity" and no more is said of it: here the forward trunk has the blocks
of both branches, 60, and a 1x1 convolution of its feature alone takes the place of the fusion. It streams.
"""

from typing import ClassVar

from torch import Tensor

from vsrcli.nets.basicvsr import BasicVSR
from vsrcli.nets.layers import Conv, enlarge, leaky
from vsrcli.nets.marks import Architecture, Config, Shapes, trunk_config
from vsrcli.nets.recurrent import Branch, Features


class BasicVSRUni(BasicVSR):
    """BasicVSR with its forward branch alone. As many weights as BasicVSR: 64 channels, 60 blocks."""

    branches: ClassVar[tuple[Branch, ...]] = (Branch("forward", reverse=False),)
    float32_parts: ClassVar[tuple[str, ...]] = ("forward_trunk.main.0",)
    int8_parts: ClassVar[tuple[str, ...]] = BasicVSR.int8_parts[1:]

    def __init__(self, channels: int = 64, blocks: int = 60) -> None:
        super().__init__(channels, blocks)
        del self.backward_trunk
        self.fusion = Conv(channels, channels, 1)

    def reconstruct(self, features: Features) -> Tensor:
        """Upsample the forward feature twice by pixel shuffle and add the bilinear upsampling of the frame."""
        x = leaky(self.fusion(features["forward"]))
        return enlarge(x, features["lr"], self.upconv1, self.upconv2, self.conv_hr, self.conv_last)


def read_config(shapes: Shapes) -> Config:
    """Read width and depth from the trunk."""
    return trunk_config(shapes, "forward_trunk")


ARCHITECTURE = Architecture("basicvsr-uni", BasicVSRUni, marker="forward_trunk.", configure=read_config)
