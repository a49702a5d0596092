"""Choose the number of frames in a segment: short ones lose less work in a crash, long ones need fewer keyframes."""

import torch

from vsrcli.engine.plan import WINDOW

SEGMENT_FRAMES = 60
"""Frames in a segment of a net that is fast enough; rounded up to whole windows."""
WORK = 60.0
"""Approximate seconds of work in a segment of a slower net, which has at least one window."""
THREAD_RATE, GPU_RATE = 6e10, 1e13
"""Assumed operations per second of a CPU thread and a GPU. The machine's real speed would change segment borders."""
_PIXELS = 320 * 180  # size of the frame to which the catalogue's costs refer


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
