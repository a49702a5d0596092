"""The queue of jobs behind the page: one at a time, in a thread; each may be paused at a frame and continued."""

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vsrcli.errors import GO_ON, InterruptedJobError, OutputError, OutputExistsError, Remark, UsageError, VsrError
from vsrcli.pipeline.events import Event
from vsrcli.pipeline.jobs.job import Job, prepare
from vsrcli.pipeline.jobs.places import job_folder
from vsrcli.pipeline.options import Options
from vsrcli.pipeline.running.batch import apart
from vsrcli.shards.alone import run_or_finish
from vsrcli.web.asked import plain, told
from vsrcli.web.jobs import ACTIONS, LIVE, UNFINISHED, Action, State, WebJob
from vsrcli.web.places import OutsideError, Root
from vsrcli.web.trial import Trial, try_models
from vsrcli.zoo.loading import Loader

TRIALS_KEPT = 3
"""Trials whose pictures stay in memory."""


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

    def add(self, source: Path, options: Options, target: Path | None = None) -> WebJob:
        """Put a job at the end of the queue. Raises UsageError for a source that waits or runs already."""
        self._check_source(source)
        with self._changed:
            if self._has(source):
                raise UsageError(f"{source.name} is in the queue already")
            return self._append(source, options, target)

    def add_all(self, found: Sequence[tuple[Path, Path | None]], options: Options) -> list[int]:
        """Put a job for each of a folder's sources, which have targets, at the end; return the numbers.

        Sources that wait or run already are left out.
        """
        with self._changed:
            new = [(source, target) for source, target in found if not self._has(source)]
            return [self._append(source, options, target, listed=True).number for source, target in new]

    def _has(self, source: Path) -> bool:
        return any(job.source == source and job.state in LIVE for job in self.jobs)

    def _append(self, source: Path, options: Options, target: Path | None, *, listed: bool = False) -> WebJob:
        self._number += 1
        job = WebJob(self._number, self.root.written(source), source, options, target, listed)
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
            done = ACTIONS[action](self.jobs, job)
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
        return [job for job in self.jobs if job.state in UNFINISHED]

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
        try:
            job = self._prepared(task)
        except OutputExistsError as error:
            if not task.listed:
                raise
            self._end(task, "skipped", f"{self.root.written(error.path)} is there already")
            return
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

    def _prepared(self, task: WebJob) -> Job:
        """Return the prepared job; a result whose name is that of another source here gets a name of its own."""
        taken = {str(one.output) for one in self.jobs if one.output is not None and one.source != task.source}
        hear = lambda event: self._hear(task, event)  # noqa: E731
        try:
            job = prepare(task.source, task.target, task.options, hear, named=False, load=self._load)
            clash = job.sink.output
        except OutputExistsError as error:
            if str(error.path) not in taken:
                raise
            clash = error.path
        if str(clash) in taken:
            job = prepare(task.source, apart(clash, task.source, taken), task.options, hear, load=self._load)
        return job

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
