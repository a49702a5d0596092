"""Where a picture's chroma samples lie, which PyAV does not say: swscale honours the frame's tag, so it is measured.

A small frame with the picture's tags and a chroma ramp is brought to 4:4:4; where the ramp comes out tells where the
samples were taken to lie.
"""

import av
import numpy as np
from av.video.reformatter import Interpolation

LEFT, CENTER, TOP_LEFT, TOP = 1, 2, 3, 4
_FLAGS = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP
_STEP = 8  # of the ramp, in code values a chroma sample
_SIZE = 32
# Their decoders never tag the location, and swscale reads no tag as "center"
_UNTAGGED = frozenset({"vp8", "vp9", "av1", "ffv1", "rawvideo", "utvideo", "huffyuv", "ffvhuff", "gif", "png", "apng"})


def chroma_location(frame: av.VideoFrame, codec: str) -> int:
    """H.273's chroma location as ffmpeg numbers it (1 left, 2 center, 3 top left, 4 top), 0 if none is declared.

    Only 4:2:0 has one. A middle that comes from a codec whose decoder sets no location counts as undeclared.
    """
    if frame.format.chroma_width(16) == 16 or frame.format.chroma_height(16) == 16:
        return 0
    across, down = _offset(frame, 1), _offset(frame, 0)
    if across > 0.25 and down > 0.25 and codec in _UNTAGGED:
        return 0
    return {(False, True): LEFT, (True, True): CENTER, (False, False): TOP_LEFT, (True, False): TOP}[
        across > 0.25, down > 0.25
    ]


def _offset(frame: av.VideoFrame, axis: int) -> float:
    """How many luma pixels the first chroma sample lies right of (axis 1) or below (0) the first luma sample."""
    small = frame.reformat(width=_SIZE, height=_SIZE, format="yuv420p")  # a new frame with the old one's tags
    half = _SIZE // 2
    ramp = np.broadcast_to(64 + _STEP * np.arange(half, dtype=np.uint8), (half, half))
    plane = small.planes[1]
    rows = np.zeros((half, plane.line_size), np.uint8)
    rows[:, :half] = ramp if axis == 1 else ramp.T
    plane.update(rows.tobytes())
    full = small.reformat(format="yuv444p", interpolation=_FLAGS).to_ndarray()[1].astype(float)
    middle = full[half] if axis == 1 else full[:, half]
    position = np.arange(_SIZE)[4:-4]
    return float(np.mean(position - (middle[4:-4] - 64) * 2 / _STEP))
