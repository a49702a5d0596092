"""Lines that an enlargement invents: thin ridges, bright or dark, that the truth does not have where they are drawn.

A line is found by the filter of Koller, Gerig, Székely and Dettwiler 1995 ("Multiscale Detection of Curvilinear
Structures in 2-D and 3-D Image Data"): the first derivative of a Gaussian to its left and to its right, each averaged
along it, of which the smaller counts. A step edge has only one of the two, so that sharp edges are no lines; a spot is
weak along the filter, and so is noise. Strengths are in levels of luma: a line with a Gaussian profile of `WIDTH` that
is h levels above its surroundings has the strength h on its crest.
"""

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from vsrcli.quality.metrics import rgb_to_y

WIDTH = 1.2
"""Standard deviation across a line, in HR pixels: it is 2.8 pixels wide at half its height, less than one of LR."""

LENGTH = 3.6
"""Standard deviation along a line, in HR pixels."""

ANGLES = 8
"""Directions that are told apart, 22.5 degrees from one to the next."""

TOLERANCE = 2
"""HR pixels by which a line may lie beside the truth's; by one step of `ANGLES` it may also be turned."""

_RADIUS = 11


def lines(frames: Tensor) -> Tensor:
    """Return how strong lines are at each pixel: (n, 3, h, w) in [0, 1] -> (n, 2, ANGLES, h, w) in levels of luma.

    Bright lines come first, then dark ones; not negative. Beyond the border lies its nearest pixel.
    """
    luma = rgb_to_y(frames.clamp(0, 1)).float()
    padded = F.pad(luma - luma.mean((-2, -1), keepdim=True), [_RADIUS] * 4, mode="replicate")
    left, right = F.conv2d(padded, _bank(luma.device)).unflatten(1, (2, ANGLES)).unbind(1)
    bright, dark = torch.minimum(left, right), torch.minimum(-left, -right)
    return torch.stack((bright, dark), 1).clamp_(min=0)


def line_energy(found: Tensor) -> Tensor:
    """Return the mean over pixels of the squared strength of the strongest line: `lines` -> (n,), in levels squared."""
    return found.amax((1, 2)).square().mean((-2, -1))


def invented_lines(found: Tensor, truth: Tensor) -> Tensor:
    """Return the energy of lines that the truth lacks: two results of `lines` -> (n,), in levels squared.

    From each line's strength the truth's is taken away: the largest of the same brightness within `TOLERANCE` pixels
    and one step of the angle. What is left is squared and averaged as in `line_energy`. Blur and a shift of one pixel
    bring next to nothing, and on flat ground white noise brings a sixth of its variance. In the midst of dense texture,
    where the truth has lines all around, little is seen. A result that shows more detail also has more of it in the
    wrong place: read this beside the `line_energy` of both.
    """
    size = 2 * TOLERANCE + 1
    near = F.max_pool2d(truth.flatten(1, 2), (size, 1), 1, (TOLERANCE, 0))
    near = F.max_pool2d(near, (1, size), 1, (0, TOLERANCE)).view_as(truth)
    turned = torch.maximum(near.roll(1, 2), near.roll(-1, 2))
    return line_energy((found - torch.maximum(near, turned)).clamp_(min=0))


@lru_cache(maxsize=4)
@torch.inference_mode(False)
def _bank(device: torch.device) -> Tensor:
    """The slope up from the left, then down to the right, in each direction: (2 * ANGLES, 1, 23, 23), float32."""
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
            kernel -= weight * (kernel.sum() / weight.sum())  # a flat picture gives exactly nothing
            line = torch.exp(-((across / WIDTH) ** 2) / 2)
            kernels.append(kernel / (kernel * line).sum())
    return torch.stack(kernels)[:, None].float().to(device)
