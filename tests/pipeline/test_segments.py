"""A stop costs minutes of work, not frames of any price, and says what it costs."""

import threading
from pathlib import Path

import pytest
import torch

from tests.media import make
from vsrcli.errors import InterruptedJobError
from vsrcli.pipeline.events import Event
from vsrcli.pipeline.jobs.job import prepare
from vsrcli.pipeline.jobs.segments import WORK, seconds_a_frame, segment_frames
from vsrcli.pipeline.options import Options
from vsrcli.pipeline.running.run import run

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("window", "seconds", "frames"),
    [
        (30, None, 60),
        (30, 0.1, 60),
        (30, 20.0, 30),
        (4, 20.0, 4),
        (4, 5.0, 24),
        (1, 5.0, 24),
        (None, 9.0, 30),
        (7, 0.0, 63),
        (100, 20, 100),
    ],
)
def test_segments_of_slow_nets_are_short_and_end_where_windows_do(
    window: int | None, seconds: float | None, frames: int
) -> None:
    found = segment_frames(window, seconds)
    assert found == frames and found % (window or 30) == 0
    assert found == (window or 30) or not seconds or found * seconds <= WORK


def test_estimated_frame_time_grows_with_size_and_falls_with_threads() -> None:
    one = seconds_a_frame(300.0, 320, 180, CPU, 1)
    assert seconds_a_frame(300.0, 640, 360, CPU, 1) == pytest.approx(4 * one)
    assert seconds_a_frame(300.0, 320, 180, CPU, 4) == pytest.approx(one / 4)
    assert seconds_a_frame(300.0, 320, 180, torch.device("cuda"), 4) < one / 10


def test_the_lost_work_of_a_stop_is_reported(tmp_path: Path, tiny_model: str) -> None:
    film = make.video(tmp_path / "a.mkv", frames=10, width=64, height=48)
    options = Options(model=tiny_model, window=2, lookahead=1, precision="fp32")
    cancel, made = threading.Event(), []

    def hear(event: Event) -> None:
        if event.kind == "frame":
            made.append(event.done)
            if event.done == 3:
                cancel.set()

    job = prepare(film, tmp_path / "b.mkv", options, lambda event: None)
    with pytest.raises(InterruptedJobError) as stopped:
        run(job, hear, cancel=cancel)
    assert f"0 frames are safe in {tmp_path / 'b.mkv.vsr'}, {made[-1]} frames behind them" in str(stopped.value)
    assert run(prepare(film, tmp_path / "b.mkv", options, lambda event: None)).frames == 10
