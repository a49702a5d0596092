"""Make a plan: prepare each source as for a single job, scan it once, and cut it into shards."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from vsrcli import __version__
from vsrcli.engine.device import precision_name
from vsrcli.errors import InputError, InterruptedJobError, Reason, UsageError, VsrError, unwritable
from vsrcli.files import write_durably
from vsrcli.pipeline.events import Event, OnEvent
from vsrcli.pipeline.folder.lock import lock
from vsrcli.pipeline.folder.work_files import JOB_NAME, PLAN_NAME, clear
from vsrcli.pipeline.jobs.fingerprint import fingerprint
from vsrcli.pipeline.jobs.job import Job, none_shown, prepare
from vsrcli.pipeline.jobs.places import job_folder
from vsrcli.pipeline.options import Options
from vsrcli.pipeline.running.batch import Item
from vsrcli.pipeline.running.run import tell_warnings
from vsrcli.shards.cutting import Shard, cut
from vsrcli.shards.options import ShardOptions
from vsrcli.shards.plan import ShardPlan, SourcePlan
from vsrcli.shards.plan_file import plan_text, read_plan
from vsrcli.shards.scan import Scan, scan
from vsrcli.zoo.catalogue import is_path
from vsrcli.zoo.loading import Loader


def make_plan(
    items: Sequence[Item],
    options: Options,
    asked: ShardOptions,
    on_event: OnEvent,
    *,
    named: bool = False,
    failed: Callable[[Item, VsrError], None] | None = None,
    any_cut: bool = False,
) -> ShardPlan:
    """Plan the upscaling of all items. `named` means that the caller gave the output's name.

    What each source's plan is is kept in the folder of its work too, by which machines know that they see the same
    disk; a plan that lies there already, for the same settings, is taken, with `any_cut` however it was cut. Raises
    VsrErrors as `prepare` does, and UsageError where other unfinished work lies there; if `failed` is given it is told
    of them instead, and the item is left out.
    """
    asked.check()
    load = Loader()
    found: list[SourcePlan | tuple[Job, Scan]] = []
    for item in items:
        try:
            job = prepare(item.source, item.output, options, on_event, named=named, load=load)
            if job.factor > 1 or options.slow not in (None, 1):
                raise UsageError("new frames between the source's, and slow motion, are not made in shards")
            before = None if options.restart else planned_before(job, None if any_cut else asked)
            folder = job_folder(job.sink.output, job.options.work_dir)
            if before is None and not options.restart and (folder / JOB_NAME).exists():
                raise UsageError(f"{folder} holds a job that one machine has begun", Reason.JOB_DAMAGED)
            found.append(before or (job, _scanned(job, on_event)))
        except VsrError as error:
            if failed is None or isinstance(error, InterruptedJobError):
                raise
            failed(item, error)
    total = sum(len(one.pts if isinstance(one, SourcePlan) else one[1].pts) for one in found)
    sources = [one if isinstance(one, SourcePlan) else _source(*one, asked, total) for one in found]
    for source in sources:
        begin_work(source, restart=options.restart)
    return ShardPlan(__version__, tuple(sources))


def planned_before(job: Job, asked: ShardOptions | None = None) -> SourcePlan | None:
    """Return the plan in a job's folder if it is for the same job. Raises UsageError if it is for another."""
    folder = job_folder(job.sink.output, job.options.work_dir)
    if (folder / PLAN_NAME).exists():
        source = read_plan(folder / PLAN_NAME).sources[0]
        cut_as = source.asked if asked is None else asked.plain()
        wanted = {"settings": plain(job.settings()), "source": fingerprint(job.info), "cut": cut_as}
        there = {"settings": source.settings, "source": source.fingerprint, "cut": source.asked}
        if wanted != there:
            differ = [name for name in wanted if wanted[name] != there[name]]
            changed = ", ".join(_differences(wanted["settings"], source.settings) or differ)
            raise UsageError(f"{folder} holds shards of a plan that differs in {changed}", Reason.JOB_DIFFERS)
        return source
    return None


def _differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    return [name.replace("_", " ") for name in one if one[name] != other.get(name)]


def _scanned(job: Job, on_event: OnEvent) -> Scan:
    def warn(line: str) -> None:
        on_event(Event.of(line))

    tell_warnings(job, on_event)
    found = scan(job, on_event, warn=warn)
    if not found.pts:
        raise InputError(none_shown(job.info))
    return found


def _source(job: Job, found: Scan, asked: ShardOptions, total: int) -> SourcePlan:
    """Cut one source into shards. All sources together have `total` frames."""
    frames = len(found.pts)
    shards = cut(
        frames,
        found.cuts,
        count=asked.count(frames, total),
        segment=job.segment_frames,
        warmup=asked.warmup,
        whole_scenes=job.plan.exact or job.plan.window is None,
    )
    source = SourcePlan(
        input=job.info.path.absolute(),
        output=job.sink.output.absolute(),
        options=_settled(job),
        settings=plain(job.settings()),
        fingerprint=fingerprint(job.info),
        engine=job.plan,
        segment_frames=job.segment_frames,
        asked=asked.plain(),
        shards=tuple(shards),
        pts=found.pts,
        sums=found.sums,
        cuts=found.cuts,
        findings=found.findings,
    )
    return replace(source, shards=tuple(_from_a_picture(source, shard) for shard in shards))


def _from_a_picture(source: SourcePlan, shard: Shard) -> Shard:
    """Return the shard begun where its first picture is first shown: the net does not run frames that repeat it."""
    begin = source.picture_begin(shard.begin)
    return replace(shard, begin=begin, cost=shard.cost + shard.begin - begin)


def _settled(job: Job) -> dict[str, Any]:
    """Return a job's options with the values chosen for those that were left open."""
    name = job.options.model
    model = str(Path(name).expanduser().absolute()) if name is not None and is_path(name) else job.model.name
    settled: dict[str, Any] = {"model": model, "precision": precision_name(job.dtype), "device": job.device.type}
    return plain(replace(job.options, restart=False, content="auto", **settled).plain())


def plain(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record as it is read back from JSON."""
    found: dict[str, Any] = json.loads(json.dumps(record))
    return found


def begin_work(source: SourcePlan, *, restart: bool) -> None:
    """Write a source's plan to its work folder. With `restart`, replace everything that lies there."""
    folder = source.folder
    try:
        held = lock(folder)
        try:
            if restart:
                clear(folder)
            if not (folder / PLAN_NAME).exists():
                text = plan_text(ShardPlan(__version__, (source,)))
                write_durably(folder / PLAN_NAME, text.encode())
        finally:
            held.release()
    except OSError as error:
        raise unwritable(folder, error) from None
