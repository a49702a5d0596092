"""The three stages of a job, which overlap: decode | upscale | encode, with short queues between them."""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from vsrcli.engine.between import Between
from vsrcli.engine.engine import Engine
from vsrcli.frame import Frame
from vsrcli.pipeline.events import OnEvent, frames_made
from vsrcli.pipeline.folder.work_folder import WorkFolder
from vsrcli.pipeline.jobs.job import Job
from vsrcli.pipeline.running.part import Part
from vsrcli.pipeline.running.source import source_frames
from vsrcli.pipeline.sinks.sink import Writer
from vsrcli.pipeline.timing import StageClock


@dataclass(frozen=True)
class Border:
    """Sent to the encoder before a segment's first frame: the previous segment is complete.

    `state` is the engine's state, from which a later run continues.
    """

    state: dict[str, Tensor]


class CancelledError(Exception):
    """The caller has set the event that stops the work."""


class _ReachedError(Exception):
    """The last frame that is wanted has been passed on."""


class Pipe:
    """A short queue between two stages that end, fail and stop together. `clock` records how long they wait."""

    def __init__(self, size: int, stop: threading.Event, *, clock: StageClock, giver: str, taker: str) -> None:
        self._queue: queue.Queue[Any] = queue.Queue(size)
        self._stop, self._clock, self._giver, self._taker = stop, clock, giver, taker

    def put(self, item: Any) -> bool:
        """Wait for space and add an item; return False if the work is stopped."""
        began = self._clock.now()
        try:
            while not self._stop.is_set():
                try:
                    self._queue.put(item, timeout=0.1)
                    return True
                except queue.Full:
                    continue
            return False
        finally:
            self._clock.waited(self._giver, self._clock.now() - began)

    @property
    def stopped(self) -> bool:
        """Whether the work is stopped."""
        return self._stop.is_set()

    def __iter__(self) -> Iterator[Any]:
        """Yield items until None arrives or the work is stopped; raise an exception that arrives."""
        while not self._stop.is_set():
            began = self._clock.now()
            try:
                item = self._queue.get(timeout=0.1)
            except queue.Empty:
                continue
            finally:
                self._clock.waited(self._taker, self._clock.now() - began)
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item


def decode_stage(
    job: Job, first: int, out: Pipe, warn: Callable[[str], None], clock: StageClock, part: Part | None = None
) -> None:
    """Put the source's frames from number `first` on, or those of a part, into the pipe (in a thread)."""
    clock.begin("decode")
    try:
        for frame in part.read(first, warn) if part else source_frames(job, job.findings, warn, skip=first):
            if not out.put(frame):
                return
        out.put(None)
    except BaseException as error:
        out.put(error)
    finally:
        clock.end("decode")


def upscale_stage(
    engine: Engine,
    decoded: Pipe,
    made: Pipe,
    done: int,
    segment_frames: int,
    cancel: threading.Event,
    until: int | None = None,
    between: Between | None = None,
) -> tuple[int, int]:
    """Push LR frames and pass on HR frames from number `done` on and segment borders (in the main thread).

    With `between`, new LR frames are pushed too. Returns the total number of frames, and how many of those passed on
    were not run, because they repeat the one before. Raises CancelledError at the next frame after `cancel` is set.
    """
    repeated_before = 0

    def pass_on(ready: Iterator[Frame]) -> None:
        nonlocal repeated_before
        for frame in ready:
            if cancel.is_set():
                raise CancelledError
            if frame.number <= done:
                repeated_before = engine.repeated
            if frame.number < done:
                continue
            # windows end where segments do; without windows, or after repeats that do not count, they may not, and the
            # state is the one before the window, which is run again
            border = frame.number % segment_frames == 0
            if (border and not made.put(Border(engine.checkpoint()))) or not made.put(frame):
                return
            if frame.number + 1 == until:
                raise _ReachedError

    try:
        for frame in decoded:
            if cancel.is_set():
                raise CancelledError
            for lr in (frame,) if between is None else between.push(frame):
                pass_on(engine.push(lr))
        if not decoded.stopped:
            for lr in () if between is None else between.flush():
                pass_on(engine.push(lr))
            pass_on(engine.flush())
    except _ReachedError:
        assert until is not None
        return until, engine.repeated - repeated_before
    return engine.next_pushed, engine.repeated - repeated_before


class Encoder(threading.Thread):
    """Thread that writes frames to segments and records each segment as complete when the next one begins."""

    def __init__(
        self,
        job: Job,
        work: WorkFolder,
        made: Pipe,
        stop: threading.Event,
        on_event: OnEvent,
        clock: StageClock,
    ) -> None:
        super().__init__(daemon=True)
        self._clock = clock
        self.error: BaseException | None = None
        self._job, self._work, self._made, self._stop_all = job, work, made, stop
        self._on_event = on_event
        self._writer: Writer | None = None
        self._pts: list[int] = []

    def run(self) -> None:
        """Write until the last frame, an error, or the stop of the work."""
        self._clock.begin("encode")
        try:
            for frame in self._made:
                if isinstance(frame, Border):
                    self._finish(frame.state, last=False)
                    continue
                if self._writer is None:
                    self._writer = self._job.sink.writer(self._work.segment_path(len(self._work.segments)))
                self._writer.write(frame)
                self._pts.append(frame.pts)
                self._on_event(frames_made(frame.number + 1, self._job.frames))
            if not self._stop_all.is_set():
                self._finish(None, last=True)
        except BaseException as error:
            self.error = error
            self._stop_all.set()
        finally:
            self._clock.end("encode")
            if self._writer is not None:  # an incomplete segment: its file must not stay open
                with suppress(Exception):
                    self._writer.close()

    def _finish(self, state: dict[str, Tensor] | None, *, last: bool) -> None:
        if self._writer is not None:
            self._writer.close()
            found = self._job.findings if last else None
            self._work.commit(len(self._work.segments), self._pts, last=last, state=state, findings=found)
        self._writer, self._pts = None, []
