"""What is measured: bicubic enlargement and models, each turning LR frames into HR frames and timed at it."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from vsrcli.engine.engine import Engine
from vsrcli.engine.plan import Plan
from vsrcli.engine.scenes import SceneDetector
from vsrcli.engine.tensors import TensorEngine
from vsrcli.levels import to_levels
from vsrcli.nets.recurrent import RecurrentNet
from vsrcli.quality.degrade import imresize

Planner = Callable[[RecurrentNet, int, int, torch.device, torch.dtype], Plan]
"""(net, LR height, LR width, device, precision) -> how the engine shall run."""

Say = Callable[[str], None]


class Runner:
    """One method at work on one clip: LR frames (3, h, w) in, HR frames uint8 (3, scale*h, scale*w) out, in order.

    `seconds` is the time spent so far on making the frames that came out.
    """

    def __init__(self) -> None:
        self.seconds = 0.0

    def push(self, lr: Tensor) -> Iterator[Tensor]:
        """Take one frame; those that are ready now. The iterator must be used up before the next call."""
        raise NotImplementedError

    def flush(self) -> Iterator[Tensor]:
        """The clip has ended: the rest."""
        return iter(())


class Method(Protocol):
    """Something that can be measured, by its name."""

    @property
    def name(self) -> str:
        """How the tables call it."""

    def start(self, height: int, width: int) -> Runner:
        """Begin a clip with LR frames of that size."""


@dataclass(frozen=True)
class Bicubic:
    """MATLAB's imresize on 8-bit frames, which all papers compare with."""

    scale: int
    name: str = "bicubic"

    def start(self, height: int, width: int) -> Runner:
        """Nothing to prepare."""
        return _BicubicRunner(self.scale)


class _BicubicRunner(Runner):
    def __init__(self, scale: int) -> None:
        super().__init__()
        self._scale = scale

    def push(self, lr: Tensor) -> Iterator[Tensor]:
        began = time.perf_counter()
        hr = imresize(to_levels(lr), self._scale)
        self.seconds += time.perf_counter() - began
        yield hr


@dataclass(frozen=True)
class Model:
    """A net, already placed on `device` in `dtype`, run by the engine as `planner` says.

    `scenes`: start afresh at scene cuts, as `vsr upscale` does; the published protocol takes each clip as one scene.
    """

    name: str
    net: RecurrentNet
    device: torch.device
    dtype: torch.dtype
    planner: Planner
    scenes: bool = False
    say: Say = lambda line: None

    def start(self, height: int, width: int) -> Runner:
        """A fresh engine."""
        plan = self.planner(self.net, height, width, self.device, self.dtype)
        return EngineRunner(
            Engine(self.net, plan, self.device, detector=SceneDetector() if self.scenes else None, say=self.say)
        )


class EngineRunner(Runner):
    """Times an engine, its results rounded to 8 bits."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self.engine = TensorEngine(engine, bit_depth=8)

    def push(self, lr: Tensor) -> Iterator[Tensor]:
        """One frame to the engine."""
        began = time.perf_counter()
        ready = self.engine.push(lr)
        self.seconds += time.perf_counter() - began
        return self._timed(ready)

    def flush(self) -> Iterator[Tensor]:
        """What the engine still holds."""
        return self._timed(self.engine.flush())

    def _timed(self, ready: Iterator[Tensor]) -> Iterator[Tensor]:
        while True:
            began = time.perf_counter()
            hr = next(ready, None)
            self.seconds += time.perf_counter() - began
            if hr is None:
                return
            yield hr
