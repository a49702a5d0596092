"""EDVR (Wang et al., CVPRW 2019): a window of frames, aligned by deformable pyramids and fused by attention."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from vsrcli.nets.edvr_features import EDVRFeatureExtractor
from vsrcli.nets.layers import Conv, ResidualBlock, enlarge, upcast, upsample_detail
from vsrcli.nets.marks import Architecture, Config, Shapes, count
from vsrcli.nets.recurrent import Branch, Features, RecurrentNet, State


class EDVR(RecurrentNet, EDVRFeatureExtractor):
    """EDVR as a net of its own: it uses a sliding window and has no recurrent state.

    Published: M (64 channels, 10 blocks, 5 frames), L (128 channels, 40 blocks, 5 or 7 frames), and L with `deblur`.
    With `fine` it only deblurs: the output has the size of the input.
    """

    branches: ClassVar[tuple[Branch, ...]] = (Branch("window", reverse=False),)
    float32_parts = ("conv_first", "predeblur.conv_first")  # it sees the frame, whose 8 bits bf16 would round
    multiple = 4
    reconstruct_reach = 3
    working_channels = 1700
    feature_module = "reconstruction"

    def __init__(
        self,
        channels: int = 64,
        frames: int = 5,
        blocks: int = 10,
        *,
        attention: bool = True,
        deblur: bool = False,
        fine: bool = False,
    ) -> None:
        if fine and not deblur:
            raise ValueError("fine frames need deblur")
        super().__init__(channels, frames, attention=attention, deblur=deblur, fine=fine)
        if fine:
            self.scale, self.multiple, self.reconstruct_reach = 1, 16, 0
        self.working_channels = 1700 * channels // 64
        self.padding = frames // 2
        self.context = 2 * self.padding
        self.reconstruction = nn.Sequential(*(ResidualBlock(channels) for _ in range(blocks)))
        self.upconv1 = Conv(channels, 4 * channels, 3, padding=1)
        self.upconv2 = Conv(channels, 4 * 64, 3, padding=1)
        self.conv_hr = Conv(64, 64, 3, padding=1)
        self.conv_last = Conv(64, 3, 3, padding=1)

    def flow(self, frame: Tensor, neighbour: Tensor) -> Tensor:
        """Return zeros: EDVR uses no flow."""
        return torch.zeros_like(frame[:, :2])

    def encode(self, lr: Sequence[Tensor], index: int, *, number: int, length: int | None) -> Features:
        """Align and fuse the window around the frame."""
        numbers = window_numbers(number, self.padding, length, repeat=self.deblur)
        return {"fused": self.fuse([lr[index + n - number] for n in numbers]).to(self.compute_dtype)}

    def propagate(
        self, branch: str, features: Features, flow: Tensor | None, state: State | None
    ) -> tuple[Tensor, State]:
        """Refine the fused feature. The state is empty."""
        return self.reconstruction(upcast(features["fused"])).to(self.compute_dtype), ()

    def reconstruct(self, features: Features) -> Tensor:
        """Upsample the refined feature onto the bilinear upsampling of the frame, with `fine` onto the frame itself."""
        convs = (self.upconv1, self.upconv2, self.conv_hr, self.conv_last)
        if self.scale == 1:
            return features["lr"] + upsample_detail(features["window"], *convs)
        return enlarge(features["window"], features["lr"], *convs)


def window_numbers(number: int, padding: int, length: int | None, *, repeat: bool = False) -> list[int]:
    """Return the frame numbers of the window around frame `number` of a scene.

    Frames missing on one side are taken from beyond the other side of the window, so that all are distinct (the rule of
    EDVR's published tests): frame 0 uses 4, 3, 0, 1, 2. Scenes shorter than a window repeat frames.

    Args:
        number: the frame's number in its scene.
        padding: frames on each side of it.
        length: the scene's length, or None if its end is far away.
        repeat: use the rule of the models that deblur: frame 0 uses 0, 0, 0, 1, 2.
    """
    numbers = []
    for n in range(number - padding, number + padding + 1):
        if n < 0:
            n = 0 if repeat else number + padding - n
        elif not repeat and length is not None and n >= length:
            n = number - padding - (n - length + 1)
        numbers.append(n if length is None else min(max(n, 0), length - 1))
    return numbers


def read_config(shapes: Shapes) -> Config:
    """Read width, window and kind of fusion, the depth of the reconstruction, and whether the net deblurs."""
    attention = "fusion.weight" not in shapes
    fused, joined, *_ = shapes["fusion.feat_fusion.weight" if attention else "fusion.weight"]
    config = {
        "channels": fused,
        "frames": joined // fused,
        "blocks": count(shapes, r"reconstruction\.\d+\.conv1\.weight"),
    }
    declared = {
        "deblur": "predeblur.conv_first.weight" in shapes,
        "fine": "predeblur.stride_conv_hr1.weight" in shapes,
    }
    return (
        config | ({} if attention else {"attention": False}) | {key: True for key, value in declared.items() if value}
    )


ARCHITECTURE = Architecture(
    "edvr",
    EDVR,
    marker="reconstruction.0.",
    configure=read_config,
    bounds={"frames": (1, 15), "attention": (False, True), "deblur": (False, True), "fine": (False, True)},
)
