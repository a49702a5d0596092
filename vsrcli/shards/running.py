"""Run one shard of a plan, or the rest of it, in a folder of its own beside the output."""

import os
import platform
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from vsrcli import __version__
from vsrcli.errors import InputError, OutputError, Reason, UsageError
from vsrcli.frame import Frame
from vsrcli.pipeline.events import Event, OnEvent
from vsrcli.pipeline.folder.work_files import JOB_NAME, PLAN_NAME
from vsrcli.pipeline.folder.work_folder import WorkFolder
from vsrcli.pipeline.jobs.fingerprint import fingerprint
from vsrcli.pipeline.jobs.job import Job, prepare
from vsrcli.pipeline.running.part import Part
from vsrcli.pipeline.running.run import make_segments, swept_states
from vsrcli.pipeline.running.stages import CancelledError
from vsrcli.pipeline.running.stopping import interrupted
from vsrcli.pipeline.timing import StageClock
from vsrcli.shards.making import plain
from vsrcli.shards.plan import Place, ShardPlan, SourcePlan
from vsrcli.shards.plan_file import options_from, read_plan
from vsrcli.shards.reading import frames_from
from vsrcli.words import counted
from vsrcli.zoo.loading import Loader


@dataclass(frozen=True)
class ShardResult:
    """A finished shard. This run made `made` of its `frames` in `seconds`."""

    number: int
    frames: int
    made: int
    seconds: float


def run_shard(
    plan: ShardPlan,
    place: Place,
    on_event: OnEvent,
    *,
    cancel: threading.Event | None = None,
    load: Loader | None = None,
    restart: bool = False,
) -> ShardResult:
    """Run a shard, or the rest of it; a finished one is verified. `restart` discards its earlier work.

    Raises UsageError if the version of vsr, the weights or the settings differ from the plan's, or if another process
    works on the shard; InputError if the source differs; other VsrErrors as `run` does.
    """
    started = time.monotonic()
    source, shard = place.source, place.shard
    check_places(source)
    if joining_begun(source):
        raise UsageError(f"the shards of {source.output} are finished, and being joined")
    job = planned_job(plan, source, on_event, load=load)

    def warn(line: str) -> None:
        on_event(Event.of(line))

    work = open_shard(source, place.index, restart=restart)
    before = work.frames
    part = Part(shard.first, shard.stop, shard.begin, shard.scene, source.pictures, partial(_read, job, source))
    tell = _counted(on_event, shard.first, len_of(place))
    try:
        if not work.complete:
            make_segments(job, work, tell, warn, cancel or _never(), StageClock(), part)
        work.verify()
        if work.frames != len_of(place):
            raise OutputError(f"{work.folder} holds {counted(work.frames, 'frame')} instead of {len_of(place)}")
    except (KeyboardInterrupt, CancelledError):
        raise interrupted(work.frames, 0) from None
    except BaseException:
        if not (work.segments or swept_states(work)):
            work.remove()
        raise
    finally:
        work.close()
    on_event(Event("done", done=work.frames, total=work.frames))
    return ShardResult(place.number, work.frames, work.frames - before, time.monotonic() - started)


def len_of(place: Place) -> int:
    """Return the number of frames of a shard."""
    return place.shard.stop - place.shard.first


def joining_begun(source: SourcePlan) -> bool:
    """Return whether all shards of a source were finished and their segments are being moved or joined."""
    return (source.folder / PLAN_NAME).exists() and (source.folder / JOB_NAME).exists()


def open_shard(source: SourcePlan, index: int, *, restart: bool = False) -> WorkFolder:
    """Open and lock the work folder of a shard. Raises as `WorkFolder.open` does."""
    shard = source.shards[index]
    return WorkFolder.open(
        source.shard_folder(index),
        source=source.fingerprint,
        settings=source.settings | {"plan": source.identity, "shard": [shard.first, shard.stop]},
        plan=source.engine,
        segment_frames=source.segment_frames,
        restart=restart,
    )


def planned_job(plan: ShardPlan, source: SourcePlan, on_event: OnEvent, *, load: Loader | None = None) -> Job:
    """Return the job of a source's plan on this machine. Raises UsageError or InputError if it differs."""
    if plan.version != __version__:
        raise UsageError(f"the plan is of vsr {plan.version}, this is vsr {__version__}: use the same on all machines")
    options = options_from(source.options)
    job = prepare(source.input, source.output, options, on_event, load=load)
    found = fingerprint(job.info)
    changed = [name for name, value in source.fingerprint.items() if found.get(name) != value]
    if changed:
        raise InputError(f"{source.input} is not the file that was planned: it differs in {', '.join(changed)}")
    settings = plain(job.settings())
    differ = [name for name in source.settings if settings.get(name) != source.settings[name]]
    if "weights" in differ:
        there, here = str(source.settings["weights"])[:12], job.model.sha256[:12]
        raise UsageError(f"the weights of {job.model.name} are {here} here and {there} in the plan")
    if differ:
        raise UsageError(f"this machine differs from the plan in {', '.join(differ).replace('_', ' ')}")
    return replace(job, plan=source.engine)


def check_places(source: SourcePlan) -> None:
    """Raise InputError or OutputError if this machine does not see the source or the plan's work folder."""
    if not os.path.lexists(source.input):
        raise InputError(f"{source.input} is not there{_mount(source.input)}")
    marker = source.folder / PLAN_NAME
    if not marker.exists():
        if source.output.exists():
            raise OutputError(f"{source.output} is there already, and nothing of the plan's work", Reason.OUTPUT_EXISTS)
        raise OutputError(f"{source.folder}, which the plan made, is not there{_mount(source.folder)}")
    if read_plan(marker).sources[0].identity != source.identity:
        raise UsageError(f"{source.folder} holds the work on another plan", Reason.JOB_DIFFERS)


def _mount(path: Path) -> str:
    missing = path
    while not missing.parent.exists():
        missing = missing.parent
    return f": is {missing if missing != path else path.parent} mounted on {platform.node() or 'this machine'}?"


def _read(job: Job, source: SourcePlan, number: int, warn: Callable[[str], None]) -> Iterator[Frame]:
    return frames_from(job.info, job.options, source, number, warn)


def _counted(on_event: OnEvent, first: int, frames: int) -> OnEvent:
    """Return a callback that reports a shard's frames, counted from its first."""

    def tell(event: Event) -> None:
        if event.kind in ("start", "frame"):
            event = replace(event, done=max(0, event.done - first), total=frames)
        on_event(event)

    return tell


def _never() -> threading.Event:
    return threading.Event()
