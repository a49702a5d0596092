"""Methods to evaluate: bicubic upscaling and models. Each turns LR frames into HR frames and is timed."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from vsrcli import log
from vsrcli.engine.engine import Engine
from vsrcli.engine.plan import Plan
from vsrcli.engine.scenes import SceneDetector
from vsrcli.engine.tensors import TensorEngine
from vsrcli.levels import to_levels
from vsrcli.nets.recurrent import RecurrentNet
from vsrcli.quality.degrade import imresize

Planner = Callable[[RecurrentNet, int, int, torch.device, torch.dtype], Plan]
"""Takes the net, LR height, LR width, device and precision; returns the engine's plan."""

Say = Callable[[str], None]


class Runner:
    """One method on one clip: takes LR frames (3, h, w), returns HR frames uint8 (3, scale*h, scale*w) in order.

    `seconds` is the time spent so far on the returned frames.
    """

    def __init__(self) -> None:
        self.seconds = 0.0

    def push(self, lr: Tensor) -> Iterator[Tensor]:
        """Take one frame; return those that are ready. The iterator must be exhausted before the next call."""
        raise NotImplementedError

    def flush(self) -> Iterator[Tensor]:
        """Return the remaining frames at the end of the clip."""
        return iter(())


class Method(Protocol):
    """A method that can be evaluated, with its name."""

    @property
    def name(self) -> str:
        """Name in the tables."""

    def start(self, height: int, width: int) -> Runner:
        """Start a clip with LR frames of that size."""


@dataclass(frozen=True)
class Bicubic:
    """MATLAB's imresize on 8-bit frames, which all papers compare with."""

    scale: int
    name: str = "bicubic"

    def start(self, height: int, width: int) -> Runner:
        """Return a runner; there is nothing to prepare."""
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
    """A net, already on `device` in `dtype`, that the engine runs with the plan of `planner`.

    With `scenes` states are reset at scene cuts, as in `vsr upscale`; the published protocol takes each clip as one
    scene.
    """

    name: str
    net: RecurrentNet
    device: torch.device
    dtype: torch.dtype
    planner: Planner
    scenes: bool = False
    say: Say = log.warning

    def start(self, height: int, width: int) -> Runner:
        """Return a runner with a new engine."""
        plan = self.planner(self.net, height, width, self.device, self.dtype)
        return EngineRunner(
            Engine(self.net, plan, self.device, detector=SceneDetector() if self.scenes else None, say=self.say)
        )


class EngineRunner(Runner):
    """Runner that times an engine; its results are rounded to 8 bits."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self.engine = TensorEngine(engine, bit_depth=8)

    def push(self, lr: Tensor) -> Iterator[Tensor]:
        """Push one frame into the engine."""
        began = time.perf_counter()
        ready = self.engine.push(lr)
        self.seconds += time.perf_counter() - began
        return self._timed(ready)

    def flush(self) -> Iterator[Tensor]:
        """Return the frames that the engine still holds."""
        return self._timed(self.engine.flush())

    def _timed(self, ready: Iterator[Tensor]) -> Iterator[Tensor]:
        while True:
            began = time.perf_counter()
            hr = next(ready, None)
            self.seconds += time.perf_counter() - began
            if hr is None:
                return
            yield hr
