"""SPyNet (Ranjan and Black, CVPR 2017): optical flow by a spatial pyramid, as the VSR nets use it."""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.nets.layers import Conv, flow_warp

LEVELS = 6


class PyramidLevel(nn.Module):
    """Five 7x7 convolutions that correct the flow at one level."""

    def __init__(self) -> None:
        super().__init__()
        widths = [8, 32, 64, 32, 16, 2]
        layers: list[nn.Module] = []
        for c_in, c_out in itertools.pairwise(widths):
            layers += [Conv(c_in, c_out, 7, padding=3), nn.ReLU(inplace=True)]
        self.basic_module = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        """Return the correction (n, 2, h, w) of the flow from frame, warped neighbour and flow, (n, 8, h, w)."""
        out: Tensor = self.basic_module(x)
        return out


class SpyNet(nn.Module):
    """Flow between two frames of any size, refined from 1/32 size to full size.

    Frames are resized to the next multiples of 32 and the flow is scaled back.
    """

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.basic_module = nn.ModuleList(PyramidLevel() for _ in range(LEVELS))
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))

    def forward(self, frame: Tensor, neighbour: Tensor) -> Tensor:
        """Return the flow (n, 2, h, w), x then y in pixels: where in `neighbour` each pixel of `frame` lies."""
        h, w = frame.shape[-2:]
        up_h, up_w = -(-h // 32) * 32, -(-w // 32) * 32
        frames, neighbours = self.pyramid(frame, (up_h, up_w)), self.pyramid(neighbour, (up_h, up_w))

        flow = torch.zeros_like(frames[0][:, :2])
        for level, (ref, supp) in enumerate(zip(frames, neighbours, strict=True)):
            if level:
                flow = F.interpolate(flow, scale_factor=2, mode="bilinear", align_corners=True) * 2.0
            warped = flow_warp(supp, flow, padding="border")
            flow = flow + self.basic_module[level](torch.cat([ref, warped, flow], 1))

        if (up_h, up_w) != (h, w):
            flow = F.interpolate(flow, size=(h, w), mode="bilinear", align_corners=False)
            flow = torch.cat([flow[:, :1] * (w / up_w), flow[:, 1:] * (h / up_h)], 1)
        return flow

    def pyramid(self, frame: Tensor, size: tuple[int, int]) -> list[Tensor]:
        """Resize to `size`, normalise, and downscale by 2 five times; return the levels, the coarsest first."""
        if frame.shape[-2:] != size:
            frame = F.interpolate(frame, size=size, mode="bilinear", align_corners=False)
        levels = [(frame - self.mean) / self.std]
        for _ in range(LEVELS - 1):
            levels.insert(0, F.avg_pool2d(levels[0], 2))
        return levels
