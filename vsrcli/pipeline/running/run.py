"""Run one job to its end, or the rest of an interrupted one."""

import contextlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from vsrcli import __version__
from vsrcli.engine.device import precision_name
from vsrcli.errors import FullDiskError, InputError, OutputError, Reason, UsageError
from vsrcli.media.info import VideoInfo
from vsrcli.media.read.damage import Damage
from vsrcli.media.write.made import made_text, offset_in_source
from vsrcli.media.write.mux_tags import MADE_TAG
from vsrcli.pipeline.events import Event, OnEvent, frames_made, logged
from vsrcli.pipeline.folder.job_records import damaged
from vsrcli.pipeline.folder.tensor_folder import FrameFolder, TensorFolder
from vsrcli.pipeline.folder.work_files import FRAMES_NAME, JOB_NAME, PLAN_NAME, STATES_NAME
from vsrcli.pipeline.folder.work_folder import WorkFolder
from vsrcli.pipeline.jobs.fingerprint import fingerprint
from vsrcli.pipeline.jobs.job import Job, none_shown
from vsrcli.pipeline.jobs.places import job_folder
from vsrcli.pipeline.running.part import Part
from vsrcli.pipeline.running.setup import engine_for, pipes_for, resumed_between
from vsrcli.pipeline.running.stages import CancelledError, Encoder, decode_stage, upscale_stage
from vsrcli.pipeline.running.stopping import interrupted
from vsrcli.pipeline.sinks.rate import rate_missed, size_missed
from vsrcli.pipeline.sinks.sink import Placing
from vsrcli.pipeline.timing import StageClock
from vsrcli.words import counted


@dataclass(frozen=True)
class Result:
    """A finished job. This run made `made` of its frames in `seconds`; earlier runs made the others.

    `repeated` of them were not run, because they equal the frame before them bit for bit. `picked` is the reason for
    its model, None if the caller named it. `precision` is fp32, fp16, bf16 or int8. `size` is (width, height) as coded,
    `shown` as players show it. `codec` names that of the result, None for images, and `source_codec` that of its
    source. `damage` is the damage found in the source. `stages` gives the share of the time, from 0 to 1, for which
    each of the stages that overlap was busy (timing.py); empty if none ran.
    """

    input: Path
    output: Path
    frames: int
    made: int
    seconds: float
    model: str
    weights: str
    precision: str
    size: tuple[int, int]
    shown: tuple[int, int]
    warnings: tuple[str, ...]
    picked: str | None = None
    damage: Damage | None = None
    repeated: int = 0
    codec: str | None = None
    source_codec: str | None = None
    stages: dict[str, float] = field(default_factory=dict)


def run(job: Job, on_event: OnEvent = logged, *, cancel: threading.Event | None = None) -> Result:
    """Run the job, or the rest of it.

    Raises InterruptedJobError on KeyboardInterrupt, and at the next frame when `cancel` is set; other VsrErrors on
    failure.
    """
    started = time.monotonic()
    cancel = cancel or threading.Event()

    def warn(line: str) -> None:
        job.warnings.append(line)
        on_event(Event.of(line))

    last, told = 0, on_event

    def hear(event: Event) -> None:
        nonlocal last
        last = event.done if event.kind == "frame" else last
        told(event)

    on_event = hear
    tell_warnings(job, on_event)
    folder, usual = job_folder(job.sink.output, job.options.work_dir), job_folder(job.sink.output)
    if (folder / PLAN_NAME).exists() and not (folder / JOB_NAME).exists() and not job.options.restart:
        raise UsageError(f"{folder} holds shards of this job", Reason.IN_SHARDS)
    work = WorkFolder.open(
        folder,
        source=fingerprint(job.info),
        settings=job.settings(),
        plan=job.plan,
        segment_frames=job.segment_frames,
        restart=job.options.restart,
        overwrite=job.options.overwrite,
        beside=usual.parent,
    )
    if usual != folder and (usual / JOB_NAME).exists():
        warn(f"{usual} holds frames of a run before, which went on there: delete it if it is not needed")
    before, repeated, clock = work.frames, 0, StageClock()
    if work.plan != job.plan and not work.complete and work.placed is None:  # begun with more free memory
        for line in job.shortages(work.plan):
            warn(line)
    try:
        if work.placed is not None:
            output = work.placed  # a run before was stopped while it cleaned up
        else:
            if not work.complete:
                repeated = make_segments(job, work, on_event, warn, cancel, clock)
            else:
                job.findings = work.findings
                if job.findings.damage is not None:
                    warn(f"{job.info.path} {job.findings.damage.line()}")
            on_event(Event("assemble", total=work.frames))
            work.verify()
            begun = None if work.mark is None else work.mark.output
            usual.parent.mkdir(parents=True, exist_ok=True)
            placing = Placing(job.options.overwrite, work.announce, begun, cancel.is_set)
            tags = output_tags(job, work.segments[0].pts[0])
            size = sum(one.path.stat().st_size for one in work.segments) if job.options.bitrate else 0
            output = job.sink.finish(work.segments, tags, warn, placing, job.findings.joins)
            work.finish()
            if missed := _missed(job, work.frames, size, output):
                warn(missed)
            if not job.options.new_date:
                keep_date(job.info, output)
            if output != job.sink.output:
                warn(f"{job.sink.output} appeared meanwhile and was left alone: the result is {output}")
    except (KeyboardInterrupt, CancelledError):
        raise interrupted(work.frames, last, swept=bool(swept_states(work))) from None
    except BaseException as error:
        kept = "the finished segments are kept: " if work.segments else ""
        if not (work.segments or swept_states(work)):
            work.remove()
        if isinstance(error, FullDiskError):
            line = f"cannot write {error.place}: the disk is full ({kept}make room and run again)"
            raise OutputError(line, Reason.NO_ROOM) from error
        raise
    else:
        done = work.frames
        if foreign := work.remove():
            warn(f"{work.folder} holds files that are not vsr's: {', '.join(path.name for path in foreign)} left there")
    finally:
        work.close()
    on_event(Event("done", done=done, total=done))
    return result_of(job, output, started, clock, frames=done, made=done - before, repeated=repeated)


def _missed(job: Job, frames: int, picture: int, output: Path) -> str | None:
    """Return a line if the result, whose picture has so many bytes, misses the wished size or bit rate by too much."""
    if not (job.options.target_size or job.options.bitrate):
        return None
    seconds = float(frames / (job.info.rate * job.factor))
    codec = str(job.sink.settings()["codec"])
    if wanted := job.options.target_size:
        return size_missed(wanted, output.stat().st_size, seconds, codec)
    return rate_missed(job.options.bitrate or 0, picture, seconds, codec)


def tell_warnings(job: Job, on_event: OnEvent) -> None:
    """Report what was found before the work began."""
    for line in list(job.warnings):
        on_event(Event.of(line))


def result_of(
    job: Job, output: Path, started: float, clock: StageClock, *, frames: int, made: int, repeated: int
) -> Result:
    """Return the result of a job that `started` at that monotonic time and is finished now."""
    encoded = job.sink.settings()
    return Result(
        input=job.info.path,
        output=output,
        frames=frames,
        made=made,
        seconds=time.monotonic() - started,
        model=job.model.name,
        weights=job.model.sha256,
        precision=precision_name(job.dtype),
        size=job.size,
        shown=job.sink.shown,
        warnings=tuple(job.warnings),
        picked=job.picked,
        damage=job.findings.damage,
        repeated=repeated,
        codec=str(encoded["codec"]) if "codec" in encoded else None,
        source_codec=job.info.codec,
        stages=clock.shares(),
    )


def keep_date(info: VideoInfo, output: Path) -> None:
    """Set a finished file's date to that of its source, by which folders are sorted; ignore failures."""
    if output.is_file():
        with contextlib.suppress(OSError):
            os.utime(output, ns=(output.stat().st_atime_ns, info.path.stat().st_mtime_ns))


def output_tags(job: Job, first: int) -> dict[str, str]:
    """Return the output's tags about its making; for a part they include the time in the source of its first frame."""
    start = None if job.info.images else offset_in_source(job.info.path)
    if job.options.start is not None:
        start = (start or 0.0) + float(first * job.info.time_base / job.factor) - job.info.start_time
    how = (job.model.name, job.model.sha256, precision_name(job.dtype))
    return {MADE_TAG: made_text(__version__, *how, start=start)}


def make_segments(
    job: Job,
    work: WorkFolder,
    on_event: OnEvent,
    warn: Callable[[str], None],
    cancel: threading.Event,
    clock: StageClock,
    part: Part | None = None,
) -> int:
    """Decode, upscale and encode the frames of the job, or of a part of it, that are not yet in finished segments.

    Returns how many of them were not run, because they repeat the one before. Raises KeyboardInterrupt, CancelledError
    and VsrErrors.
    """
    frame_store = FrameFolder(work.folder / FRAMES_NAME)

    def swept(done: int, total: int, scene_end: int) -> None:
        if encoder.error is not None:
            raise encoder.error
        if cancel.is_set():
            raise CancelledError
        on_event(Event("sweep", done=done, total=total, until=scene_end))

    state = work.state()
    try:
        between = None if job.flow is None else resumed_between(job, state, warn)
    except (KeyError, ValueError, TypeError, IndexError, RuntimeError):
        raise damaged(work.folder) from None
    engine = engine_for(job, work.plan, between, warn, frame_store, swept_states(work), swept)
    if state is not None:
        try:
            engine.restore(state)
        except (KeyError, ValueError, TypeError, IndexError, RuntimeError, AttributeError, OverflowError):
            raise damaged(work.folder) from None
    done = work.frames + (part.first if part else 0)
    first = engine.next_frame if between is None else between.first
    if part and state is None:
        first = part.past(engine.past)
    on_event(Event("start", done=done, total=job.frames, burst=work.plan.window or 1))

    stop = threading.Event()
    decoded, made = pipes_for(job, stop, clock)
    encoder = Encoder(job, work, made, stop, on_event, clock)
    decoding = (job, first, decoded, warn, clock, part)
    threads = [threading.Thread(target=decode_stage, args=decoding, daemon=True), encoder]
    for thread in threads:
        thread.start()
    clock.begin("upscale")
    try:
        if part and first < part.begin:
            before = part.pictures[first : part.begin]
            engine.look_back(islice(decoded, len(before)), before, part.pictures[part.scene])
        until = part.stop if part else None
        count, repeated = upscale_stage(engine, decoded, made, done, work.segment_frames, cancel, until, between)
        if until is not None and count != until and not stop.is_set():
            raise InputError(f"{job.info.path} ends after {counted(count, 'frame')} here, before frame {until}")
        if not count and not stop.is_set() and (job.options.start, job.options.end) != (None, None):
            raise UsageError(none_shown(job.info))
        made.put(None)
        clock.end("upscale")
        while encoder.is_alive():
            encoder.join(0.2)
        if encoder.error is not None:
            raise encoder.error
        if work.frames != count - (part.first if part else 0):
            raise OutputError(f"{counted(count, 'frame')} came in but {work.frames} went out: please report this")
        if part is None and count != job.frames:
            on_event(frames_made(count, count))  # what was announced is not what came
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        frame_store.remove()
    return repeated


def swept_states(work: WorkFolder) -> TensorFolder:
    """Return the stored states of exact propagation that are still needed; other jobs have none."""
    return TensorFolder(work.folder / STATES_NAME, durable=True)
