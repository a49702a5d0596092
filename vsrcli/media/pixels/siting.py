"""Measure a picture's chroma location, which PyAV does not return: swscale uses the frame's tag.

A small frame with the picture's tags and a chroma ramp is converted to 4:4:4; the position of the ramp in the result
gives the location.
"""

import av
import numpy as np
from av.video.reformatter import Interpolation

LEFT, CENTER, TOP_LEFT, TOP = 1, 2, 3, 4
_FLAGS = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP
_STEP = 8  # slope of the ramp in code values per chroma sample
_SIZE = 32
# Their decoders never tag the location, and swscale reads no tag as "center"
_UNTAGGED = frozenset({"vp8", "vp9", "av1", "ffv1", "rawvideo", "utvideo", "huffyuv", "ffvhuff", "gif", "png", "apng"})


def chroma_location(frame: av.VideoFrame, codec: str) -> int:
    """Return H.273's chroma location by ffmpeg's number (1 left, 2 center, 3 top left, 4 top), 0 if undeclared.

    Only 4:2:0 has one. A centre from a codec whose decoder sets no location counts as undeclared.
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
    """Return the offset in luma pixels of the first chroma sample, to the right (axis 1) or down (axis 0)."""
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
