"""Compresses frames and decodes them again: what a lossy codec leaves of them."""

import io
from collections.abc import Iterable, Iterator, Mapping
from typing import cast

import av
import numpy as np

from vsrcli.errors import UsageError
from vsrcli.media.codecs import x264_parameters


def compressed(frames: Iterable[np.ndarray], encoder: str, options: Mapping[str, str]) -> Iterator[np.ndarray]:
    """What a viewer decodes after `encoder` (4:2:0, 8 bit) has encoded the frames, (h, w, 3) uint8, at 25 fps.

    All are encoded first, into memory, where compressed ones take little. Raises UsageError for odd sides.
    """
    repeatable = x264_parameters([]) if encoder == "libx264" else {}
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as container:
        stream = cast(av.VideoStream, container.add_stream(encoder, rate=25, options=repeatable | dict(options)))
        stream.pix_fmt = "yuv420p"
        for number, frame in enumerate(frames):
            if not number:
                stream.height, stream.width = frame.shape[:2]
                if stream.height % 2 or stream.width % 2:
                    raise UsageError(f"frames of {stream.width}x{stream.height} cannot be compressed: odd sides")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer, "r") as encoded:
        for picture in encoded.decode(video=0):
            yield picture.to_ndarray(format="rgb24")
