"""Estimate the memory that an encoder holds: frames that wait for its lookahead and reordering, in its own forms.

The figures are what this build's encoders took at their default presets (1280x720, 4:2:0 of 8 bits, two cores, up to 75
frames); `vsr` plans with them so that a job stays within the memory that it was given.
"""

import os
from dataclasses import dataclass

from vsrcli.media.write.encode_settings import EncodeSettings

IMAGE_BYTES = 30
"""Bytes per pixel while an image is written."""


@dataclass(frozen=True)
class _Held:
    """Bytes per pixel that an encoder holds: `base`, and `each` for up to `most` frames and `threads` for each core."""

    base: float
    each: float = 0.0
    most: int = 0
    threads: float = 0.0


_ENCODERS = {
    "h264": _Held(25, 3.5, 60, 5),
    "hevc": _Held(20, 8.5, 30, 2),
    "vp9": _Held(230, 1.3, 30),
    "av1": _Held(180, 2.4, 90),
    "prores": _Held(45),
    "ffv1": _Held(48),
    "gif": _Held(48),
    "apng": _Held(48),
}
_OTHER = _Held(260)
_CORES = 2  # of the machine on which they were measured


def encoder_bytes(settings: EncodeSettings, bit_depth: int, frames: int | None) -> int:
    """Return about how many bytes an encoder holds at its peak, for a video of `frames` (None: many) frames."""
    held = _ENCODERS.get(settings.codec, _OTHER)
    waiting = held.most if frames is None else min(frames, held.most)
    more = held.threads * max(0, (os.cpu_count() or 1) - _CORES)
    a_pixel = held.base + held.each * waiting + more
    return round(settings.width * settings.height * a_pixel * (2 if bit_depth > 8 else 1))
