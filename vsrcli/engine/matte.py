"""Upscale opacity beside the colours, by the same net: as a grey clip of its own, window by window.

On ten frames with soft edges, gradients and hair that move (64x64 to 256x256; PSNR of the opacity, and where it is
neither 0 nor 1) Lanczos has 20.9 and 16.7 dB, bicubic 20.7 and 16.6, repvsr.real 24.3 and 20.1, repvsr.bi 26.5 and
22.3, iconvsr.bi 32.6 and 28.4, basicvsr.vimeo90k-bi 33.4 and 29.3. So the net is used, which doubles the time of a
frame that is partly transparent. Windows in which no frame's opacity varies are not run.
"""

from collections.abc import Iterator, MutableMapping
from dataclasses import replace

import numpy as np

from vsrcli.frame import Frame, largest_level

PREFIX = "alpha+"
"""Begins the names of states of opacity, beside those of the colours."""


def opacity(frame: Frame) -> np.ndarray:
    """Return a frame's opacity (h, w)."""
    if frame.alpha is not None:
        return frame.alpha
    top = largest_level(frame.data)
    return np.full(frame.data.shape[:2], top, frame.data.dtype)


def is_even(frame: Frame) -> bool:
    """Return whether a frame's opacity is the same everywhere."""
    return frame.alpha is None or bool(frame.alpha.min() == frame.alpha.max())


def even(frame: Frame, scale: int) -> np.ndarray | None:
    """Return the opacity, `scale` times as large, of a frame in which it is the same everywhere; None for opaque."""
    return (
        None
        if frame.alpha is None
        else frame.alpha[:1, :1].repeat(scale * frame.height, 0).repeat(scale * frame.width, 1)
    )


class Mattes(MutableMapping[int, Frame]):
    """The frames of a store, with their opacity as grey pictures. Those that are put in are the store's already."""

    def __init__(self, frames: MutableMapping[int, Frame]) -> None:
        self._frames = frames

    def __getitem__(self, number: int) -> Frame:
        frame = self._frames[number]
        grey = np.repeat(opacity(frame)[..., None], 3, 2)
        return replace(frame, data=grey, alpha=None, tint=None)

    def __setitem__(self, number: int, frame: Frame) -> None:
        pass

    def __delitem__(self, number: int) -> None:
        pass

    def __iter__(self) -> Iterator[int]:
        return iter(self._frames)

    def __len__(self) -> int:
        return len(self._frames)
