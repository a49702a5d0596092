"""Tiny recipes and moving textures for training tests."""

from pathlib import Path

import av
import numpy as np
import torch
from torch import Tensor

TINY = """
[net]
arch = "repvsr"
config = { channels = 8, blocks = 1, multibranch = true }
[data]
degradation = "bi"
patch = 12
frames = 3
batch = 2
[loss]
flow = 0.2
[optimiser]
iterations = 8
warmup = 2
flow_iterations = 2
precision = "fp32"
"""


def textured(frames: int, h: int, w: int, seed: int = 0) -> Tensor:
    """Return a still texture that pans by a pixel a frame: (frames, 3, h, w), uint8."""
    generator = torch.Generator().manual_seed(seed)
    still = torch.randint(0, 256, (3, h, w + frames), generator=generator, dtype=torch.uint8)
    return torch.stack([still[:, :, i : i + w] for i in range(frames)])


def write_video(path: Path, frames: Tensor) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "10"})
        stream.height, stream.width, stream.pix_fmt = frames.shape[-2], frames.shape[-1], "yuv420p"
        for frame in frames:
            array = np.ascontiguousarray(frame.permute(1, 2, 0).numpy())
            container.mux(stream.encode(av.VideoFrame.from_ndarray(array, format="rgb24")))
        container.mux(stream.encode(None))
