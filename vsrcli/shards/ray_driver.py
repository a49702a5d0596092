"""Run the shards of a plan on a Ray cluster: one queue for all shards, and actors that each run one at a time."""

import importlib
import logging
import os
import re
import socket
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from vsrcli.errors import GO_ON, InterruptedJobError, Reason, UsageError, VsrError
from vsrcli.pipeline.events import Event, OnEvent
from vsrcli.shards.joining import Lacking
from vsrcli.shards.plan import Place, ShardPlan
from vsrcli.shards.running import joining_begun, len_of
from vsrcli.shards.transport import pieces_of, store_shard
from vsrcli.words import counted

TRIES = 3
"""Times that a shard which failed or was lost is tried again."""

_ANSWER = 10.0  # seconds for a cluster to answer at its address
_POLL = 0.5  # seconds between looks at the workers
_LATER = 3.0  # seconds before a shard is tried again, times the number of tries


def load_ray() -> Any:
    """Return the package ray. Raises UsageError if it is not installed."""
    try:
        return importlib.import_module("ray")
    except ImportError:
        raise UsageError("Ray is not installed here", Reason.NEEDS_RAY) from None


@contextmanager
def cluster(address: str) -> Iterator[Any]:
    """Connect to a cluster, or with "local" start one here, and yield the package. Raises UsageError."""
    ray = load_ray()
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_DEDUP_LOGS", "0")
    quiet: dict[str, Any] = {"logging_level": logging.ERROR, "log_to_driver": False}
    try:
        if match := re.fullmatch(r"(?:ray://)?([^/]+):([0-9]{1,5})", address):
            # Ray itself waits for minutes, or aborts
            socket.create_connection((match[1], int(match[2])), timeout=_ANSWER).close()
        ray.init(address=address, **quiet, **({"include_dashboard": False} if address == "local" else {}))
    except Exception as error:  # Ray raises the bare class where its processes do not start in time
        said = getattr(error, "strerror", None) or str(error).strip() or type(error).__name__
        raise UsageError(f"there is no Ray cluster at {address}: {said.splitlines()[0].split('. ')[0]}") from None
    try:
        yield ray
    finally:
        with suppress(Exception):
            ray.shutdown()


def worker_count(ray: Any, device: str, cpus: int) -> int:
    """Return the number of workers that fit in the cluster: one for each GPU, or for so many cores."""
    found = ray.cluster_resources()
    return max(1, int(found.get("GPU", 0)) if device == "cuda" else int(found.get("CPU", 0) // cpus))


@dataclass(eq=False)
class _Actor:
    """A worker: Ray's handle, the sources that it sees, the shard that it runs, and whether it is lost."""

    handle: Any
    sees: list[bool]
    place: Place | None = None
    done: int = 0
    lost: bool = False


@dataclass
class _Driver:
    ray: Any
    plan: ShardPlan
    cpus: int
    most: int
    on_event: OnEvent
    actors: list[_Actor] = field(default_factory=list)
    running: dict[Any, _Actor] = field(default_factory=dict)
    looks: dict[Any, _Actor] = field(default_factory=dict)
    joining: dict[Any, Any] = field(default_factory=dict)
    finished: list[Place] = field(default_factory=list)
    failed: list[Lacking] = field(default_factory=list)
    tries: dict[int, int] = field(default_factory=dict)
    pieces: dict[int, list[Any]] = field(default_factory=dict)
    told: bool = False
    refused: int = 0
    shown: int = 0

    def run(self) -> None:
        self.finished = [place for place in self.plan.places if joining_begun(place.source)]
        waiting = deque((0.0, place) for place in self.plan.places if place not in self.finished)
        total = sum(len_of(place) for place in self.plan.places)
        self.on_event(Event("start", total=total))
        while waiting or self.running:
            self._hire(len(waiting))
            self._hand_out(waiting)
            refs = [*self.running, *self.joining, *self.looks]
            ready, _ = self.ray.wait(refs, num_returns=len(refs), timeout=_POLL) if refs else ([], [])
            if len(ready) == len(refs):
                time.sleep(_POLL)
            for ref in ready:
                self._take(ref, waiting)
            self._tell(total)

    def _hire(self, waiting: int) -> None:
        """Request workers; each counts once it answers."""
        wanted = min(self.most, len(self.running) + waiting)
        kind = self.plan.sources[0].settings["device"]
        resources = {"num_gpus": 1} if kind == "cuda" else {"num_cpus": self.cpus}
        while len(self.actors) + len(self.joining) < wanted:
            worker = importlib.import_module("vsrcli.shards.ray_worker").Worker
            made = self.ray.remote(worker).options(max_concurrency=2, max_restarts=0, **resources)
            handle = made.remote(self.plan, self.cpus)
            self.joining[handle.sees.remote()] = handle

    def _hand_out(self, waiting: "deque[tuple[float, Place]]") -> None:
        self.actors = [actor for actor in self.actors if actor.place is not None or not actor.lost]
        idle = [actor for actor in self.actors if actor.place is None]
        for actor in idle:
            due = next((one for one in waiting if one[0] <= time.monotonic()), None)
            if due is None:
                return
            waiting.remove(due)
            actor.place, actor.done = due[1], 0
            key = next(n for n, source in enumerate(self.plan.sources) if source is due[1].source)
            pieces = None if actor.sees[key] else self._pieces(key)
            self.running[actor.handle.make.remote(due[1].number, pieces)] = actor
            self.looks[actor.handle.progress.remote()] = actor

    def _pieces(self, key: int) -> list[Any]:
        if key not in self.pieces:
            self.pieces[key] = [self.ray.put(piece) for piece in pieces_of(self.plan.sources[key])]
        return self.pieces[key]

    def _take(self, ref: Any, waiting: "deque[tuple[float, Place]]") -> None:
        """Process an answer: a new worker, progress, a finished shard, or the loss of a worker."""
        if ref in self.joining:
            handle = self.joining.pop(ref)
            try:
                self.actors.append(_Actor(handle, self.ray.get(ref)))
            except self.ray.exceptions.RayError as error:
                self.refused += 1
                if self.refused > TRIES * self.most:
                    raise VsrError(f"no worker starts on the cluster: {_reason(error)}") from None
            else:
                self._say_way(self.actors[-1])
            return
        if ref in self.looks:
            actor = self.looks.pop(ref)
            try:
                actor.done = self.ray.get(ref)
            except self.ray.exceptions.RayError:
                actor.lost = True
            return
        actor = self.running.pop(ref)
        place, actor.place = actor.place, None
        assert place is not None
        try:
            _, made = self.ray.get(ref)
            if made is not None:
                store_shard(place.source, place.index, made)
            self.finished.append(place)
        except self.ray.exceptions.RayTaskError as error:
            self._again(place, waiting, _reason(error))
        except self.ray.exceptions.RayError:
            actor.lost = True
            self._again(place, waiting, "its worker was lost")

    def _again(self, place: Place, waiting: "deque[tuple[float, Place]]", reason: str) -> None:
        self.tries[place.number] = tries = self.tries.get(place.number, 0) + 1
        if tries > TRIES:
            self.failed.append(Lacking(place, reason))
            return
        self.on_event(Event("note", f"{place}: {reason}; it is tried again"))
        waiting.append((time.monotonic() + _LATER * (tries - 1), place))

    def _say_way(self, actor: _Actor) -> None:
        """Report once whether data are sent or read from a shared disk."""
        if not self.told:
            self.told = True
            way = "the workers read the source from its disk"
            if not all(actor.sees):
                way = "the workers do not see the source's disk: it goes to them through Ray's object store"
            self.on_event(Event("note", way))

    def _tell(self, total: int) -> None:
        busy = [actor for actor in self.actors if actor.place is not None]
        looked = set(map(id, self.looks.values()))
        for actor in busy:
            if id(actor) not in looked and not actor.lost:
                self.looks[actor.handle.progress.remote()] = actor
        done = sum(map(len_of, self.finished)) + sum(actor.done for actor in busy)
        shards = f"{len(self.finished)}/{len(self.plan.places)} shards, {counted(len(busy), 'worker')}"
        if done > self.shown:  # frames of a lost worker are counted again, but not shown again
            self.shown = done
            self.on_event(Event("frame", shards, done=done, total=total))


def run_on_ray(ray: Any, plan: ShardPlan, on_event: OnEvent, *, cpus: int) -> list[Lacking]:
    """Run all shards of a plan on a cluster; return those that failed, once all others are finished.

    Raises InterruptedJobError on Ctrl-C. Finished work is kept, and the next run on any cluster continues it.
    """
    driver = _Driver(ray, plan, cpus, worker_count(ray, str(plan.sources[0].settings["device"]), cpus), on_event)
    try:
        driver.run()
    except KeyboardInterrupt:
        made = f"{len(driver.finished)} of {counted(len(plan.places), 'shard')} are finished"
        raise InterruptedJobError(f"stopped: {made}{GO_ON}") from None
    finally:
        with suppress(Exception):
            ray.get([actor.handle.close.remote() for actor in driver.actors if actor.place is None], timeout=5)
        for actor in driver.actors:
            with suppress(Exception):
                ray.kill(actor.handle)
    return driver.failed


def _reason(error: Exception) -> str:
    """Return the reason of a task's failure in one line."""
    cause = getattr(error, "cause", None)
    if isinstance(cause, VsrError):
        return str(cause)
    lines = str(cause or error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__
