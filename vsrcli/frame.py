"""The one record of a frame, from the decoder through the engine to the encoder."""

from dataclasses import dataclass

import numpy as np

LARGEST = {8: 255, 16: 65535}
"""White by the bits of a channel."""

Tint = tuple[float, float]
"""Cb and Cr of all of a picture, from -0.5 to 0.5, as in H.273, section 8.3."""


@dataclass(frozen=True, eq=False)
class Frame:
    """A picture with its place in time.

    `number` counts from the first frame of what is decoded. `data` is RGB (h, w, 3): levels, that is uint8, or uint16
    over the full 0..65535 for sources of more than 8 bits a channel; or float32 with white at 1. `pts` and `duration`
    are in the source's time base. `bit_depth` is what the frame's result is to have: 8 or 16, or 32 for float32. Left
    at 0 it is that of `data`. `tint`, where it is not None, is to be put on `data`, which is grey then.
    """

    number: int
    data: np.ndarray
    pts: int = 0
    duration: int = 0
    bit_depth: int = 0
    tint: Tint | None = None

    def __post_init__(self) -> None:
        if not self.bit_depth:
            object.__setattr__(self, "bit_depth", 8 * self.data.itemsize)

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.data.shape[0])

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.data.shape[1])


def largest_level(data: np.ndarray) -> int:
    """Return the level of white: 255 of uint8, 65535 of uint16."""
    return LARGEST[8 * data.itemsize]
