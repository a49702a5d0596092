"""BasicVSR built plainly from PyTorch's own modules, as its paper describes it: what vsr's speed is compared with.

Nothing of vsr is used. Parameters have the names of the official checkpoints.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def warp(x: Tensor, flow: Tensor, padding: str = "zeros") -> Tensor:
    """Sample x (n, c, h, w) where flow (n, 2, h, w), in pixels, points to."""
    h, w = x.shape[-2:]
    y, at_x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    grid = torch.stack([at_x, y], -1).to(flow)[None] + flow.permute(0, 2, 3, 1)
    grid = 2 * grid / torch.tensor([max(w - 1, 1), max(h - 1, 1)]).to(flow) - 1
    return F.grid_sample(x, grid.to(x.dtype), mode="bilinear", padding_mode=padding, align_corners=True)


class Level(nn.Module):
    """One level of SPyNet."""

    def __init__(self) -> None:
        super().__init__()
        widths = [8, 32, 64, 32, 16, 2]
        layers: list[nn.Module] = []
        for i in range(5):
            layers += [nn.Conv2d(widths[i], widths[i + 1], 7, padding=3), nn.ReLU()]
        self.basic_module = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        """Return the correction of the flow."""
        out: Tensor = self.basic_module(x)
        return out


class SpyNet(nn.Module):
    """Optical flow by a pyramid of six levels."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.basic_module = nn.ModuleList(Level() for _ in range(6))
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))

    def pyramid(self, frame: Tensor, size: tuple[int, int]) -> list[Tensor]:
        """Return six levels of the normalised frame, the coarsest first."""
        frame = (F.interpolate(frame, size, mode="bilinear", align_corners=False) - self.mean) / self.std
        levels = [frame]
        for _ in range(5):
            levels.insert(0, F.avg_pool2d(levels[0], 2))
        return levels

    def forward(self, frame: Tensor, neighbour: Tensor) -> Tensor:
        """Return the flow from frame to neighbour, (n, 2, h, w)."""
        h, w = frame.shape[-2:]
        size = ((h + 31) // 32 * 32, (w + 31) // 32 * 32)
        frames, neighbours = self.pyramid(frame, size), self.pyramid(neighbour, size)
        flow = frames[0].new_zeros(len(frame), 2, size[0] // 32, size[1] // 32)
        for i, level in enumerate(self.basic_module):
            if i:
                flow = 2 * F.interpolate(flow, scale_factor=2, mode="bilinear", align_corners=True)
            moved = warp(neighbours[i], flow, "border")
            flow = flow + level(torch.cat([frames[i], moved, flow], 1))
        flow = F.interpolate(flow, (h, w), mode="bilinear", align_corners=False)
        return flow * torch.tensor([w / size[1], h / size[0]]).to(flow).view(1, 2, 1, 1)


class Block(nn.Module):
    """A residual block."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the refined feature."""
        out: Tensor = x + self.conv2(F.relu(self.conv1(x)))
        return out


class Trunk(nn.Module):
    """The residual blocks of one direction."""

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(channels + 3, channels, 3, padding=1),
            nn.LeakyReLU(0.1),
            nn.Sequential(*[Block(channels) for _ in range(blocks)]),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the feature."""
        out: Tensor = self.main(x)
        return out


class PlainBasicVSR(nn.Module):
    """BasicVSR: clip (1, t, 3, h, w) in [0, 1] to (1, t, 3, 4*h, 4*w)."""

    def __init__(self, channels: int = 64, blocks: int = 30) -> None:
        super().__init__()
        self.channels = channels
        self.spynet = SpyNet()
        self.backward_trunk, self.forward_trunk = Trunk(channels, blocks), Trunk(channels, blocks)
        self.fusion = nn.Conv2d(2 * channels, channels, 1)
        self.upconv1 = nn.Conv2d(channels, 4 * channels, 3, padding=1)
        self.upconv2 = nn.Conv2d(channels, 256, 3, padding=1)
        self.conv_hr = nn.Conv2d(64, 64, 3, padding=1)
        self.conv_last = nn.Conv2d(64, 3, 3, padding=1)

    def forward(self, clip: Tensor) -> Tensor:
        """Upscale a clip."""
        frames = list(clip.unbind(1))
        first, second = torch.cat(frames[:-1]), torch.cat(frames[1:])
        to_next, to_previous = self.spynet(first, second), self.spynet(second, first)
        backward: list[Tensor] = []
        feature = frames[0].new_zeros(1, self.channels, *frames[0].shape[-2:])
        for i in reversed(range(len(frames))):
            if i < len(frames) - 1:
                feature = warp(feature, to_next[i : i + 1])
            feature = self.backward_trunk(torch.cat([frames[i], feature], 1))
            backward.insert(0, feature)
        feature, out = torch.zeros_like(feature), []
        for i, frame in enumerate(frames):
            if i:
                feature = warp(feature, to_previous[i - 1 : i])
            feature = self.forward_trunk(torch.cat([frame, feature], 1))
            x = F.leaky_relu(self.fusion(torch.cat([backward[i], feature], 1)), 0.1)
            x = F.leaky_relu(F.pixel_shuffle(self.upconv1(x), 2), 0.1)
            x = F.leaky_relu(F.pixel_shuffle(self.upconv2(x), 2), 0.1)
            x = self.conv_last(F.leaky_relu(self.conv_hr(x), 0.1))
            out.append(x + F.interpolate(frame, scale_factor=4, mode="bilinear", align_corners=False))
        return torch.stack(out, 1)
