"""Join the shards of a plan: their segments become those of an ordinary job, which is then completed as usual."""

import json
import os
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from vsrcli.errors import OutputError, Reason, UsageError, VsrError, unwritable
from vsrcli.files import sync, write_durably
from vsrcli.pipeline.events import OnEvent
from vsrcli.pipeline.folder.job_records import damaged, read_job_record, read_segment_record
from vsrcli.pipeline.folder.lock import lock
from vsrcli.pipeline.folder.work_files import MARK_NAME
from vsrcli.pipeline.running.run import Result, run
from vsrcli.shards.plan import Place, ShardPlan, SourcePlan
from vsrcli.shards.running import check_places, joining_begun, len_of, open_shard, planned_job
from vsrcli.words import counted
from vsrcli.zoo.loading import Loader


@dataclass(frozen=True)
class Lacking:
    """Unfinished shards, each with the reason."""

    place: Place
    reason: str

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


def lacking_error(plan: ShardPlan, lacking: Sequence[Lacking]) -> VsrError:
    """Return the error to raise for unfinished shards."""
    numbers, count = sorted(one.place.number for one in lacking), len(plan.places)
    verb = "is" if len(numbers) == 1 else "are"
    message = f"{len(numbers)} of {counted(count, 'shard')} {verb} not finished ({','.join(map(str, numbers))})"
    return VsrError(message, Reason.SHARDS_LACKING, first=numbers[0], count=count)


def join(
    plan: ShardPlan,
    source: SourcePlan,
    on_event: OnEvent,
    *,
    cancel: threading.Event | None = None,
    load: Loader | None = None,
) -> Result | list[Lacking]:
    """Join a source's result and clean up, or return the unfinished shards if there are any.

    Frames and their times are checked against the source's. A join that was stopped is resumed. Raises VsrErrors as
    `run` does.
    """
    check_places(source)
    job = planned_job(plan, source, on_event, load=load)
    if not (source.folder / MARK_NAME).exists():
        lacking = [] if joining_begun(source) else _lacking(plan, source)
        if lacking:
            return lacking
        _adopt(source)
    return run(job, on_event, cancel=cancel)


def _lacking(plan: ShardPlan, source: SourcePlan) -> list[Lacking]:
    """Return the shards that are unfinished or damaged."""
    found = []
    for place in plan.places_of(source):
        if not source.shard_folder(place.index).is_dir():
            found.append(Lacking(place, "not begun"))
            continue
        try:
            work = open_shard(source, place.index)
        except (UsageError, OutputError) as error:
            found.append(Lacking(place, str(error)))
            continue
        if not work.complete or work.frames != len_of(place):
            found.append(Lacking(place, f"{work.frames} of {len_of(place)} frames are made"))
        work.close()
    return found


def _adopt(source: SourcePlan) -> None:
    """Move the segments of all shards into the job's own folder, with its records. Segments moved earlier stay."""
    folder = source.folder
    record: dict[str, Any] = {"source": source.fingerprint, "settings": source.settings}
    record |= {"plan": asdict(source.engine), "segment_frames": source.segment_frames}
    try:
        held = lock(folder)
        try:
            read_job_record(folder, json.loads(json.dumps(record)))
            number = 0
            for index, shard in enumerate(source.shards):
                for own in range(-(-(shard.stop - shard.first) // source.segment_frames)):
                    last = number + 1 == -(-len(source.pts) // source.segment_frames)
                    _take(source, index, own, number, last=last)
                    number += 1
        finally:
            held.release()
    except OSError as error:
        raise unwritable(folder, error) from None


def _take(source: SourcePlan, index: int, own: int, number: int, *, last: bool) -> None:
    """Make segment `own` of a shard segment `number` of the job. It counts once its record is there."""
    record_path = source.folder / f"{number:06d}.json"
    if record_path.exists():
        return
    record = read_segment_record(source.shard_folder(index) / f"{own:06d}.json")
    if record is None:
        raise damaged(source.shard_folder(index))
    before, after = source.shard_folder(index) / f"{own:06d}.segment", source.folder / f"{number:06d}.segment"
    if os.path.lexists(before):
        before.replace(after)
        sync(source.folder)
    findings = {"findings": source.findings.plain()} if last else {}
    wanted = {"pts": record["pts"], "last": last, "segment": record["segment"], "state": None, **findings}
    write_durably(record_path, json.dumps(wanted).encode())
