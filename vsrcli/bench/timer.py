"""Time of a net by stage: its steps and the stages marked within them, timed while they run."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch

from vsrcli.bench.machine import synchronize
from vsrcli.nets.observe import observed
from vsrcli.nets.recurrent import RecurrentNet

STEPS = ("flow", "encode", "propagate", "reconstruct")
STAGES = ("flow", "encode", "warp", "propagate", "reconstruct")


class StageTimer:
    """Seconds by stage. A stage within another is not counted in the outer one, except in flow, which is one stage.

    The device is synchronised at every border, which slows a GPU down: time frames in another run there.
    """

    def __init__(self, net: RecurrentNet, device: torch.device) -> None:
        self.net = net
        self.device = device
        self.seconds: dict[str, float] = defaultdict(float)
        self._running: list[str] = []
        self._since = 0.0

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Measure the time of all that the net does in this context."""
        compiled = {step: vars(self.net)[step] for step in STEPS if step in vars(self.net)}
        for step in STEPS:
            setattr(self.net, step, self._timed(step, getattr(self.net, step)))
        try:
            with observed(self._stage):
                yield
        finally:
            for step in STEPS:
                delattr(self.net, step)  # uncovers the class's own method
            for step, function in compiled.items():
                setattr(self.net, step, function)

    def shares(self, total: float) -> dict[str, float]:
        """Return each stage's share of `total` seconds, and the remaining one as "other"."""
        shares = {name: self.seconds[name] / total for name in STAGES}
        return shares | {"other": max(0.0, 1.0 - sum(shares.values()))}

    def _timed(self, name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **kwargs: Any) -> Any:
            with self._stage(name):
                return step(*args, **kwargs)

        return timed

    @contextmanager
    def _stage(self, name: str) -> Iterator[None]:
        if "flow" in self._running:
            yield
            return
        self._border()
        self._running.append(name)
        try:
            yield
        finally:
            self._border()
            self._running.pop()

    def _border(self) -> None:
        """Add the time since the last border to the innermost running stage."""
        synchronize(self.device)
        now = time.perf_counter()
        if self._running:
            self.seconds[self._running[-1]] += now - self._since
        self._since = now
