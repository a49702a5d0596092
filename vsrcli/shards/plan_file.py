"""Write a plan as JSON and read it back. The file comes from outside, so everything in it is checked.

docs/cluster.md describes the format. `VERSION` rises when a reader of the one before would go wrong.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from vsrcli.engine.plan import Plan
from vsrcli.errors import InputError, UsageError
from vsrcli.nets.horizon import Horizon
from vsrcli.pipeline.findings import Findings
from vsrcli.pipeline.folder.job_records import is_sound
from vsrcli.pipeline.options import Options
from vsrcli.records import options_of
from vsrcli.shards.cutting import Shard
from vsrcli.shards.plan import ShardPlan, SourcePlan

FORMAT, VERSION = "vsr plan", 2
MOST_BYTES = 1 << 28
"""Limit of the size of a plan: some hundred hours of video."""
MOST_FRAMES = 1 << 32
_DIGITS = 8  # of a CRC-32 in hexadecimal


class NoPlanError(Exception):
    """The data are not a plan."""


def plan_text(plan: ShardPlan) -> str:
    """Return a plan as JSON, with the longest shards first."""
    sources = [source_record(source) for source in plan.sources]
    numbers = {id(source): number for number, source in enumerate(plan.sources)}
    shards = [{"source": numbers[id(place.source)], **vars(place.shard)} for place in plan.places]
    record = {"format": FORMAT, "format_version": VERSION, "vsr": plan.version, "shards": shards, "sources": sources}
    return json.dumps(record) + "\n"


def source_record(source: SourcePlan) -> dict[str, Any]:
    """Return the record of one source in a plan, without its shards."""
    return {
        "input": str(source.input),
        "output": str(source.output),
        "options": source.options,
        "settings": source.settings,
        "fingerprint": source.fingerprint,
        "engine": asdict(source.engine),
        "segment_frames": source.segment_frames,
        "cut": source.asked,
        "pts": source.pts,
        "cuts": source.cuts,
        "crc32": "".join(f"{value:08x}" for value in source.sums),
        "findings": source.findings.plain(),
    }


def read_plan(path: Path) -> ShardPlan:
    """Read a plan. Raises InputError if the file cannot be read, UsageError if it is no plan or a newer one."""
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    if len(data) > MOST_BYTES:
        raise UsageError(f"{path} is too large for a plan")
    try:
        return plan_from(json.loads(data))
    except NewerPlanError as error:
        raise UsageError(f"{path} {error}") from None
    except (NoPlanError, ValueError, KeyError, TypeError, AttributeError, ArithmeticError, RecursionError, UsageError):
        raise UsageError(f"{path} is not a plan, or a damaged one") from None


class NewerPlanError(Exception):
    """The plan is of another version of the format."""


def plan_from(record: Any) -> ShardPlan:
    """Return the plan in a record. Raises the exceptions that `read_plan` converts to its errors."""
    _demand(isinstance(record, dict) and record["format"] == FORMAT)
    if record["format_version"] != VERSION:
        raise NewerPlanError(f"is a plan of format {record['format_version']!s:.20}, this vsr reads format {VERSION}")
    listed: list[list[Shard]] = [[] for _ in record["sources"]]
    for one in record["shards"]:
        _demand(_whole(one["source"], most=len(listed) - 1))
        listed[one["source"]].append(_shard(one))
    _demand(isinstance(record["vsr"], str) and bool(listed))
    found = [_source(one, shards) for one, shards in zip(record["sources"], listed, strict=True)]
    _demand(len({source.output for source in found}) == len(found))
    return ShardPlan(record["vsr"], tuple(found))


def _source(record: Mapping[str, Any], shards: Sequence[Shard]) -> SourcePlan:
    pts, sums, cuts = record["pts"], record["crc32"], record["cuts"]
    engine, segment = Plan.from_record(record["engine"]), record["segment_frames"]
    _demand(is_sound(engine, segment))
    _demand(all(isinstance(record[name], dict) for name in ("options", "settings", "fingerprint", "cut", "findings")))
    _demand(isinstance(pts, list) and all(isinstance(p, int) and abs(p) < 1 << 63 for p in pts))
    _demand(all(before < after for before, after in pairwise(pts)))
    _demand(isinstance(sums, str) and len(sums) == _DIGITS * len(pts) and set(sums) <= set("0123456789abcdef"))
    _demand(isinstance(cuts, list) and all(_whole(cut, most=len(pts) - 1) for cut in cuts))
    _demand(all(before < after for before, after in pairwise(cuts)))
    ordered = sorted(shards, key=lambda shard: shard.first)
    borders = [shard.first for shard in ordered] + [len(pts)]
    _demand(bool(ordered) and borders[0] == 0 and [shard.stop for shard in ordered] == borders[1:])
    _demand(all(shard.first % segment == 0 for shard in ordered))
    places = [record["input"], record["output"]]
    _demand(all(isinstance(place, str) and Path(place).is_absolute() and "\0" not in place for place in places))
    options_from(record["options"])
    found = SourcePlan(
        input=Path(places[0]),
        output=Path(places[1]),
        options=record["options"],
        settings=record["settings"],
        fingerprint=record["fingerprint"],
        engine=engine,
        segment_frames=segment,
        asked=record["cut"],
        shards=tuple(ordered),
        pts=pts,
        cuts=cuts,
        sums=[int(sums[at : at + _DIGITS], 16) for at in range(0, len(sums), _DIGITS)],
        findings=Findings.from_plain(record["findings"]),
    )
    _demand(all(found.picture_begin(shard.begin) == shard.begin for shard in ordered))
    return found


def _shard(record: Mapping[str, Any]) -> Shard:
    shard = Shard(*(record[name] for name in ("first", "stop", "begin", "scene", "cost")))
    _demand(all(_whole(value) for value in vars(shard).values()))
    _demand(shard.scene <= shard.begin <= shard.first < shard.stop)
    return shard


def options_from(record: Mapping[str, Any]) -> Options:
    """Return the options in a record that `Record.plain` made, read back from JSON. Raises UsageError or TypeError."""
    values = dict(record)
    for one in options_of(Options):
        value = values.get(one.name)
        if Fraction in one.kinds and isinstance(value, str) and not value.lower().endswith("x"):
            values[one.name] = Fraction(value)
        if Horizon in one.kinds and isinstance(value, dict):
            values[one.name] = Horizon(**value)
    return Options(**values)


def _whole(value: object, most: int = MOST_FRAMES) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most


def _demand(sound: bool) -> None:
    if not sound:
        raise NoPlanError
