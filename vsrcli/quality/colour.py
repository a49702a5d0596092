"""Colour fidelity of an upscaled frame: the mean of each channel against the source's, and flat test patches."""

import torch
from torch import Tensor

from vsrcli.levels import to_unit

TOLERANCE = 0.15
"""Allowed difference of a channel's mean in levels: a third of what rounding to 8 bits can hide."""

GREYS = tuple(range(16, 241, 16))
"""Levels of the grey patches, from studio black to just below white."""

PATCHES: dict[str, tuple[int, int, int]] = {
    **{f"grey {level}": (level, level, level) for level in GREYS},
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "pale red": (192, 64, 64),
    "pale green": (64, 192, 64),
    "pale blue": (64, 64, 192),
}
"""Flat colours by name, as levels of R, G and B."""


def colour_shift(hr: Tensor, lr: Tensor) -> Tensor:
    """Return the mean of each channel minus that of the source: (..., 3), in 8-bit levels.

    `hr` (..., 3, s*h, s*w) and `lr` (..., 3, h, w) are frames in [0, 1]. `hr` is clamped first, as a written frame is.
    The mean over all HR pixels equals that of the frame downscaled by area means, so nothing is downscaled.
    """
    return 255 * (hr.clamp(0, 1).mean((-2, -1)) - lr.mean((-2, -1)))


def flat(colour: tuple[int, int, int], *, frames: int = 5, size: int = 64) -> Tensor:
    """Return a still clip of one colour (levels of R, G, B) in [0, 1]: (frames, 3, size, size)."""
    return to_unit(torch.tensor(colour, dtype=torch.uint8)).view(1, 3, 1, 1).expand(frames, 3, size, size).contiguous()
