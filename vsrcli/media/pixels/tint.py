"""Pictures without colours of their own, as in black-and-white and sepia films: one tint for the whole picture.

Nets add colours at their edges. And in RGB a dark tint cannot be kept: a channel would have to be below 0. So such a
picture is upscaled in grey, and its tint is added where the result is encoded.
"""

import av
import numpy as np

from vsrcli.frame import Tint, largest_level
from vsrcli.media.info import Colour
from vsrcli.media.pixels.colour import (
    LUMA_WEIGHTS,
    bit_depth,
    code_limits,
    has_no_matrix,
    is_full_range,
    scaled_to,
    swscale_matrix,
    tagged,
)
from vsrcli.media.pixels.padding import FULL, planar, rows

_SPARSE = 16
"""Distance of the samples that are examined first: most pictures have colours there."""


def tint_of(picture: av.VideoFrame, colour: Colour) -> Tint | None:
    """Return the tint of a Y'CbCr picture whose chroma is flat, None for any other.

    Chroma counts as flat if it spans no more than one step of 8 bits; its tint is what most samples have.
    """
    fmt = picture.format
    if has_no_matrix(fmt) or len(fmt.components) < 3:
        return None
    depth = bit_depth(fmt)
    flat = planar(picture)
    codes = []
    for plane in flat.planes[1:3]:
        samples = rows(plane, flat.format)
        if np.ptp(samples[::_SPARSE, ::_SPARSE]) > 1 << (depth - 8) or np.ptp(samples) > 1 << (depth - 8):
            return None
        codes.append(int(np.median(samples)))
    span, middle = _chroma_span(depth, is_full_range(fmt.name, colour)), 1 << (depth - 1)
    return (codes[0] - middle) / span, (codes[1] - middle) / span


def to_grey(picture: av.VideoFrame, colour: Colour, *, size: tuple[int, int] | None = None) -> np.ndarray:
    """Return the luma of a Y'CbCr picture as grey RGB (h, w, 3), with the type and `size` of `to_rgb`."""
    depth, flat = bit_depth(picture.format), planar(picture)
    low, high = code_limits(depth, is_full_range(picture.format.name, colour))
    top, kind = (255, np.uint8) if depth == 8 else (65535, np.uint16)
    levels = (np.arange(1 << depth) - low) * (top / (high - low))
    table = np.clip(np.rint(levels), 0, top).astype(kind)
    rgb = np.repeat(table[rows(flat.planes[0], flat.format)][..., None], 3, axis=2)
    return rgb if size is None else scaled_to(rgb, size)


def tinted(grey: np.ndarray, tint: Tint, matrix: int) -> np.ndarray:
    """Return grey RGB (h, w, 3), uint8 or uint16, with a tint, by H.273's number of a matrix."""
    if tint == (0, 0):
        return grey
    kr, kb = LUMA_WEIGHTS[swscale_matrix(matrix)]
    red, blue = 2 * (1 - kr) * tint[1], 2 * (1 - kb) * tint[0]
    green = -(kr * red + kb * blue) / (1 - kr - kb)
    top = largest_level(grey)
    offsets = np.array([red, green, blue], np.float32) * top
    return np.clip(np.rint(grey + offsets), 0, top).astype(grey.dtype)


def fill_chroma(picture: av.VideoFrame, tint: Tint, colour: Colour) -> av.VideoFrame:
    """Return a Y'CbCr picture with the chroma of a tint, in its own format and with its tags."""
    fmt = picture.format
    if has_no_matrix(fmt) or len(fmt.components) < 3:
        return picture
    depth, flat = bit_depth(fmt), planar(picture)
    span, middle = _chroma_span(depth, is_full_range(fmt.name, colour)), 1 << (depth - 1)
    for plane, part in zip(flat.planes[1:3], tint, strict=True):
        rows(plane, flat.format)[:] = min(max(0, round(middle + part * span)), (1 << depth) - 1)
    if flat is picture:
        return picture
    return tagged(flat.reformat(format=fmt.name, src_color_range=FULL, dst_color_range=FULL), colour)


def _chroma_span(depth: int, full: bool) -> int:
    """Return the codes between chroma's ends (H.273, section 8.3)."""
    return (1 << depth) - 1 if full else 224 << (depth - 8)
