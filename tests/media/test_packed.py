"""Packed pictures of odd widths are unpacked sample for sample, and chroma of a quarter of the width is in place.

swscale packs odd widths wrongly, so they are packed here.
"""

import av
import numpy as np
import pytest

from tests.media.test_padding import KINDS, drawn, expected
from vsrcli.media.info import Colour
from vsrcli.media.pixels.colour import to_rgb
from vsrcli.media.pixels.padding import planar, rows

PACKED = {"p010le": "yuv420p10le", "nv12": "yuv420p", "nv16": "yuv422p", "yuyv422": "yuv422p", "uyvy422": "yuv422p"}
COLOUR = Colour(matrix=5, range=1)
SIZES = [(33, 18), (7, 5), (41, 40), (64, 33), (6, 200)]


def pack(frame: av.VideoFrame, name: str) -> av.VideoFrame:
    made = av.VideoFrame(frame.width, frame.height, name)
    parts = [rows(plane, frame.format) for plane in frame.planes]
    kind = parts[0].dtype
    target = [np.frombuffer(memoryview(plane), kind).reshape(plane.height, -1) for plane in made.planes]
    across, width = parts[1].shape[1], frame.width
    if len(target) == 1:
        places = (0, 1, 3) if name == "yuyv422" else (1, 0, 2)
        for part, place, step in zip(parts, places, (2, 4, 4), strict=True):
            target[0][:, place::step][:, : part.shape[1]] = part
        return made
    shift = 16 - made.format.components[0].bits if kind.itemsize == 2 else 0
    target[0][:, :width] = parts[0] << shift
    for place, part in enumerate(parts[1:]):
        target[1][:, place : 2 * across : 2] = part << shift
    return made


@pytest.mark.parametrize("name", PACKED)
def test_packed_formats_of_odd_widths_equal_planar_ones(name: str) -> None:
    for width, height in SIZES:
        frame, codes = drawn(PACKED[name], width, height, sharp=True)
        packed = pack(frame, name)
        for plane, wanted in zip(planar(packed).planes, codes, strict=True):
            assert np.array_equal(rows(plane, frame.format), wanted)
        assert np.array_equal(to_rgb(packed, COLOUR), to_rgb(frame, COLOUR))


@pytest.mark.parametrize("pix_fmt", ["yuv411p", "yuv410p"])
def test_quarter_width_chroma_matches_the_reference(pix_fmt: str) -> None:
    for width, height in [*SIZES, (3, 3)]:
        frame, codes = drawn(pix_fmt, width, height, sharp=True)
        off = np.abs(to_rgb(frame, COLOUR) - 255 * expected(codes, KINDS[pix_fmt], 8))
        assert off.mean() < 0.5 and off.max() < 5, (width, height, off.mean(), off.max())
