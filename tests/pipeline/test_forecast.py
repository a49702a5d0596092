"""A dry run tells how long a job takes and how large it gets, from a few frames, and leaves nothing behind."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.command import vsr
from tests.media import make
from vsrcli.cli.figures import forecast_lines
from vsrcli.engine.engine import Engine
from vsrcli.errors import InterruptedJobError
from vsrcli.frame import Frame
from vsrcli.pipeline.ahead import forecast as module
from vsrcli.pipeline.ahead.forecast import Forecaster, forecast
from vsrcli.pipeline.ahead.report import forecast_report
from vsrcli.pipeline.events import Event
from vsrcli.pipeline.jobs.job import Job, prepare
from vsrcli.pipeline.options import Options
from vsrcli.pipeline.running.run import run
from vsrcli.words import rough, size_text


@pytest.fixture(autouse=True)
def few_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time 8 frames at each place instead of 24."""
    monkeypatch.setattr(module, "MOST", 8)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2 s, of which three places are looked at."""
    return make.video(tmp_path_factory.mktemp("source") / "long.mp4", frames=50, options={"crf": "20"})


def made(source: Path, output: Path, model: str, **options: object) -> Job:
    return prepare(source, output, Options(model=model, **options), lambda event: None)  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{}, {"propagation": "exact", "codec": "ffv1"}])
def test_the_estimated_size_is_near_the_real_one(
    source: Path, tmp_path: Path, tiny_model: str, options: dict[str, object]
) -> None:
    job = made(source, tmp_path / "out.mkv", tiny_model, **options)
    told = forecast(job)
    assert not list(tmp_path.iterdir()), "nothing is left"
    result = run(job)
    assert told.bytes == pytest.approx(result.output.stat().st_size, rel=0.4)
    assert told.seconds is not None and told.seconds > 0
    assert told.sampled >= 3 * 6


def test_sound_and_images_count_in_the_estimated_size(
    film: Path, source: Path, tmp_path: Path, tiny_model: str
) -> None:
    with_sound = forecast(made(film, tmp_path / "a.mkv", tiny_model))
    assert with_sound.bytes is not None and with_sound.bytes > 20 * with_sound.bytes_per_frame + 2000
    images = made(source, tmp_path / "out" / "%08d.png", tiny_model, end=0.4)
    told = forecast(images)
    folder = run(images).output.parent
    assert told.bytes == pytest.approx(sum(p.stat().st_size for p in folder.iterdir()), rel=0.1)


def test_slow_frames_are_timed_on_a_crop(tmp_path: Path, tiny_model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a hundredth of the time there is, a frame is as dear as before."""
    source = make.video(tmp_path / "a.mp4", width=160, height=120, frames=6)
    job = made(source, tmp_path / "out.mkv", tiny_model)
    whole = forecast(job)
    monkeypatch.setattr(module, "SECONDS", module.SECONDS / 1e6)
    seen: list[tuple[int, int]] = []

    class Watched(Engine):
        def push(self, frame: Frame) -> Iterator[Frame]:
            seen.append((frame.width, frame.height))
            return super().push(frame)

    monkeypatch.setattr(module, "Engine", Watched)
    cropped = forecast(job)
    assert seen[-1] == (module.PROBE_SIDE, module.PROBE_SIDE)
    assert cropped.seconds_per_frame == pytest.approx(whole.seconds_per_frame, rel=5)
    assert cropped.bytes_per_frame == pytest.approx(whole.bytes_per_frame, rel=0.6)


@pytest.mark.parametrize("seconds", [module.SECONDS, module.SECONDS / 1e6])
@pytest.mark.parametrize("output", ["out.mov", "%08d.png"])
def test_opacity_is_timed_with_its_picture(
    tmp_path: Path, tiny_model: str, monkeypatch: pytest.MonkeyPatch, output: str, seconds: float
) -> None:
    """Whole frames and crops of them have the opacity of the same place."""
    source = tmp_path / "a.mov"
    make.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=150x110:r=10:d=0.4,format=rgba,geq=r='r(X,Y)':a='255*X/W'",
                "-c:v", "qtrle", source)  # fmt: skip
    monkeypatch.setattr(module, "SECONDS", seconds)
    told = forecast(made(source, tmp_path / "out" / output, tiny_model))
    assert told.seconds is not None and told.seconds > 0 and told.bytes


def test_a_disk_that_may_be_too_small_gives_a_warning(source: Path, tmp_path: Path, tiny_model: str) -> None:
    told = forecast(made(source, tmp_path / "out.mkv", tiny_model))
    assert not told.tight and replace(told, free=told.bytes or 0).tight
    assert told.free == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.01)


def test_a_batch_times_each_plan_once_and_sums_up(tmp_path: Path, tiny_model: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for i in range(5):
        make.video(folder / f"{i}.mp4", frames=4 + i % 2, seed=i, width=64 if i < 3 else 96)
    done = vsr("upscale", folder, "-m", tiny_model, "--dry-run", "--json")
    forecasts = [report["forecast"] for report in json.loads(done.stdout)]
    assert [one["sampled_frames"] for one in forecasts] == [4, 5, 4, 5, 4]
    assert [one["timed"] for one in forecasts] == [True, False, False, True, False]
    assert all(one["seconds"] > 0 and one["bytes"] > 0 for one in forecasts)
    assert "in all about" in done.stderr and done.stderr.count("timing a few frames") == 2
    assert done.stderr.count("fps, as timed on a file before\n") == 3
    assert sorted(p.name for p in folder.iterdir()) == [f"{i}.mp4" for i in range(5)]


def test_the_size_of_each_file_of_a_batch_is_its_own(tmp_path: Path, tiny_model: str) -> None:
    quiet = make.video(tmp_path / "quiet.mp4", frames=12)
    random = np.random.default_rng(0)
    loud = make.video(
        tmp_path / "loud.mp4", frames=12, draw=lambda n, w, h: random.integers(0, 256, (h, w, 3), np.uint8)
    )
    forecaster = Forecaster()
    told = [forecaster(made(one, tmp_path / f"{one.stem}.mkv", tiny_model))[0] for one in (loud, quiet)]
    first, second = (one for one in told if one is not None)
    assert first.bytes is not None and second.bytes is not None
    assert first.seconds_per_frame == second.seconds_per_frame and (first.timed, second.timed) == (True, False)
    result = run(made(quiet, tmp_path / "quiet.mkv", tiny_model)).output
    assert second.bytes == pytest.approx(result.stat().st_size, rel=0.4) and first.bytes > 2 * second.bytes


@pytest.mark.usefixtures("short_segments")
def test_of_a_stopped_job_the_rest_is_forecast(source: Path, tmp_path: Path, tiny_model: str) -> None:
    how: dict[str, Any] = {"window": 4, "lookahead": 1, "precision": "fp32"}

    def stop(event: Event) -> None:
        if event.kind == "frame" and event.done == 20:
            raise KeyboardInterrupt

    output = tmp_path / "out.mkv"
    with pytest.raises(InterruptedJobError, match="16 frames"):
        run(made(source, output, tiny_model, **how), stop)
    before = sorted(tmp_path.rglob("*"))
    told = forecast(made(source, output, tiny_model, **how))
    assert told.kept == 16 and told.seconds == pytest.approx(34 * told.seconds_per_frame)
    assert forecast_lines(forecast_report(told))["time"].endswith("; kept of a run before: 16 frames")
    assert forecast(made(source, output, tiny_model, restart=True, **how)).kept == 0
    assert forecast(made(source, output, tiny_model, crf=30, **how)).kept == 0
    assert sorted(tmp_path.rglob("*")) == before


def test_a_plan_is_shown_even_without_a_time_estimate(
    source: Path, tmp_path: Path, tiny_model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = made(source, tmp_path / "out.mkv", tiny_model)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    told, reason = Forecaster()(job)
    assert told is None and reason


def test_times_and_sizes_in_words() -> None:
    assert [rough(s) for s in (0.2, 89, 91, 5300, 5400, 130000, 200000)] == [
        "1 s", "89 s", "2 min", "88 min", "1 h 30 min", "1 d 12 h", "2 d 8 h",
    ]  # fmt: skip
    assert [size_text(n) for n in (12, 1500, 2.5e6, 640e6, 4.2e9)] == [
        "12 bytes",
        "1.5 kB",
        "2.5 MB",
        "640 MB",
        "4.2 GB",
    ]
    slow = {"fps": 0.05, "seconds": None, "bytes": None, "free_bytes": 1}
    assert forecast_lines(slow) == {"time": "20 s a frame here; the source does not tell its length"}


def test_a_span_behind_the_end_is_refused_as_by_the_job_itself(tmp_path: Path, tiny_model: str) -> None:
    make.video(tmp_path / "plain.mov", frames=5)
    make.ffmpeg("-i", tmp_path / "plain.mov", "-c", "copy", "-timecode", "10:00:00:00", tmp_path / "a.mov")
    how = (tmp_path / "a.mov", "-o", tmp_path / "b.mov", "-m", tiny_model, "--start", "10:00:00")
    for more in ((), ("--dry-run",)):
        done = vsr("upscale", *how, *more)
        assert done.returncode == 2 and "at 0.20 s (times begin at 0, not at its timecode 10:00:00:00)" in done.stderr
