"""TDAN (Tian et al., CVPR 2020): a sliding window of five frames, aligned by deformable convolutions without flow.

Each neighbour's features pass through four deformable convolutions, whose offsets come from the features of both
frames, and are turned back into a picture. A plain residual net computes the HR frame from the five pictures. There is
no recurrent state. Borders are those of today's deformable convolutions, with which mmagic's weights were trained; the
authors' own kernel does not weaken samples at the bottom and the right.
"""

import re
from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.nets.deform import DeformConv
from vsrcli.nets.layers import Conv, ResidualBlock, upcast
from vsrcli.nets.marks import Architecture, Config, Shapes, count, renamed
from vsrcli.nets.observe import stage
from vsrcli.nets.recurrent import Branch, Features, RecurrentNet, State

GROUPS = 8
"""Deformable groups; an offset convolution has 8 * 9 taps * (dy, dx) = 144 output channels, and no masks."""

REACH = 2
"""Number of neighbours on each side."""


class OffsetConv(DeformConv):
    """A deformable convolution (without mask or bias) whose offsets are predicted by one convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels)
        del self.bias
        self.register_buffer("bias", torch.zeros(channels), persistent=False)
        self.conv_offset = Conv(channels, 18 * GROUPS, 3, padding=1)
        nn.init.zeros_(self.conv_offset.weight)
        nn.init.zeros_(self.conv_offset.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Sample `x` at offsets predicted from `condition`; both and the result are (n, c, h, w)."""
        raw = upcast(self.conv_offset(condition))

        def taps(rows: slice) -> tuple[Tensor, Tensor]:
            offset = raw[:, :, rows].contiguous()
            return offset, torch.ones_like(offset[:, ::2])

        return self.convolve(x, taps, GROUPS)


class Upsample(Conv):
    """A convolution and a pixel shuffle by 2, without activation."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, 4 * channels, 3, padding=1)

    def forward(self, input: Tensor) -> Tensor:
        """Map (n, channels, h, w) to (n, channels, 2*h, 2*w)."""
        return F.pixel_shuffle(super().forward(input), 2)


class TDAN(RecurrentNet):
    """TDAN for x4. Published: 5 and 10 blocks of 64 channels (2.0 M parameters)."""

    branches: ClassVar[tuple[Branch, ...]] = (Branch("window", reverse=False),)
    float32_parts = ("conv_first", "fea_ex")  # they see pictures, whose 8 bits bf16 would round
    feature_module = "recon_layer"
    context = 2 * REACH
    reconstruct_reach = 2  # 3x3 convolutions at 1x, 2x and 4x: 1 + 1/2 + 1/4
    working_channels = 900
    flow_channels = 2

    def __init__(self, channels: int = 64, blocks: int = 5, reconstruction_blocks: int = 10) -> None:
        super().__init__()
        self.stored_channels = channels
        self.conv_first = Conv(3, channels, 3, padding=1)
        self.residual_layer = nn.Sequential(*(ResidualBlock(channels) for _ in range(blocks)))
        self.cr = Conv(2 * channels, channels, 3, padding=1)
        self.dconv_1, self.deconv_2 = OffsetConv(channels), OffsetConv(channels)
        self.deconv_3, self.dconv = OffsetConv(channels), OffsetConv(channels)
        self.recon_lr = Conv(channels, 3, 3, padding=1)
        self.fea_ex = Conv(3 * (2 * REACH + 1), channels, 3, padding=1)
        self.recon_layer = nn.Sequential(*(ResidualBlock(channels) for _ in range(reconstruction_blocks)))
        self.up1, self.up2 = Upsample(channels), Upsample(channels)
        self.to_hr = Conv(channels, 3, 3, padding=1, bias=False)

    @stage("encode")
    def encode(self, lr: Sequence[Tensor], index: int, *, number: int, length: int | None) -> Features:
        """Align the window around the frame; return five pictures less 0.5 (n, 15, h, w).

        The third is the frame itself.
        """
        frames = [lr[index + n - number] - 0.5 for n in window_numbers(number, length)]
        features = [self.features(frame) for frame in frames]
        aligned = [
            frame if i == REACH else self.align(feature, features[REACH])
            for i, (frame, feature) in enumerate(zip(frames, features, strict=True))
        ]
        return {"aligned": torch.cat(aligned, 1)}

    def features(self, frame: Tensor) -> Tensor:
        """Extract features (n, channels, h, w) of a frame (n, 3, h, w)."""
        out: Tensor = self.residual_layer(upcast(F.relu(self.conv_first(frame))))
        return out

    def align(self, neighbour: Tensor, reference: Tensor) -> Tensor:
        """Return the neighbour's picture (n, 3, h, w) aligned with the reference frame, from the features of both."""
        joint = self.cr(torch.cat([reference, neighbour], 1))
        joint = self.dconv_1(joint, joint)
        joint = self.deconv_2(joint, joint)
        moved = self.deconv_3(neighbour, joint)
        return upcast(self.recon_lr(self.dconv(moved, moved)))

    def propagate(
        self, branch: str, features: Features, flow: Tensor | None, state: State | None
    ) -> tuple[Tensor, State]:
        """Extract features of the five pictures. The state is empty."""
        return self.recon_layer(upcast(F.relu(self.fea_ex(features["aligned"])))).to(self.compute_dtype), ()

    @stage("reconstruct")
    def reconstruct(self, features: Features) -> Tensor:
        """Upsample twice by pixel shuffle. No upsampled frame is added."""
        return upcast(self.to_hr(self.up2(self.up1(features["window"])))) + 0.5


def window_numbers(number: int, length: int | None) -> list[int]:
    """Return the frame numbers of the window around frame `number` of a scene; `length` is None if its end is far away.

    The rule is that of the authors' tests: frame -n is replaced by n, and each one past the end by the last but two.
    """
    numbers = [abs(n) for n in range(number - REACH, number + REACH + 1)]
    if length is None:
        return numbers
    return [n if n < length else max(0, length - 3) for n in numbers]


def read_config(shapes: Shapes) -> Config:
    """Read width and depths, under the authors' names or mmagic's."""
    first = "feat_extract.0.weight" if "feat_extract.0.weight" in shapes else "conv_first.weight"
    return {
        "channels": shapes[first][0],
        "blocks": count(shapes, r"(residual_layer|feat_extract\.1)\.\d+\.conv1\.weight"),
        "reconstruction_blocks": count(shapes, r"(recon_layer|reconstruct\.1)\.\d+\.conv1\.weight"),
    }


OFFSETS = (("off2d_1", "dconv_1"), ("off2d_2", "deconv_2"), ("off2d_3", "deconv_3"), ("off2d", "dconv"))

MMAGIC = (
    ("feat_extract.0", "conv_first"),
    ("feat_extract.1", "residual_layer"),
    ("feat_aggregate.0", "cr"),
    ("feat_aggregate.1", "dconv_1"),
    ("feat_aggregate.2", "deconv_2"),
    ("align_1", "deconv_3"),
    ("align_2", "dconv"),
    ("to_rgb", "recon_lr"),
    ("reconstruct.0", "fea_ex"),
    ("reconstruct.1", "recon_layer"),
    ("reconstruct.2.upsample_conv", "up1"),
    ("reconstruct.3.upsample_conv", "up2"),
    ("reconstruct.4", "to_hr"),
)
"""Names of mmagic's modules (in BasicSR's spelling) and of the modules here."""

ARCHITECTURE = Architecture(
    "tdan",
    TDAN,
    marker=("recon_layer.", "feat_aggregate."),
    configure=read_config,
    adapt=renamed(
        *((rf"^{offset}\.", rf"{conv}.conv_offset.") for offset, conv in OFFSETS),
        *((f"^{re.escape(theirs)}\\.", f"{ours}.") for theirs, ours in MMAGIC),
        (r"^fea_ex\.0\.", "fea_ex."),
        (r"^up\.0\.0\.", "up1."),
        (r"^up\.0\.2\.", "up2."),
        (r"^up\.1\.", "to_hr."),
    ),
    bounds={"reconstruction_blocks": (0, 128)},
)
