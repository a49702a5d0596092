"""The record of a frame, used from the decoder through the engine to the encoder."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

LARGEST = {8: 255, 16: 65535}
"""Level of white by bits per channel."""

Tint = tuple[float, float]
"""Constant Cb and Cr of a picture, from -0.5 to 0.5, as in H.273, section 8.3."""

_ROUNDING = Fraction(2, 1000)  # seconds by which lengths differ where times are merely rounded


@dataclass(frozen=True, eq=False)
class Frame:
    """A picture with its place in time.

    Attributes:
        number: counts from the first decoded frame.
        data: RGB (h, w, 3): levels in uint8, or in uint16 over the full 0..65535 for sources of more than 8 bits a
            channel; or float32 with white at 1.
        pts: presentation time in the source's time base.
        duration: in the source's time base.
        bit_depth: of the result: 8 or 16, or 32 for float32. 0 means that of `data`.
        tint: constant chroma to add to `data`, which then is grey; None for none.
        captions: closed captions (`cc_data` of CTA-708) to be coded with the picture.
        alpha: opacity (h, w) in levels of the type of `data`, which is not multiplied by it; None where all is opaque.
    """

    number: int
    data: np.ndarray
    pts: int = 0
    duration: int = 0
    bit_depth: int = 0
    tint: Tint | None = None
    captions: bytes = b""
    alpha: np.ndarray | None = None

    def __post_init__(self) -> None:
        if not self.bit_depth:
            object.__setattr__(self, "bit_depth", 8 * self.data.itemsize)

    @property
    def height(self) -> int:
        """Number of rows."""
        return int(self.data.shape[0])

    @property
    def width(self) -> int:
        """Number of columns."""
        return int(self.data.shape[1])


def narrowed(levels: np.ndarray) -> np.ndarray:
    """Return levels of 8 or 16 bits as uint8."""
    return levels if levels.dtype == np.uint8 else (levels >> 8).astype(np.uint8)


def is_uneven(length: int, usual: int, time_base: Fraction) -> bool:
    """Return whether a frame's length, in ticks, differs from the usual one by more than rounding to a clock does."""
    return abs(length - usual) * time_base > max(_ROUNDING, time_base * Fraction(3, 2))


def largest_level(data: np.ndarray) -> int:
    """Return the level of white: 255 for uint8, 65535 for uint16, 1 for float32."""
    return 1 if data.dtype == np.float32 else LARGEST[8 * data.itemsize]
