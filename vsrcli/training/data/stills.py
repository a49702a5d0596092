"""Clips from photographs: sub-pixel pan, zoom, rotation and perspective, and a layer that moves in front."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from vsrcli.quality.degrade import imresize


def animate(
    photo: Tensor, frames: int, size: int, generator: torch.Generator, *, front: Tensor | None = None
) -> Tensor:
    """Return a clip (frames, 3, size, size), uint8, of a camera that moves smoothly over `photo` (3, h, w), uint8.

    The photo is rendered at twice the size and halved, so that the clip is as sharp as its resolution allows. `front`,
    another photo, covers a part of the picture and moves on its own, which creates occlusion.
    """
    clip = _camera(photo, frames, 2 * size, generator)
    if front is not None:
        mask = _blob(2 * size, generator).expand(1, 3, -1, -1)
        motion = _motion(frames, 2 * size, generator)
        layer = _camera(front, frames, 2 * size, generator)
        alpha = F.grid_sample(mask.expand(frames, -1, -1, -1), _grid(motion, 2 * size), align_corners=False)
        clip = alpha * layer + (1 - alpha) * clip
    return (imresize(clip, 0.5) + 0.5).clamp(0, 255).to(torch.uint8)


def _camera(photo: Tensor, frames: int, size: int, generator: torch.Generator) -> Tensor:
    """Return float frames (frames, 3, size, size) in 0..255 of a moving camera at about the photo's own resolution."""
    h, w = photo.shape[-2:]
    # room for the motion around the window; small photos are mirrored
    window = min(int(size * 1.5), h, w)
    y = int(torch.randint(h - window + 1, (), generator=generator))
    x = int(torch.randint(w - window + 1, (), generator=generator))
    part = photo[None, :, y : y + window, x : x + window].float()
    grid = _grid(_motion(frames, size, generator), size) * (size / window)
    return F.grid_sample(
        part.expand(frames, -1, -1, -1), grid, mode="bicubic", padding_mode="reflection", align_corners=False
    )


def _motion(frames: int, size: int, generator: torch.Generator) -> Tensor:
    """Return homographies (frames, 3, 3) in grid units (the window spans -1 to 1), smooth in time.

    Half of the cameras pan by less than 3 pixels of the final clip a frame, the others by up to 12: most real motion is
    slow, and a recurrent net gains resolution from sub-pixel shifts.
    """

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator) * 2 - 1

    fastest = 3.0 if torch.rand((), generator=generator) < 0.5 else 12.0
    velocity = uniform(2) * fastest * 2 * (2 / size)
    sway, phase = uniform(6) * torch.tensor([8.0, 8.0, 0, 0, 0, 0]) * (2 / size), uniform(6) * math.pi
    rates = torch.cat([velocity, uniform(1) * 0.008, uniform(1) * 0.006, uniform(2) * 0.004])
    time = torch.arange(frames) - (frames - 1) / 2
    course = time[:, None] * rates + sway * torch.sin(0.4 * time[:, None] + phase)
    dx, dy, angle, zoom, px, py = course.unbind(1)
    cos, sin = torch.cos(angle) * torch.exp(zoom), torch.sin(angle) * torch.exp(zoom)
    one = torch.ones_like(dx)
    return torch.stack([cos, -sin, dx, sin, cos, dy, px, py, one], 1).view(frames, 3, 3)


def _grid(homography: Tensor, size: int) -> Tensor:
    """Return the sampling grid (frames, size, size, 2) of homographies (frames, 3, 3)."""
    along = (torch.arange(size) * 2 + 1) / size - 1
    points = torch.stack([*torch.meshgrid(along, along, indexing="xy"), torch.ones(size, size)], -1)
    moved = torch.einsum("fij,yxj->fyxi", homography, points)
    return moved[..., :2] / moved[..., 2:]


def _blob(size: int, generator: torch.Generator) -> Tensor:
    """Return a mask (1, 1, size, size) in [0, 1] of irregular shape, with an edge that is a few pixels wide."""
    noise = torch.rand(1, 1, 5, 5, generator=generator)
    field = F.interpolate(noise, size=(size, size), mode="bicubic", align_corners=True)
    return torch.sigmoid((field - 0.6) * size / 4)
