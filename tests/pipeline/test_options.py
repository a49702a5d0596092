"""A job's record and its plan's report hold the options under the names of the fields, and a change of one is seen."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.media import make
from vsrcli.nets.horizon import Horizon
from vsrcli.pipeline.ahead.report import plan_report
from vsrcli.pipeline.jobs.job import Job, prepare
from vsrcli.pipeline.options import Options
from vsrcli.records import options_of

CHANGED: dict[str, Any] = {
    "slow": Fraction(2),
    "propagation": "clip",
    "window": 5,
    "lookahead": 1,
    "horizon": Horizon.of(30),
    "keyframe_interval": 3,
    "tile": (32, 32),
    "memory": 1 << 30,
    "start": 0.01,
    "end": 1.5,
    "deinterlace": "on",
    "detelecine": True,
    "tune": "film",
    "crop": "64:48:0:0",
    "pad": True,
    "hwaccel": "cuda",
    "encoder_opt": ("aq-mode=2",),
    "repeats": "off",
    "compile": True,
}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make.video(tmp_path_factory.mktemp("in") / "a.mkv", frames=4, width=64, height=48)


def job(source: Path, folder: Path, **options: Any) -> Job:
    asked = Options(**{"model": "iconvsr.bi", "precision": "fp32", "device": "cpu"} | options)
    return prepare(source, folder / "out.mkv", asked, lambda event: None)


def test_a_job_s_record_holds_every_option_that_changes_frames(source: Path, tmp_path: Path) -> None:
    kept = {one.name for one in options_of(Options) if one.kept != "no"}
    assert set(job(source, tmp_path).settings()) == kept | {"version", "weights"}


def test_each_requested_option_changes_only_its_entry_in_the_record(source: Path, tmp_path: Path) -> None:
    assert set(CHANGED) == {one.name for one in options_of(Options) if one.kept == "asked"}
    prepared = job(source, tmp_path)
    before = prepared.settings()
    for name, value in CHANGED.items():
        prepared.options = Options(**{name: value})
        after = json.loads(json.dumps(prepared.settings()))
        assert {key for key in before if after[key] != before[key]} == {name}


def test_resolved_options_are_recorded_with_their_final_values(source: Path, tmp_path: Path) -> None:
    made = job(source, tmp_path, crf=20, codec="hevc", pix_fmt="yuv444p", preset="fast", scale=2).settings()
    wanted = {"model": "iconvsr.bi", "device": "cpu", "precision": "float32", "size": [128, 96], "crf": 20.0}
    wanted |= {"codec": "hevc", "pix_fmt": "yuv444p", "preset": "fast", "rate": "25"}
    assert wanted.items() <= made.items()


def test_the_plan_s_report_holds_all_requested_options(source: Path, tmp_path: Path) -> None:
    report = plan_report(job(source, tmp_path, tile=(32, 32), rate=Fraction(30000, 1001), horizon=30))
    assert list(report["options"]) == [one.name for one in options_of(Options)]
    assert report["options"]["tile"] == [32, 32] and report["options"]["rate"] == "30000/1001"
    assert (report["tile"], report["horizon"]) == ([32, 32], 30)
