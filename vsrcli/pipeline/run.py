"""Runs one job to its end, or the rest of one that was stopped."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from vsrcli import __version__
from vsrcli.engine.engine import Engine
from vsrcli.engine.plan import QUEUED_FRAMES
from vsrcli.errors import InterruptedJobError, OutputError, UsageError
from vsrcli.media.damage import Damage
from vsrcli.media.mux import MADE_TAG
from vsrcli.pipeline.batch import MADE_BY_VSR
from vsrcli.pipeline.events import Event, OnEvent
from vsrcli.pipeline.fingerprint import fingerprint
from vsrcli.pipeline.job import Job, damaged
from vsrcli.pipeline.places import job_folder
from vsrcli.pipeline.sinks import Placing
from vsrcli.pipeline.stages import CancelledError, Encoder, Pipe, decode_stage, upscale_stage
from vsrcli.pipeline.task import Task
from vsrcli.pipeline.tensor_folder import FrameFolder, TensorFolder
from vsrcli.pipeline.workfolder import FRAMES_NAME, STATES_NAME
from vsrcli.words import counted


@dataclass(frozen=True)
class Result:
    """A finished job. `made` frames were made by this run (the others by runs before it) in `seconds`.

    `picked` says why its model was chosen, None where it was named. `damage` is what was found wrong with its
    source.
    """

    input: Path
    output: Path
    frames: int
    made: int
    seconds: float
    model: str
    weights: str
    size: tuple[int, int]
    warnings: tuple[str, ...]
    picked: str | None = None
    damage: Damage | None = None


def run(task: Task, on_event: OnEvent = lambda event: None, *, cancel: threading.Event | None = None) -> Result:
    """Do the job, or the rest of it.

    Raises InterruptedJobError on KeyboardInterrupt, and at the next frame when `cancel` is set; other VsrErrors on
    failure.
    """
    started = time.monotonic()

    def warn(line: str) -> None:
        task.warnings.append(line)
        on_event(Event("warning", line))

    for line in list(task.warnings):
        on_event(Event("warning", line))
    job = Job.open(
        job_folder(task.sink.output),
        source=fingerprint(task.info),
        settings=task.settings(),
        plan=task.plan,
        segment_frames=task.segment_frames,
        restart=task.options.restart,
        overwrite=task.options.overwrite,
    )
    before = job.frames
    if job.plan != task.plan and not job.complete and job.placed is None:  # it began where there was more memory
        for line in task.shortages(job.plan):
            warn(line)
    try:
        if job.placed is not None:
            output = job.placed  # a run before was stopped while it cleaned up
        else:
            if not job.complete:
                _make_segments(task, job, on_event, warn, cancel or threading.Event())
            else:
                task.findings = job.findings
                if task.findings.damage is not None:
                    warn(f"{task.info.path} {task.findings.damage.line()}")
            on_event(Event("assemble", total=job.frames))
            job.verify()
            placing = Placing(task.options.overwrite, job.announce, None if job.mark is None else job.mark.output)
            output = task.sink.finish(job.segments, output_tags(task), warn, placing, task.findings.joins)
            job.finish()
            if output != task.sink.output:
                warn(f"{task.sink.output} appeared meanwhile and was left alone: the result is {output}")
    except (KeyboardInterrupt, CancelledError):
        swept = " and what was swept" if swept_states(job) else ""
        verb = "is" if job.frames == 1 and not swept else "are"
        raise InterruptedJobError(
            f"stopped; {counted(job.frames, 'frame')}{swept} {verb} safe in {job.folder}: "
            "run the same command again to go on"
        ) from None
    except BaseException:
        if not (job.segments or swept_states(job)):
            job.remove()
        raise
    else:
        done = job.frames
        if foreign := job.remove():
            warn(f"{job.folder} holds files that are not vsr's: {', '.join(path.name for path in foreign)} left there")
    finally:
        job.close()
    on_event(Event("done", done=done, total=done))
    return Result(
        input=task.info.path,
        output=output,
        frames=done,
        made=done - before,
        seconds=time.monotonic() - started,
        model=task.model.name,
        weights=task.model.sha256,
        size=task.size,
        warnings=tuple(task.warnings),
        picked=task.picked,
        damage=task.findings.damage,
    )


def output_tags(task: Task) -> dict[str, str]:
    """What the output says about its making."""
    return {MADE_TAG: f"{MADE_BY_VSR} {__version__}, {task.model.name}, weights {task.model.sha256[:16]}"}


def _make_segments(
    task: Task, job: Job, on_event: OnEvent, warn: Callable[[str], None], cancel: threading.Event
) -> None:
    """Decode, upscale and encode what is not yet in finished segments."""
    frame_store = FrameFolder(job.folder / FRAMES_NAME)

    def swept(done: int, total: int, scene_end: int) -> None:
        if encoder.error is not None:
            raise encoder.error
        if cancel.is_set():
            raise CancelledError
        on_event(Event("sweep", done=done, total=total, until=scene_end))

    engine = Engine(
        task.model.net,
        job.plan,
        task.device,
        say=warn,
        frame_store=frame_store,
        state_store=swept_states(job),
        swept=swept,
    )
    state = job.state()
    if state is not None:
        try:
            engine.restore(state)
        except (KeyError, ValueError, TypeError, IndexError, RuntimeError, AttributeError, OverflowError):
            raise damaged(job.folder) from None
    done, first = job.frames, engine.next_frame
    on_event(Event("start", done=done, total=task.frames))

    stop = threading.Event()
    decoded, made = Pipe(QUEUED_FRAMES, stop), Pipe(QUEUED_FRAMES // 2, stop)
    encoder = Encoder(task, job, made, stop, on_event)
    threads = [threading.Thread(target=decode_stage, args=(task, first, decoded, warn), daemon=True), encoder]
    for thread in threads:
        thread.start()
    try:
        count = upscale_stage(engine, decoded, made, done, job.segment_frames, cancel)
        if not count and not stop.is_set() and (task.options.start, task.options.end) != (None, None):
            raise UsageError(f"no frame of {task.info.path} is shown between the start and the end")
        made.put(None)
        while encoder.is_alive():
            encoder.join(0.2)
        if encoder.error is not None:
            raise encoder.error
        if job.frames != count:
            raise OutputError(f"{counted(count, 'frame')} came in but {job.frames} went out: please report this")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        frame_store.remove()


def swept_states(job: Job) -> TensorFolder:
    """The states that the exact way has swept for and still needs; there are none in other jobs."""
    return TensorFolder(job.folder / STATES_NAME, durable=True)
