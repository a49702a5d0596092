"""How many frames a segment has: what a crash may cost, in work, against a keyframe more for each border."""

import torch

from vsrcli.engine.plan import WINDOW

SEGMENT_FRAMES = 60
"""Frames in a segment of a net that is fast enough; rounded up to whole windows."""
WORK = 120.0
"""Seconds of work that a segment of a slower net holds, about, but one window at least."""
THREAD_RATE, GPU_RATE = 6e10, 1e13
"""Operations a second that a CPU's thread and a GPU are taken for; a machine's own speed would change borders."""
_PIXELS = 320 * 180  # of the frame that the catalogue's costs are for


def seconds_a_frame(gflop: float, width: int, height: int, device: torch.device, threads: int) -> float:
    """Return about how long a source's frame takes, by a net's cost for a frame of 320x180."""
    rate = THREAD_RATE * max(1, threads) if device.type == "cpu" else GPU_RATE
    return gflop * 1e9 * width * height / _PIXELS / rate


def segment_frames(window: int | None, seconds: float | None) -> int:
    """Return the frames in a segment: whole windows, fewer where a frame takes long (None: unknown)."""
    window = window or WINDOW
    most = window * -(-SEGMENT_FRAMES // window)
    if not seconds:
        return most
    return min(most, window * max(1, int(WORK / seconds) // window))
