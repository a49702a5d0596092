"""One job of the page's queue, its states, and what the buttons do to it."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from vsrcli.pipeline.options import Options

State = Literal["waiting", "running", "pausing", "paused", "stopping", "stopped", "done", "skipped", "failed"]
Action = Literal["pause", "continue", "stop", "remove", "first"]

SETTLED = 3.0
"""Seconds of work after which the time that is left means something."""


@dataclass
class WebJob:
    """One job of the queue. `path` and `output` are relative to the root.

    `target` is the result's name where it does not go beside the source; its ending may change. Of a job that was
    `listed` in a folder, a result that is there already is no failure.
    """

    number: int
    path: str
    source: Path
    options: Options
    target: Path | None = None
    listed: bool = False
    state: State = "waiting"
    text: str = ""
    done: int = 0
    total: int | None = None
    lines: list[str] = field(default_factory=list)
    output: Path | None = None
    model: str = ""
    size: tuple[int, int] | None = None
    bytes: int | None = None
    seconds: float = 0.0
    cancel: threading.Event = field(default_factory=threading.Event)
    began: tuple[float, int] | None = None  # when this run made its first frame, and its number

    def left(self) -> float | None:
        """Return the seconds that are left, None as long as nobody knows."""
        if self.state != "running" or self.began is None or not self.total:
            return None
        spent, made = time.monotonic() - self.began[0], self.done - self.began[1]
        return (self.total - self.done) * spent / made if made > 0 and spent > SETTLED else None


LIVE = ("waiting", "running", "pausing", "paused", "stopping")
UNFINISHED = (*LIVE, "stopped")


def _pause(jobs: list[WebJob], job: WebJob) -> bool:
    if job.state == "waiting":
        job.state = "paused"
    elif job.state == "running":
        job.state = "pausing"
        job.cancel.set()
    else:
        return False
    return True


def _continue(jobs: list[WebJob], job: WebJob) -> bool:
    if job.state not in ("paused", "stopped", "failed"):
        return False
    job.state, job.text = "waiting", ""
    return True


def _stop(jobs: list[WebJob], job: WebJob) -> bool:
    if job.state in ("running", "pausing"):
        job.state = "stopping"
        job.cancel.set()
    elif job.state in ("waiting", "paused"):
        job.state = "stopped"
    else:
        return False
    return True


def _remove(jobs: list[WebJob], job: WebJob) -> bool:
    if job.state in ("running", "pausing", "stopping"):
        return False
    jobs.remove(job)
    return True


def _first(jobs: list[WebJob], job: WebJob) -> bool:
    if job.state != "waiting":
        return False
    jobs.remove(job)
    jobs.insert(0, job)
    return True


ACTIONS: dict[Action, Callable[[list[WebJob], WebJob], bool]] = {
    "pause": _pause,
    "continue": _continue,
    "stop": _stop,
    "remove": _remove,
    "first": _first,
}
