"""False lines in an upscaled frame: thin bright or dark ridges that the ground truth does not have there.

A line is found by the filter of Koller, Gerig, Székely and Dettwiler 1995 ("Multiscale Detection of Curvilinear
Structures in 2-D and 3-D Image Data"): the first derivative of a Gaussian on its left and on its right, each averaged
along it, of which the smaller counts. A step edge has only one of the two, so sharp edges are not lines. The response
to a spot and to noise is weak. Strengths are in levels of luma: a line with a Gaussian profile of `WIDTH` that is h
levels above its surroundings has the strength h on its crest.
"""

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from vsrcli.quality.metrics import rgb_to_y

WIDTH = 1.2
"""Standard deviation across a line in HR pixels: its width at half height is 2.8 pixels, less than one LR pixel."""

LENGTH = 3.6
"""Standard deviation along a line, in HR pixels."""

ANGLES = 8
"""Number of directions, 22.5 degrees apart."""

TOLERANCE = 2
"""HR pixels by which a line may be away from the truth's; its angle may also differ by one step of `ANGLES`."""

_RADIUS = 11


def lines(frames: Tensor) -> Tensor:
    """Return the strength of lines at each pixel: (n, 3, h, w) in [0, 1] to (n, 2, ANGLES, h, w) in levels of luma.

    Bright lines come first, then dark ones; strengths are not negative. The border is replicated.
    """
    luma = rgb_to_y(frames.clamp(0, 1)).float()
    padded = F.pad(luma - luma.mean((-2, -1), keepdim=True), [_RADIUS] * 4, mode="replicate")
    left, right = F.conv2d(padded, _bank(luma.device)).unflatten(1, (2, ANGLES)).unbind(1)
    bright, dark = torch.minimum(left, right), torch.minimum(-left, -right)
    return torch.stack((bright, dark), 1).clamp_(min=0)


def line_energy(found: Tensor) -> Tensor:
    """Return the mean squared strength of the strongest line at each pixel: `lines` to (n,), in levels squared."""
    return found.amax((1, 2)).square().mean((-2, -1))


def invented_lines(found: Tensor, truth: Tensor) -> Tensor:
    """Return the energy of lines that the truth lacks: two results of `lines` to (n,), in levels squared.

    The truth's strength is subtracted from that of each line: the largest of the same brightness within `TOLERANCE`
    pixels and one step of the angle. The rest is squared and averaged as in `line_energy`. Blur and a shift of one
    pixel add almost nothing, and on flat areas white noise adds a sixth of its variance. Within dense texture, where
    the truth has lines everywhere, little is found. A result with more detail also has more of it in the wrong place,
    so compare this with the `line_energy` of both.
    """
    size = 2 * TOLERANCE + 1
    near = F.max_pool2d(truth.flatten(1, 2), (size, 1), 1, (TOLERANCE, 0))
    near = F.max_pool2d(near, (1, size), 1, (0, TOLERANCE)).view_as(truth)
    turned = torch.maximum(near.roll(1, 2), near.roll(-1, 2))
    return line_energy((found - torch.maximum(near, turned)).clamp_(min=0))


@lru_cache(maxsize=4)
@torch.inference_mode(False)
def _bank(device: torch.device) -> Tensor:
    """Return the filters of the rising slope on the left, then of the falling one: (2 * ANGLES, 1, 23, 23), float32."""
    steps = torch.arange(-_RADIUS, _RADIUS + 1, dtype=torch.float64)
    kernels = []
    for side in (-1, 1):
        for number in range(ANGLES):
            angle = math.pi * number / ANGLES
            across = steps[None] * math.cos(angle) + steps[:, None] * math.sin(angle)
            along = steps[:, None] * math.cos(angle) - steps[None] * math.sin(angle)
            distance = across - side * WIDTH
            weight = torch.exp(-((distance / WIDTH) ** 2) / 2 - (along / LENGTH) ** 2 / 2)
            kernel = -side * distance * weight
            kernel -= weight * (kernel.sum() / weight.sum())  # a flat picture gives exactly zero
            line = torch.exp(-((across / WIDTH) ** 2) / 2)
            kernels.append(kernel / (kernel * line).sum())
    return torch.stack(kernels)[:, None].float().to(device)
