"""One decoded picture with its place in time, as it travels from the decoder to the engine."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Frame:
    """A picture: `number` counts from the first one yielded, `pts` and `duration` are in the source's time base.

    `rgb` is (h, w, 3): uint8 for sources of up to 8 bits a channel, uint16 over the full 0..65535 for deeper ones.
    """

    number: int
    pts: int
    duration: int
    rgb: np.ndarray
