"""EDVR's layers (Wang et al., CVPRW 2019): pyramid alignment, attention and deblurring, as IconVSR uses them too."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.nets.deform import DeformConv
from vsrcli.nets.layers import Conv, ResidualBlock, leaky, upcast, upsample_by_2

GROUPS = 8
"""Deformable groups; every offset convolution makes 8 * 9 taps * (dy, dx, mask) = 216 channels."""

Pyramid = tuple[Tensor, Tensor, Tensor]
"""Features of one frame at full, half and quarter size."""


class DeformPack(DeformConv):
    """A deformable convolution whose offsets and masks are predicted by one convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels)
        self.conv_offset = Conv(channels, 27 * GROUPS, 3, padding=1)
        nn.init.zeros_(self.conv_offset.weight)
        nn.init.zeros_(self.conv_offset.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, condition: Tensor) -> Tensor:
        """Sample `x` at offsets predicted from `condition`; both and the result are (n, c, h, w)."""
        raw = self.conv_offset(condition)

        def taps(rows: slice) -> tuple[Tensor, Tensor]:
            offset, mask = upcast(raw[:, :, rows].contiguous()).split((18 * GROUPS, 9 * GROUPS), 1)
            return offset, mask.sigmoid()

        return self.convolve(x, taps, GROUPS)


class PCDAlign(nn.Module):
    """Pyramid, cascading and deformable alignment (section 3.2) of a neighbour's features with the reference frame."""

    def __init__(self, channels: int) -> None:
        super().__init__()

        def conv(inputs: int) -> Conv:
            return Conv(inputs * channels, channels, 3, padding=1)

        self.offset_conv1 = nn.ModuleDict({level: conv(2) for level in ("l3", "l2", "l1")})
        self.offset_conv2 = nn.ModuleDict({"l3": conv(1), "l2": conv(2), "l1": conv(2)})
        self.offset_conv3 = nn.ModuleDict({level: conv(1) for level in ("l2", "l1")})
        self.dcn_pack = nn.ModuleDict({level: DeformPack(channels) for level in ("l3", "l2", "l1")})
        self.feat_conv = nn.ModuleDict({level: conv(2) for level in ("l2", "l1")})
        self.cas_offset_conv1 = conv(2)
        self.cas_offset_conv2 = conv(1)
        self.cas_dcnpack = DeformPack(channels)

    def forward(self, neighbour: Pyramid, reference: Pyramid) -> Tensor:
        """Return the neighbour's features (n, c, h, w) aligned with the reference frame."""
        offset = leaky(self.offset_conv1["l3"](torch.cat([neighbour[2], reference[2]], 1)))
        offset = leaky(self.offset_conv2["l3"](offset))
        feature = leaky(self.dcn_pack["l3"](neighbour[2], offset))
        for level, near, ref in (("l2", neighbour[1], reference[1]), ("l1", neighbour[0], reference[0])):
            lower = upsample_by_2(offset) * 2.0  # a pixel of the lower level is two of this one
            offset = leaky(self.offset_conv1[level](torch.cat([near, ref], 1)))
            offset = leaky(self.offset_conv2[level](torch.cat([offset, lower], 1)))
            offset = leaky(self.offset_conv3[level](offset))
            sampled = self.dcn_pack[level](near, offset)
            feature = self.feat_conv[level](torch.cat([sampled, upsample_by_2(feature)], 1))
            if level == "l2":
                feature = leaky(feature)
        offset = leaky(self.cas_offset_conv1(torch.cat([feature, reference[0]], 1)))
        offset = leaky(self.cas_offset_conv2(offset))
        return leaky(self.cas_dcnpack(feature, offset))


class TSAFusion(nn.Module):
    """Fusion of `frames` aligned features by temporal and spatial attention (section 3.3)."""

    def __init__(self, channels: int, frames: int) -> None:
        super().__init__()
        self.center = frames // 2
        self.temporal_attn1 = Conv(channels, channels, 3, padding=1)
        self.temporal_attn2 = Conv(channels, channels, 3, padding=1)
        self.feat_fusion = Conv(frames * channels, channels, 1)
        self.spatial_attn1 = Conv(frames * channels, channels, 1)
        self.spatial_attn2 = Conv(2 * channels, channels, 1)
        self.spatial_attn3 = Conv(channels, channels, 3, padding=1)
        self.spatial_attn4 = Conv(channels, channels, 1)
        self.spatial_attn5 = Conv(channels, channels, 3, padding=1)
        self.spatial_attn_l1 = Conv(channels, channels, 1)
        self.spatial_attn_l2 = Conv(2 * channels, channels, 3, padding=1)
        self.spatial_attn_l3 = Conv(channels, channels, 3, padding=1)
        self.spatial_attn_add1 = Conv(channels, channels, 1)
        self.spatial_attn_add2 = Conv(channels, channels, 1)

    def forward(self, aligned: list[Tensor]) -> Tensor:
        """Fuse `frames` tensors (n, c, h, w), the reference frame in the middle, into one (n, c, h, w)."""
        reference = upcast(self.temporal_attn1(aligned[self.center]))
        similarity = [(self.temporal_attn2(x) * reference).sum(1, keepdim=True).sigmoid() for x in aligned]
        weighted = torch.cat([x * a for x, a in zip(aligned, similarity, strict=True)], 1)
        feature = upcast(leaky(self.feat_fusion(weighted)))

        attention = leaky(self.spatial_attn1(weighted))
        attention = leaky(self.spatial_attn2(pool(attention)))
        lower = leaky(self.spatial_attn_l1(attention))
        lower = leaky(self.spatial_attn_l2(pool(lower)))
        lower = upsample_by_2(leaky(self.spatial_attn_l3(lower)))
        attention = leaky(self.spatial_attn3(attention)) + lower
        attention = upsample_by_2(leaky(self.spatial_attn4(attention)))
        attention = self.spatial_attn5(attention)
        shift = self.spatial_attn_add2(leaky(self.spatial_attn_add1(attention)))
        return feature * upcast(attention).sigmoid() * 2.0 + shift


def pool(x: Tensor) -> Tensor:
    """Return maxima and means (padding counted) over 3x3 pixels with stride 2: (n, c, h, w) to (n, 2*c, h/2, w/2)."""
    return torch.cat([F.max_pool2d(x, 3, 2, 1), F.avg_pool2d(x, 3, 2, 1)], 1)


class PlainFusion(Conv):
    """Fusion of `frames` aligned features by a 1x1 convolution, for EDVR without attention."""

    def __init__(self, channels: int, frames: int) -> None:
        super().__init__(frames * channels, channels, 1)

    def forward(self, aligned: list[Tensor]) -> Tensor:  # type: ignore[override]
        """Fuse `frames` tensors (n, c, h, w) into one (n, c, h, w)."""
        return super().forward(torch.cat(aligned, 1))


class Deblur(nn.Module):
    """Residual blocks at three sizes before alignment (section 3.1), for frames with motion blur.

    With `fine`, frames have the output's size and are first reduced to a quarter of it.
    """

    def __init__(self, channels: int, fine: bool) -> None:
        super().__init__()
        self.conv_first = Conv(3, channels, 3, padding=1)
        if fine:
            self.stride_conv_hr1 = Conv(channels, channels, 3, stride=2, padding=1)
            self.stride_conv_hr2 = Conv(channels, channels, 3, stride=2, padding=1)
        self.fine = fine
        self.stride_conv_l2 = Conv(channels, channels, 3, stride=2, padding=1)
        self.stride_conv_l3 = Conv(channels, channels, 3, stride=2, padding=1)
        self.resblock_l3 = ResidualBlock(channels)
        self.resblock_l2_1, self.resblock_l2_2 = ResidualBlock(channels), ResidualBlock(channels)
        self.resblock_l1 = nn.ModuleList(ResidualBlock(channels) for _ in range(5))

    def forward(self, frame: Tensor) -> Tensor:
        """Map a frame (n, 3, h, w) to features (n, channels, h, w), or with `fine` to (n, channels, h/4, w/4)."""
        l1 = leaky(self.conv_first(frame))
        if self.fine:
            l1 = leaky(self.stride_conv_hr2(leaky(self.stride_conv_hr1(l1))))
        l1 = upcast(l1)
        l2 = upcast(leaky(self.stride_conv_l2(l1)))
        l3 = upcast(leaky(self.stride_conv_l3(l2)))
        l2 = self.resblock_l2_2(self.resblock_l2_1(l2) + upsample_by_2(self.resblock_l3(l3)))
        for i, block in enumerate(self.resblock_l1):
            l1 = block(l1)
            if i == 1:
                l1 = l1 + upsample_by_2(l2)
        return l1


class EDVRFeatureExtractor(nn.Module):
    """EDVR without its reconstruction: it returns the fused feature of the window's middle frame.

    `attention` selects `TSAFusion`, else `PlainFusion`. `deblur` adds `Deblur` before the feature extraction; with
    `fine` the frames have the output's size.
    """

    def __init__(
        self,
        channels: int = 64,
        frames: int = 5,
        *,
        attention: bool = True,
        deblur: bool = False,
        fine: bool = False,
    ) -> None:
        super().__init__()

        def conv(stride: int) -> Conv:
            return Conv(channels, channels, 3, stride=stride, padding=1)

        if deblur:
            self.predeblur = Deblur(channels, fine)
            self.conv_1x1 = Conv(channels, channels, 1)
        else:
            self.conv_first = Conv(3, channels, 3, padding=1)
        self.deblur = deblur
        self.feature_extraction = nn.Sequential(*(ResidualBlock(channels) for _ in range(5)))
        self.conv_l2_1, self.conv_l2_2 = conv(2), conv(1)
        self.conv_l3_1, self.conv_l3_2 = conv(2), conv(1)
        self.pcd_align = PCDAlign(channels)
        self.fusion: nn.Module = TSAFusion(channels, frames) if attention else PlainFusion(channels, frames)

    def fuse(self, window: Sequence[Tensor]) -> Tensor:
        """Align and fuse a window of frames (n, 3, h, w), h and w multiples of 4; return (n, channels, h, w)."""
        out: Tensor = self.fusion(self.align(window))
        return out

    def align(self, window: Sequence[Tensor]) -> list[Tensor]:
        """Return the features (n, channels, h, w) of all frames of a window, aligned with its middle frame."""
        pyramids = [self.pyramid(frame) for frame in window]
        reference = pyramids[len(window) // 2]
        return [self.pcd_align(neighbour, reference) for neighbour in pyramids]

    def pyramid(self, frame: Tensor) -> Pyramid:
        """Extract features of a frame (n, 3, h, w) at full, half and quarter size."""
        first = self.conv_1x1(self.predeblur(frame)) if self.deblur else leaky(self.conv_first(frame))
        l1 = self.feature_extraction(upcast(first))
        l2 = leaky(self.conv_l2_2(leaky(self.conv_l2_1(l1))))
        l3 = leaky(self.conv_l3_2(leaky(self.conv_l3_1(l2))))
        return l1, l2, l3
