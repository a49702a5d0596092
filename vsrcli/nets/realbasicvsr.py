"""RealBasicVSR (Chan et al., CVPR 2022): BasicVSR on frames that are first cleaned of noise and compression."""

from typing import ClassVar

from torch import Tensor, nn

from vsrcli.nets.basicvsr import BasicVSR
from vsrcli.nets.layers import Conv, ResidualTrunk
from vsrcli.nets.marks import Architecture, Config, Shapes, trunk_config
from vsrcli.nets.observe import stage

MAX_PASSES = 3


class RealBasicVSR(BasicVSR):
    """BasicVSR on frames cleaned by `passes` passes of a cleaning module; flow, branches and base all use these frames.

    The authors' tests clean again while the mean change over all frames given at once is at least 5/255 (section 3.2,
    at most `MAX_PASSES` passes), so their result depends on how a video is cut into clips. Here the number is fixed.
    One pass, the default, is what the authors' own demo does: its threshold of 255/255 is never reached. Each further
    pass makes noisy frames smoother and costs as much time again.
    """

    prepares: ClassVar[bool] = True
    float32_parts = ("image_cleaning.0.main.0", *BasicVSR.float32_parts)
    int8_parts = ("image_cleaning.0.main.2", *BasicVSR.int8_parts)
    stored_channels = 70  # the backward feature, and the cleaned frame in float32

    def __init__(self, channels: int = 64, blocks: int = 20, *, cleaning_blocks: int = 20, passes: int = 1) -> None:
        if passes not in range(1, MAX_PASSES + 1):
            raise ValueError(f"passes must be from 1 to {MAX_PASSES}, not {passes}")
        super().__init__(channels, blocks)
        self.passes = passes
        self.image_cleaning = nn.Sequential(
            ResidualTrunk(3, channels, cleaning_blocks), Conv(channels, 3, 3, padding=1)
        )

    @stage("encode")
    def prepare(self, lr: Tensor) -> Tensor:
        """Add the residue of the cleaning module `passes` times (section 3.1)."""
        for _ in range(self.passes):
            lr = lr + self.image_cleaning(lr)
        return lr


def read_config(shapes: Shapes) -> Config:
    """Read width and depth from the backward trunk, the cleaning module's depth from its own."""
    cleaning = trunk_config(shapes, "image_cleaning.0")
    return {**trunk_config(shapes, "backward_trunk"), "cleaning_blocks": cleaning["blocks"]}


ARCHITECTURE = Architecture(
    "realbasicvsr",
    RealBasicVSR,
    marker="image_cleaning.",
    configure=read_config,
    bounds={"cleaning_blocks": (0, 128), "passes": (1, 16)},
    before=("basicvsr", "basicvsr-uni"),
)
