"""Measure how long each stage of a job is busy, and which one is the bottleneck."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

STAGES = ("decode", "upscale", "encode")
"""Stages in the order of processing. Conversion from and to planes belongs to the first and last."""


@dataclass
class StageClock:
    """Clock of the stages: a stage is busy whenever it does not wait for another.

    Each stage has a thread of its own, and writes its own time alone.
    """

    now: Callable[[], float] = time.monotonic
    _began: dict[str, float] = field(default_factory=dict)
    _ended: dict[str, float] = field(default_factory=dict)
    _waited: dict[str, float] = field(default_factory=dict)

    def begin(self, stage: str) -> None:
        """Take in that a stage begins."""
        self._began[stage] = self.now()

    def end(self, stage: str) -> None:
        """Take in that a stage has ended: what the others take from now on, it waits."""
        self._ended[stage] = self.now()

    def waited(self, stage: str, seconds: float) -> None:
        """Take in that a stage has waited for another."""
        self._waited[stage] = self._waited.get(stage, 0.0) + seconds

    def shares(self) -> dict[str, float]:
        """Return the share of the whole time, from 0 to 1, that each stage was busy. Empty if one never began."""
        if not all(stage in self._began for stage in STAGES):
            return {}
        now = self.now()
        ends = {stage: self._ended.get(stage, now) for stage in STAGES}
        whole = max(ends.values()) - min(self._began.values())
        if whole <= 0:
            return {}
        busy = {stage: ends[stage] - self._began[stage] - self._waited.get(stage, 0.0) for stage in STAGES}
        return {stage: min(1.0, max(0.0, seconds / whole)) for stage, seconds in busy.items()}


def bottleneck(shares: dict[str, float]) -> str | None:
    """Return the stage that was busy for most of the time; None where nothing was timed."""
    return max(shares, key=lambda stage: shares[stage]) if shares else None
