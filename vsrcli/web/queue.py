"""The queue of jobs behind the page: one at a time, in a thread; each may be paused at a frame and continued."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from vsrcli.errors import GO_ON, InterruptedJobError, OutputError, Remark, UsageError, VsrError
from vsrcli.pipeline.events import Event
from vsrcli.pipeline.jobs.job import Job, prepare
from vsrcli.pipeline.jobs.places import job_folder
from vsrcli.pipeline.options import Options
from vsrcli.shards.alone import run_or_finish
from vsrcli.web.asked import plain, told
from vsrcli.web.places import OutsideError, Root
from vsrcli.web.trial import Trial, try_models
from vsrcli.zoo.loading import Loader

State = Literal["waiting", "running", "pausing", "paused", "stopping", "stopped", "done", "failed"]
Action = Literal["pause", "continue", "stop", "remove", "first"]

TRIALS_KEPT = 3
"""Trials whose pictures stay in memory."""
SETTLED = 3.0
"""Seconds of work after which the time that is left means something."""


@dataclass
class WebJob:
    """One job of the queue. `path` and `output` are relative to the root."""

    number: int
    path: str
    source: Path
    options: Options
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


class Queue:
    """Jobs and trials, run one after another; what the page shows of them has a version that grows."""

    def __init__(self, root: Root) -> None:
        self.root = root
        self.jobs: list[WebJob] = []
        self.trials: list[Trial] = []
        self.version = 0
        self._changed = threading.Condition()
        self._closed = False
        self._number = 0
        self._load = Loader()
        self._thread = threading.Thread(target=self._work, daemon=True, name="vsr-web-queue")
        self._thread.start()

    def add(self, source: Path, options: Options) -> WebJob:
        """Put a job at the end of the queue. Raises UsageError for a source that waits or runs already."""
        self._check_source(source)
        with self._changed:
            if any(job.source == source and job.state in _LIVE for job in self.jobs):
                raise UsageError(f"{source.name} is in the queue already")
            self._number += 1
            job = WebJob(self._number, self.root.written(source), source, options)
            self.jobs.append(job)
            self._bump()
        return job

    def attempt(self, source: Path, models: tuple[str | None, ...], options: Options) -> Trial:
        """Start a trial when the job that runs is done or paused; the one before it is cancelled."""
        self._check_source(source)
        with self._changed:
            for before in self.trials:
                before.cancel.set()
                before.state = "stopped" if before.state == "waiting" else before.state
            self._number += 1
            trial = Trial(self._number, self.root.written(source), source, models, options)
            if any(job.state in ("running", "pausing", "stopping") for job in self.jobs):
                trial.text = "waits until the job that runs is done, paused or stopped"
            self.trials = [*self.trials[1 - TRIALS_KEPT :], trial]
            self._bump()
        return trial

    def act(self, number: int, action: Action) -> bool:
        """Apply a button's action to a job; return False if there is no such job, or it is not in a state for it."""
        with self._changed:
            job = self.job(number)
            if job is None:
                return False
            done = _ACTIONS[action](self, job)
            if done:
                self._bump()
            return done

    def job(self, number: int) -> WebJob | None:
        """Return the job of a number; None if there is none."""
        return next((job for job in self.jobs if job.number == number), None)

    def trial(self, number: int) -> Trial | None:
        """Return the trial of a number; None if there is none, or no longer."""
        return next((trial for trial in self.trials if trial.number == number), None)

    def close(self) -> list[WebJob]:
        """Stop what runs at the next frame, wait for it, and return the jobs that are not finished."""
        with self._changed:
            self._closed = True
            for event in [*(job.cancel for job in self.jobs), *(trial.cancel for trial in self.trials)]:
                event.set()
            self._bump()
        self._thread.join()
        return [job for job in self.jobs if job.state in _UNFINISHED]

    def plain(self) -> dict[str, Any]:
        """Return what the page shows."""
        with self._changed:
            trial = self.trials[-1].plain() if self.trials else None
            return {"jobs": [self._plain(job) for job in self.jobs], "trial": trial}

    def _plain(self, job: WebJob) -> dict[str, Any]:
        names = ("number", "path", "state", "text", "done", "total", "lines", "model", "size", "bytes", "seconds")
        about = {name: getattr(job, name) for name in names}
        output = None if job.output is None else self.root.written(job.output)
        return about | {"output": output, "left": job.left(), "options": plain(job.options)}

    def _check_source(self, source: Path) -> None:
        if source == self.root.folder:
            raise UsageError("the root itself is no source: its result would lie outside")

    def _bump(self) -> None:
        self.version += 1
        self._changed.notify_all()

    def _tell(self) -> None:
        with self._changed:
            self._bump()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._next() is not None)
                if self._closed:
                    return
                task = self._next()
                assert task is not None
                task.state, task.text = "running", ""
                task.cancel.clear()
                self._bump()
            try:
                if isinstance(task, Trial):
                    self._run_trial(task)
                else:
                    self._run_job(task)
            except InterruptedJobError as error:
                self._end(task, "paused" if task.state == "pausing" else "stopped", str(error).removesuffix(GO_ON))
            except VsrError as error:
                self._end(task, "failed", told(error))
            except OutsideError as error:
                self._end(task, "failed", f"{error} lies outside the folder of this page")
            except Exception as error:  # the page goes on, whatever happens to one job
                self._end(task, "failed", f"{type(error).__name__}: {error}")

    def _next(self) -> WebJob | Trial | None:
        tasks: list[WebJob | Trial] = [*self.trials, *self.jobs]
        return next((task for task in tasks if task.state == "waiting"), None)

    def _end(self, task: Any, state: State, text: str = "") -> None:
        with self._changed:
            task.state, task.text = state, text
            self._bump()

    def _run_trial(self, trial: Trial) -> None:
        try_models(trial, self._load, self._tell)
        self._end(trial, "stopped" if trial.cancel.is_set() else "done")

    def _run_job(self, task: WebJob) -> None:
        task.lines, task.began = [], None
        job = prepare(task.source, None, task.options, lambda event: self._hear(task, event), load=self._load)
        self._check_output(job)
        with self._changed:
            task.output, task.model, task.size, task.total = job.sink.output, job.model.name, job.size, job.frames
            task.options = replace(task.options, restart=False)  # a pause goes on from what this run has made
            self._bump()
        result = run_or_finish(job, lambda event: self._hear(task, event), cancel=task.cancel, load=self._load)
        with self._changed:
            task.output, task.done, task.total = result.output, result.frames, result.frames
            task.bytes = result.output.stat().st_size if result.output.is_file() else None
            task.seconds += result.seconds
            self._bump()
        self._end(task, "done")

    def _check_output(self, job: Job) -> None:
        """Raise OutsideError or OutputError where the result, or the folder of its work, would lie elsewhere."""
        for path in (job.sink.output, job_folder(job.sink.output)):
            self.root.inside(path)
            if path.is_symlink():
                raise OutputError(f"{path.name} is a link: the page writes through none")

    def _hear(self, task: WebJob, event: Event) -> None:
        with self._changed:
            if event.kind in ("note", "warning"):
                if event.text not in task.lines:
                    task.lines.append(str(event.text) if isinstance(event.text, Remark) else event.text)
            elif event.kind == "start":
                task.done, task.total, task.text = event.done, event.total, ""
            elif event.kind == "frame":
                task.began = task.began or (time.monotonic(), event.done)
                task.done, task.total = event.done, event.total or task.total
            else:
                task.text = _STEPS.get(event.kind, "")
            self._bump()


_STEPS = {"download": "downloading weights", "sweep": "looking at the scene", "assemble": "writing the file"}
_LIVE = ("waiting", "running", "pausing", "paused", "stopping")
_UNFINISHED = (*_LIVE, "stopped")


def _pause(queue: Queue, job: WebJob) -> bool:
    if job.state == "waiting":
        job.state = "paused"
    elif job.state == "running":
        job.state = "pausing"
        job.cancel.set()
    else:
        return False
    return True


def _continue(queue: Queue, job: WebJob) -> bool:
    if job.state not in ("paused", "stopped", "failed"):
        return False
    job.state, job.text = "waiting", ""
    return True


def _stop(queue: Queue, job: WebJob) -> bool:
    if job.state in ("running", "pausing"):
        job.state = "stopping"
        job.cancel.set()
    elif job.state in ("waiting", "paused"):
        job.state = "stopped"
    else:
        return False
    return True


def _remove(queue: Queue, job: WebJob) -> bool:
    if job.state in ("running", "pausing", "stopping"):
        return False
    queue.jobs.remove(job)
    return True


def _first(queue: Queue, job: WebJob) -> bool:
    if job.state != "waiting":
        return False
    queue.jobs.remove(job)
    queue.jobs.insert(0, job)
    return True


_ACTIONS: dict[Action, Callable[[Queue, WebJob], bool]] = {
    "pause": _pause,
    "continue": _continue,
    "stop": _stop,
    "remove": _remove,
    "first": _first,
}
