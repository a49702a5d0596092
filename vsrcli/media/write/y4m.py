"""YUV4MPEG2 (.y4m): uncompressed pictures at one constant rate, the format in which video programs pipe frames.

FFmpeg writes depths beyond 8 bits only with a permission of its own, and no range; so the few lines are written here.
"""

from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np

_DEEP = (9, 10, 12, 14, 16)
_CHROMA = {"420": "yuv420p", "422": "yuv422p", "444": "yuv444p"}
Y4M_FORMATS = {
    "gray": "mono",
    **{f"gray{depth}le": f"mono{depth}" for depth in (9, 10, 12, 16)},
    **{name: sampling for sampling, name in _CHROMA.items()},
    **{f"{name}{depth}le": f"{sampling}p{depth}" for sampling, name in _CHROMA.items() for depth in _DEEP},
    "yuv411p": "411",
}
"""Pixel formats that it can hold, by FFmpeg's names, with their names in its header."""
_SITED = {1: "420mpeg2", 2: "420jpeg", 3: "420paldv"}
"""4:2:0 of 8 bits, by FFmpeg's number of the chroma location."""
FULL_RANGE = 2


def y4m_header(
    pix_fmt: str, size: tuple[int, int], rate: Fraction, aspect: Fraction, *, location: int, full: bool
) -> bytes:
    """Return the first line of a file.

    Args:
        pix_fmt: one of Y4M_FORMATS.
        size: (width, height) in pixels.
        rate: frames per second.
        aspect: that of the pixels, 0 where it is not declared.
        location: of 4:2:0's chroma samples, by FFmpeg's number; 0 counts as left, as everywhere in vsr.
        full: whether black and white are the lowest and highest codes.
    """
    name = Y4M_FORMATS[pix_fmt]
    chroma = _SITED.get(location or 1, "420mpeg2") if name == "420" else name
    shape = f"{aspect.numerator}:{aspect.denominator}" if aspect else "0:0"
    fields = [f"W{size[0]} H{size[1]} F{rate.numerator}:{rate.denominator} Ip A{shape} C{chroma}"]
    if not name.startswith("mono"):
        fields.append(f"XYSCSS={chroma.upper()}")
        fields.append(f"XCOLORRANGE={'FULL' if full else 'LIMITED'}")
    return f"YUV4MPEG2 {' '.join(fields)}\n".encode()


def y4m_frame(picture: av.VideoFrame) -> Iterator[bytes]:
    """Yield the bytes of one frame: its mark, then its planes without padding."""
    yield b"FRAME\n"
    for plane, component in zip(picture.planes, picture.format.components, strict=False):
        width = component.width * (2 if component.bits > 8 else 1)
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        yield rows[: component.height, :width].tobytes()


def constant(steps: Iterator[Fraction], rate: Fraction) -> bool:
    """Return whether times between frames, in seconds, are those of a constant rate, but for less than half a frame."""
    return all(abs(step * rate - 1) < Fraction(1, 2) for step in steps)
