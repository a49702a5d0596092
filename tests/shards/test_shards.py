"""A plan, its shards and their joining, with real files: the file of a single machine, whatever is killed meanwhile."""

import json
import os
import shutil
import subprocess
import sys
import time
from bisect import bisect_right
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.command import vsr
from tests.media import make
from tests.shards.make import film as shots_film
from tests.shards.make import packets
from tests.told import told
from vsrcli.errors import InputError, OutputError, UsageError, VsrError
from vsrcli.pipeline.events import Event
from vsrcli.shards.joining import join
from vsrcli.shards.making import begin_work
from vsrcli.shards.plan import Place, ShardPlan
from vsrcli.shards.plan_file import plan_text, read_plan
from vsrcli.shards.running import run_shard
from vsrcli.shards.transport import pack_shard, pieces_of, store_shard, unpack

FAST = ["--window", "4", "--lookahead", "2", "--precision", "fp32", "-q"]


def plan_of(source: Path, output: Path, model: str, *options: object, to: Path | None = None) -> ShardPlan:
    done = vsr("plan", source, "-o", output, "-m", model, *FAST, *options)
    assert done.returncode == 0, done.stderr
    path = to or output.with_name("plan.json")
    path.write_text(done.stdout)
    return read_plan(path)


def unheard(event: Event) -> None:
    pass


def run_all(plan: ShardPlan) -> None:
    for place in plan.places:
        run_shard(plan, place, unheard)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shots_film(tmp_path_factory.mktemp("shots") / "film.mp4")


@pytest.fixture(scope="module")
def single(source: Path, tiny_model: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("single") / "one.mkv"
    assert vsr("upscale", source, "-o", output, "-m", tiny_model, *FAST).returncode == 0
    return output


def test_shards_give_the_packets_of_a_single_machine(
    source: Path, single: Path, tiny_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = plan_of(source, tmp_path / "out.mkv", tiny_model, "--shards", 4, "--warmup", 30)
    assert [place.shard.cost for place in plan.places] == sorted((p.shard.cost for p in plan.places), reverse=True)
    assert len(plan.places) == 4 and {p.shard.exact for p in plan.places} == {True, False}
    told = tmp_path / "plan.json"
    for number, place in enumerate(plan.places):
        monkeypatch.setenv("JOB_COMPLETION_INDEX", str(number))
        made = json.loads(vsr("run", told, "-q", "--json").stdout)
        assert made == made | {"number": number + 1, "made": place.shard.stop - place.shard.first}
        again = json.loads(vsr("run", told, "-q", "--json").stdout)
        assert (again["made"], again["frames"]) == (0, made["frames"])
    assert vsr("join", told, "-q").returncode == 0
    assert packets(tmp_path / "out.mkv") == packets(single)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out.mkv", "plan.json"]


def test_one_machine_finishes_what_another_without_its_disk_began(tiny_model: str, tmp_path: Path) -> None:
    film, there = shots_film(tmp_path / "film.mp4", frames=70, shots=(0, 37)), tmp_path / "there"
    assert vsr("upscale", film, "-o", tmp_path / "one.mkv", "-m", tiny_model, *FAST).returncode == 0
    plan = plan_of(film, tmp_path / "out.mkv", tiny_model, "--shards", 2)
    source, place = plan.sources[0], plan.places[0]
    there.mkdir()
    copy = unpack(source, iter(list(pieces_of(source))), there)
    assert copy.input.read_bytes() == film.read_bytes() and copy.input.parent.parent == there
    begin_work(copy, restart=False)
    made = run_shard(ShardPlan(plan.version, (copy,)), Place(place.number, copy, place.index), unheard).made
    store_shard(source, place.index, pack_shard(copy, place.index))
    report = json.loads(vsr("upscale", film, "-o", tmp_path / "out.mkv", "-m", tiny_model, *FAST, "--json").stdout)
    assert report["frames"] == 70 and 0 < made < 70
    assert packets(tmp_path / "out.mkv") == packets(tmp_path / "one.mkv")
    assert not source.folder.exists()


@pytest.mark.slow
def test_other_streams_and_metadata_are_kept(tiny_model: str, tmp_path: Path) -> None:
    source = make.rich(tmp_path / "film.mkv", width=32, height=24, frames=70)
    plan = plan_of(source, tmp_path / "out.mkv", tiny_model, "--shard-frames", 60)
    assert len(plan.places) == 2
    run_all(plan)
    assert vsr("join", tmp_path / "plan.json", "-q").returncode == 0
    with av.open(str(source)) as before, av.open(str(tmp_path / "out.mkv")) as after:
        assert [s.type for s in after.streams] == [s.type for s in before.streams]
        assert after.metadata["title"] == before.metadata["title"]
        assert [c["start"] for c in after.chapters()] == [c["start"] for c in before.chapters()]


@pytest.mark.slow
def test_image_sequences_and_parts_are_sharded(tiny_model: str, source: Path, tmp_path: Path) -> None:
    frames = tmp_path / "frames"
    frames.mkdir()
    make.ffmpeg("-i", source, "-frames:v", "70", "-start_number", "7", frames / "%04d.png")
    plan = plan_of(frames, tmp_path / "out" / "%08d.png", tiny_model, "--shards", 2, to=tmp_path / "plan.json")
    assert len(plan.places) == 2
    run_all(plan)
    assert vsr("join", tmp_path / "plan.json", "-q").returncode == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [f"{i:08d}.png" for i in range(7, 77)]
    assert [p.name for p in tmp_path.glob("*.vsr")] == []

    part = ["--start", "1", "--end", "6.2", "--codec", "ffv1"]
    assert vsr("upscale", source, "-o", tmp_path / "one.mkv", "-m", tiny_model, *FAST, *part).returncode == 0
    run_all(plan_of(source, tmp_path / "some.mkv", tiny_model, *part, "--shards", 3))
    assert vsr("join", tmp_path / "plan.json", "-q").returncode == 0
    assert packets(tmp_path / "some.mkv") == packets(tmp_path / "one.mkv")


@pytest.mark.slow
@pytest.mark.parametrize("way", ["exact", "clip"])
def test_exact_and_clip_propagation_give_equal_frames_in_shards(
    source: Path, tiny_model: str, tmp_path: Path, way: str
) -> None:
    options = ["--propagation", way, "--precision", "fp32", "-m", tiny_model, "-q"]
    assert vsr("upscale", source, "-o", tmp_path / "one.mkv", *options).returncode == 0
    done = vsr("plan", source, "-o", tmp_path / "out.mkv", *options, "--shards", 3)
    (tmp_path / "plan.json").write_text(done.stdout)
    plan = read_plan(tmp_path / "plan.json")
    assert len(plan.places) > 1 and all(place.shard.exact for place in plan.places)
    run_all(plan)
    assert vsr("join", tmp_path / "plan.json", "-q").returncode == 0
    assert packets(tmp_path / "out.mkv") == packets(tmp_path / "one.mkv")


@pytest.mark.parametrize(
    ("way", "repeats"),
    [("window", "exact"), ("window", "near"), pytest.param("exact", "exact", marks=pytest.mark.slow)],
)
def test_frames_that_repeat_are_shown_again_in_shards_too(
    tiny_model: str, tmp_path: Path, way: str, repeats: str
) -> None:
    # on twos, with a title that stands still for 70 frames, and a shot that is long enough to be split
    def draw(number: int, width: int, height: int) -> np.ndarray:
        shot = bisect_right((0, 31, 101, 201), number) - 1
        moment = 50 if shot == 1 else number // 2
        noise = np.random.default_rng(number).integers(0, 2, (height, width, 1)) if repeats == "near" else 0
        return (make.pattern(moment, width, height, seed=shot) // 2 + 120 * (shot % 2) + noise).astype(np.uint8)

    source = make.video(tmp_path / "film.mkv", width=32, height=24, frames=330, codec="ffv1", draw=draw)
    options = ["--propagation", way, *(["--window", "4"] if way == "window" else []), "--precision", "fp32", "-q"]
    options += ["--repeats", repeats]
    one = vsr("upscale", source, "-o", tmp_path / "one.mkv", "-m", tiny_model, *options, "--json")
    assert one.returncode == 0, one.stderr
    assert json.loads(one.stdout)["frames_repeated"] > 150
    shards = ["--shards", 5, "--warmup", 31]
    done = vsr("plan", source, "-o", tmp_path / "out.mkv", "-m", tiny_model, *options, *shards)
    (tmp_path / "plan.json").write_text(done.stdout)
    plan = read_plan(tmp_path / "plan.json")
    assert len(plan.places) > 1 and any(not place.shard.exact for place in plan.places) == (way == "window")
    run_all(plan)
    assert vsr("join", tmp_path / "plan.json", "-q").returncode == 0
    assert packets(tmp_path / "out.mkv") == packets(tmp_path / "one.mkv")


def test_a_killed_shard_resumes_where_it_was(source: Path, single: Path, tiny_model: str, tmp_path: Path) -> None:
    plan = plan_of(source, tmp_path / "out.mkv", tiny_model, "--shards", 1)
    folder = plan.sources[0].shard_folder(0)
    command = [sys.executable, "-m", "vsrcli", "run", str(tmp_path / "plan.json"), "-q"]
    process = subprocess.Popen(command)
    while process.poll() is None and not (folder / "000001.json").exists():
        time.sleep(0.002)
    # another process does not come in
    if process.poll() is None:
        with told(UsageError, "another vsr works on"):
            run_shard(plan, plan.places[0], unheard)
    process.kill()
    assert process.wait() != 0, "the shard was too short to be killed"
    assert run_shard(plan, plan.places[0], unheard).made < len(plan.sources[0].pts) - 60
    assert vsr("join", tmp_path / "plan.json", "-q").returncode == 0
    assert packets(tmp_path / "out.mkv") == packets(single)


@pytest.fixture
def planned(source: Path, tiny_model: str, tmp_path: Path) -> ShardPlan:
    """Plan a copy of the film by a copy of the model, 3 shards."""
    copy = tmp_path / "film.mp4"
    shutil.copy2(source, copy)
    shutil.copy2(tiny_model, tmp_path / "tiny.safetensors")
    return plan_of(copy, tmp_path / "out.mkv", str(tmp_path / "tiny.safetensors"), "--shards", 3)


@pytest.mark.slow
def test_join_names_missing_shards_and_resumes_after_a_stop(
    planned: ShardPlan, single: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_shard(planned, planned.places[0], unheard)
    done = vsr("join", tmp_path / "plan.json", "-q")
    assert done.returncode == 1 and "2 of 3 shards are not finished (2,3): run them by `vsr run PLAN --shard 2/3`" in (
        done.stderr
    )
    for place in planned.places[1:]:
        run_shard(planned, place, unheard)
    # a flipped bit is found
    segment = planned.sources[0].shard_folder(1) / "000000.segment"
    whole = segment.read_bytes()
    segment.write_bytes(whole[:500] + bytes([whole[500] ^ 1]) + whole[501:])
    assert vsr("join", tmp_path / "plan.json", "-q").returncode == 1
    run_shard(planned, next(place for place in planned.places if place.index == 1), unheard)
    assert segment.read_bytes() == whole
    # stopped while segments are moved
    replace, moved = Path.replace, 0

    def stop(self: Path, target: Path) -> Path:
        nonlocal moved
        moved += self.suffix == ".segment"
        if moved == 3:
            raise OSError(28, "No space left on device", str(self))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", stop)
    assert "No space left on device" in vsr("join", tmp_path / "plan.json", "-q").stderr
    monkeypatch.setattr(Path, "replace", replace)
    assert (planned.sources[0].folder / "000001.segment").exists()
    assert vsr("join", tmp_path / "plan.json", "-q").returncode == 0
    assert packets(tmp_path / "out.mkv") == packets(single)
    assert not planned.sources[0].folder.exists()


def changed(plan: ShardPlan, folder: Path) -> dict[str, tuple[Any, type[VsrError], str]]:
    """Ways in which a machine can differ from the plan: what does it, and what is said."""
    source = plan.sources[0]
    model = folder / "tiny.safetensors"
    return {
        "version": (lambda: None, UsageError, "the plan is of vsr 0.0.0, this is vsr"),
        "weights": (lambda: flip(model), UsageError, "the weights of tiny.safetensors are [0-9a-f]{12} here"),
        "source": (lambda: flip(source.input), InputError, "not the file that was planned: it differs in sha256"),
        "touched": (lambda: os.utime(source.input, (1, 1)), InputError, "differs in modification time"),
        "no source": (source.input.unlink, InputError, "film.mp4 is not there: is .* mounted on"),
        "no output": (lambda: shutil.rmtree(source.folder), OutputError, "is not there: is .* mounted on"),
    }


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    status = path.stat()
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("what", ["version", "weights", "source", "touched", "no source", "no output"])
def test_a_machine_with_other_files_or_versions_refuses_in_one_line(
    planned: ShardPlan, tmp_path: Path, what: str
) -> None:
    change, kind, message = changed(planned, tmp_path)[what]
    plan = ShardPlan("0.0.0", planned.sources) if what == "version" else planned
    before = sorted(planned.sources[0].folder.rglob("*"))
    change()
    for call in (
        lambda: run_shard(plan, plan.places[0], unheard),
        lambda: join(plan, plan.sources[0], unheard),
    ):
        with told(kind, message) as raised:
            call()
        assert raised is None
    assert what == "no output" or sorted(planned.sources[0].folder.rglob("*")) == before


@pytest.mark.slow
def test_an_equal_plan_is_reused_and_a_different_one_is_refused(
    planned: ShardPlan, single: Path, tmp_path: Path
) -> None:
    run_shard(planned, planned.places[0], unheard)
    film, output, model = tmp_path / "film.mp4", tmp_path / "out.mkv", str(tmp_path / "tiny.safetensors")
    assert plan_text(plan_of(film, output, model, "--shards", 3)) == plan_text(planned)
    refused = vsr("plan", film, "-o", output, "-m", model, *FAST, "--shards", 2)
    assert refused.returncode == 2 and "differs in cut: add --restart" in refused.stderr
    refused = vsr("plan", film, "-o", output, "-m", model, *FAST, "--shards", 3, "--crf", 20)
    assert refused.returncode == 2 and "differs in crf: add --restart" in refused.stderr
    refused = vsr("upscale", film, "-o", output, "-m", model, *FAST, "--crf", 20)
    assert refused.returncode == 2 and "differs in crf: add --restart" in refused.stderr
    other = plan_of(film, output, model, "--shards", 2, "--restart")
    assert len(other.places) == 2 and [p.name for p in other.sources[0].folder.iterdir()] == ["plan.json"]
    with told(UsageError, "holds the work on another plan"):
        run_shard(planned, planned.places[0], unheard)
    # one machine finishes what was begun in shards
    run_shard(other, other.places[0], unheard)
    made = json.loads(vsr("upscale", film, "-o", output, "-m", model, *FAST, "--json").stdout)
    assert made["frames"] == len(other.sources[0].pts)
    assert packets(output) == packets(single)
    assert not other.sources[0].folder.exists()


@pytest.mark.slow
def test_a_folder_gives_one_plan(source: Path, tiny_model: str, tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    shots_film(clips / "a.mp4", frames=90)
    shots_film(clips / "b.mp4", frames=60, shots=(0, 30))
    plan = plan_of(clips, tmp_path / "out", tiny_model, "--shards", 3)
    assert [len(source.shards) for source in plan.sources] == [2, 1]
    run_all(plan)
    done = vsr("join", tmp_path / "plan.json", "-q", "--json")
    assert [report["frames"] for report in json.loads(done.stdout)] == [90, 60]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["a.mp4", "b.mp4"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["film", "images"])
def test_a_worker_without_shared_disk_gets_the_source_and_sends_segments(
    planned: ShardPlan, single: Path, tmp_path: Path, kind: str
) -> None:
    plan, source = planned, planned.sources[0]
    if kind == "images":
        frames = tmp_path / "frames"
        frames.mkdir()
        make.ffmpeg("-i", source.input, "-frames:v", "70", frames / "%04d.png")
        plan = plan_of(
            frames,
            tmp_path / "out" / "%08d.png",
            str(tmp_path / "tiny.safetensors"),
            "--shards",
            2,
            to=tmp_path / "images.json",
        )
        source = plan.sources[0]
    there = tmp_path / "there"
    there.mkdir()
    copy = unpack(source, iter(list(pieces_of(source))), there)
    assert copy.input.is_relative_to(there) and copy.output.is_relative_to(there)
    begin_work(copy, restart=False)
    for place in plan.places:
        run_shard(ShardPlan(plan.version, (copy,)), Place(place.number, copy, place.index), unheard)
        store_shard(source, place.index, pack_shard(copy, place.index))
        assert run_shard(plan, place, unheard).made == 0
    assert not isinstance(join(plan, source, unheard), list)
    if kind == "film":
        assert packets(source.output) == packets(single)
    else:
        assert len(list(source.output.parent.glob("*.png"))) == 70
