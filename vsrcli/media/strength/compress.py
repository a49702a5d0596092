"""Compress frames and decode them again, to get the effects of a lossy codec.

Both conversions are those of colour.py. swscale's default conversion from RGB makes textured pictures 1.2 levels
darker, and a net that is trained on such pairs learns to brighten everything.
"""

import io
from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from typing import cast

import av
import numpy as np

from vsrcli.errors import UsageError
from vsrcli.media.info import Colour
from vsrcli.media.pixels.colour import from_rgb, to_rgb
from vsrcli.media.write.encode_settings import x264_parameters

_LIMITED_RANGE = 1
_RATE = Fraction(25)
PIX_FMT = "yuv420p"
FORMAT = {"pix_fmt": PIX_FMT, "range": "limited", "rate": int(_RATE)}
"""How frames are compressed by any encoder."""


def compressed(frames: Iterable[np.ndarray], encoder: str, options: Mapping[str, str]) -> Iterator[np.ndarray]:
    """Yield frames after encoding by `encoder` (4:2:0, 8 bit, limited range, 25 fps) and decoding.

    Frames are (h, w, 3) uint8 RGB. All of them are encoded first, into memory. Raises UsageError for odd sides.
    """
    repeatable = x264_parameters([]) if encoder == "libx264" else {}
    buffer = io.BytesIO()
    colour = Colour()
    with av.open(buffer, "w", format="matroska") as container:
        stream = cast(av.VideoStream, container.add_stream(encoder, rate=_RATE, options=repeatable | dict(options)))
        stream.pix_fmt = PIX_FMT
        for number, frame in enumerate(frames):
            if not number:
                stream.height, stream.width = frame.shape[:2]
                if stream.height % 2 or stream.width % 2:
                    raise UsageError(f"frames of {stream.width}x{stream.height} cannot be compressed: odd sides")
                colour = Colour(
                    matrix=Colour().matrix_for_conversion(stream.width, stream.height), range=_LIMITED_RANGE
                )
            picture = from_rgb(frame, pix_fmt=PIX_FMT, colour=colour)
            picture.pts, picture.time_base = number, 1 / _RATE  # without it, x264 assumes longer frames: 8 QP finer
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer, "r") as encoded:
        for picture in encoded.decode(video=0):
            yield to_rgb(picture, colour)
