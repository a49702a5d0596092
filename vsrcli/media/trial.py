"""Test whether encoders open on this machine, which the list of built-in ones does not show."""

import os
from fractions import Fraction

import av
import numpy as np
from av.error import FFmpegError

from vsrcli.media.encoders import ENCODERS
from vsrcli.media.scheduling import ordinary_scheduling

SIDE = 128
"""Height and width of the test picture: SVT-AV1 accepts none below 64."""


def try_encoder(codec: str) -> str | None:
    """Encode two pictures by vsr's encoder for a codec; return None, or why it does not work."""
    name = ENCODERS[codec]
    if codec == "av1":
        os.environ.setdefault("SVT_LOG", "1")
    try:
        formats = [one.name for one in av.Codec(name, "w").video_formats or ()]
        context = av.CodecContext.create(name, "w")
        assert isinstance(context, av.VideoCodecContext)
        context.width = context.height = SIDE
        context.pix_fmt = next(one for one in ("yuv420p", "yuv422p10le", *formats) if one in formats)
        context.framerate = Fraction(25)
        context.options = {"x265-params": "log-level=none"} if codec == "hevc" else {}
        packets, picture = [], np.zeros((SIDE, SIDE, 3), np.uint8)
        with ordinary_scheduling():
            for pts in range(2):
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=context.pix_fmt)
                frame.pts = pts
                packets += context.encode(frame)
            packets += context.encode(None)
    except (FFmpegError, ValueError, OSError, StopIteration) as error:
        return str(error) or type(error).__name__
    return None if sum(packet.size for packet in packets) else "it makes no data"
