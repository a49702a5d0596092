"""Float tensors into and out of the engine, for evaluation, tests and users of the library."""

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from vsrcli.engine.engine import Engine
from vsrcli.frame import Frame
from vsrcli.levels import planes_to_picture


class TensorEngine:
    """Engine for LR frames (3, h, w) of float32 in [0, 1] that returns HR frames (3, s*h, s*w) in main memory.

    They are float32, not clamped, or with a `bit_depth` of 8 or 16 levels in uint8 or uint16.
    """

    def __init__(self, engine: Engine, *, bit_depth: int = 32) -> None:
        self.engine, self.bit_depth = engine, bit_depth

    def look_back(self, before: Sequence[Tensor], first: int, scene: int) -> None:
        """Start after the LR frames `before`, numbered from `first` on: see `Engine.look_back`."""
        frames = [Frame(n, planes_to_picture(lr.float())) for n, lr in enumerate(before, first)]
        self.engine.look_back(frames, range(first, first + len(frames)), scene)

    def push(self, lr: Tensor) -> Iterator[Tensor]:
        """Take one frame and return those that are ready, as an iterator to be exhausted before the next call."""
        frame = Frame(self.engine.next_pushed, planes_to_picture(lr.float()), bit_depth=self.bit_depth)
        return map(_planes, self.engine.push(frame))

    def flush(self) -> Iterator[Tensor]:
        """Return the remaining frames at the end of the video."""
        return map(_planes, self.engine.flush())

    def upscale(self, frames: Iterable[Tensor]) -> Iterator[Tensor]:
        """Yield the HR frames of `frames` and of all frames before them that wait."""
        for lr in frames:
            yield from self.push(lr)
        yield from self.flush()


def _planes(frame: Frame) -> Tensor:
    """Return a frame's data as a tensor (3, h, w)."""
    return torch.from_numpy(frame.data).permute(2, 0, 1)
