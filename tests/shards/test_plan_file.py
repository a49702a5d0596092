"""Plans come back as they were written; any other file is refused in one line. And which shard an array task runs."""

import json
import random
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.told import told
from vsrcli.engine.plan import Plan
from vsrcli.errors import InputError, UsageError, VsrError
from vsrcli.nets.horizon import Horizon
from vsrcli.pipeline.options import Options
from vsrcli.shards.choosing import choose
from vsrcli.shards.cutting import cut
from vsrcli.shards.plan import ShardPlan, SourcePlan
from vsrcli.shards.plan_file import options_from, plan_text, read_plan


def source(tmp_path: Path, name: str = "a.mkv", frames: int = 300) -> SourcePlan:
    return SourcePlan(
        input=tmp_path / name,
        output=tmp_path / f"out-{name}",
        options=json.loads(json.dumps(Options(model="repvsr.bi", rate=Fraction(30), tile=(64, 32)).plain())),
        settings={"version": "1", "weights": "ab"},
        fingerprint={"sha256": "cd"},
        engine=Plan(window=30, horizon=Horizon(), tile=(64, 32)),
        segment_frames=60,
        asked={"shards": 3},
        shards=tuple(cut(frames, [0, 70, 200], count=3, segment=60, warmup=15)),
        pts=[2 * n - 7 for n in range(frames)],
        sums=[n * 7919 for n in range(frames)],
        cuts=[start for start in (70, 200) if start < frames],
    )


@pytest.fixture
def plan(tmp_path: Path) -> ShardPlan:
    return ShardPlan("1.2.3", (source(tmp_path), source(tmp_path, "b.mkv", 110)))


def test_a_written_plan_is_read_back(plan: ShardPlan, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(plan_text(plan))
    found = read_plan(path)
    assert found == plan
    assert [s.identity for s in found.sources] == [s.identity for s in plan.sources]
    assert len({s.identity for s in plan.sources}) == 2
    assert options_from(found.sources[0].options) == Options(model="repvsr.bi", rate=Fraction(30), tile=(64, 32))
    assert [place.number for place in found.places] == list(range(1, len(found.places) + 1))


CHANGES: list[Callable[[dict[str, Any]], Any]] = [
    lambda r: r.pop("format"),
    lambda r: r.update(format="vsr job"),
    lambda r: r.update(shards=[]),
    lambda r: r.update(sources=[]),
    lambda r: r.update(sources=7),
    lambda r: r["shards"].pop(),
    lambda r: r["shards"].append(r["shards"][0]),
    lambda r: r["shards"][0].update(source=5),
    lambda r: r["shards"][0].update(source=-1),
    lambda r: r["shards"][0].update(first=1),
    lambda r: r["shards"][0].update(begin=1 << 40),
    lambda r: r["shards"][0].update(begin=True),
    lambda r: r["shards"][0].update(stop="9"),
    lambda r: r["shards"][0].update(cost=None),
    lambda r: r["sources"][0].update(input="film.mkv"),
    lambda r: r["sources"][0].update(output="/a\0b"),
    lambda r: r["sources"][0].update(output=r["sources"][1]["output"]),
    lambda r: r["sources"][0].update(segment_frames=0),
    lambda r: r["sources"][0].update(segment_frames=7),
    lambda r: r["sources"][0]["pts"].reverse(),
    lambda r: r["sources"][0]["pts"].append("x"),
    lambda r: r["sources"][0]["pts"].append(1 << 70),
    lambda r: r["sources"][0].update(crc32="zz" * 1200),
    lambda r: r["sources"][0].update(crc32="00"),
    lambda r: r["sources"][0].update(settings=[]),
    lambda r: r["sources"][0]["engine"].update(window=0),
    lambda r: r["sources"][0]["engine"].update(tile=[0]),
    lambda r: r["sources"][0]["engine"].update(more=1),
    lambda r: r["sources"][0]["options"].update(window=-1),
    lambda r: r["sources"][0]["options"].update(unknown=1),
    lambda r: r["sources"][0]["options"].update(rate="1/0"),
    lambda r: r["sources"][0]["options"].update(horizon={"frames": 2, "more": 1}),
]


@pytest.mark.parametrize("number", range(len(CHANGES)))
def test_a_changed_plan_is_refused(plan: ShardPlan, tmp_path: Path, number: int) -> None:
    record = json.loads(plan_text(plan))
    CHANGES[number](record)
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(record))
    with told(UsageError, "plan.json is not a plan, or a damaged one"):
        read_plan(path)


def test_damaged_plan_files_are_refused_in_one_line(plan: ShardPlan, tmp_path: Path) -> None:
    text, path, chance = plan_text(plan), tmp_path / "plan.json", random.Random(0)
    for _ in range(150):
        data = bytearray(text.encode())
        for _ in range(chance.choice([1, 1, 4, 40])):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data[: chance.choice([len(data), chance.randrange(len(data))])])
        try:
            read_plan(path)
        except VsrError as error:
            assert "\n" not in str(error)
    for content in (b"", b"[" * 100_000, b"null", b"\xff\xfe", b'{"format": NaN}', b"9" * 5000):
        path.write_bytes(content)
        with pytest.raises(UsageError, match="is not a plan"):
            read_plan(path)
    for unreadable in (tmp_path / "none.json", tmp_path):
        with pytest.raises(InputError, match="cannot read"):
            read_plan(unreadable)


def test_a_newer_plan_format_is_refused(plan: ShardPlan, tmp_path: Path) -> None:
    record = json.loads(plan_text(plan)) | {"format_version": 9}
    (tmp_path / "plan.json").write_text(json.dumps(record))
    with told(UsageError, "is a plan of format 9, this vsr reads format 2"):
        read_plan(tmp_path / "plan.json")


@pytest.mark.parametrize(
    ("told_as", "environment", "number"),
    [
        ("2", {}, 2),
        ("2/5", {"SLURM_ARRAY_TASK_ID": "1"}, 2),
        (None, {"SLURM_ARRAY_TASK_ID": "1"}, 1),
        (None, {"JOB_COMPLETION_INDEX": "0"}, 1),
        (None, {"AWS_BATCH_JOB_ARRAY_INDEX": "4", "SLURM_ARRAY_TASK_ID": ""}, 5),
    ],
)
def test_the_shard_is_given_or_taken_from_the_array_task(
    plan: ShardPlan, told_as: str | None, environment: dict[str, str], number: int
) -> None:
    assert len(plan.places) == 5
    assert choose(plan, told_as, environment).number == number


@pytest.mark.parametrize(
    ("told_as", "environment", "message"),
    [
        ("0", {}, "there is no shard 0: the plan has 5"),
        ("6", {}, "there is no shard 6"),
        ("2/4", {}, "the plan has 5 shards, not 4"),
        ("x", {}, "not a shard: x"),
        ("²", {}, "not a shard"),
        ("-1", {}, "not a shard"),
        (None, {"SLURM_ARRAY_TASK_ID": "0"}, "there is no shard SLURM_ARRAY_TASK_ID=0"),
        (None, {"JOB_COMPLETION_INDEX": "5"}, "there is no shard JOB_COMPLETION_INDEX=5"),
        (None, {"JOB_COMPLETION_INDEX": "one"}, "there is no shard"),
        (None, {}, "the plan has 5 shards: add --shard, e.g. --shard 1/5"),
    ],
)
def test_invalid_shard_numbers_are_refused(
    plan: ShardPlan, told_as: str | None, environment: dict[str, str], message: str
) -> None:
    with told(UsageError, message):
        choose(plan, told_as, environment)
