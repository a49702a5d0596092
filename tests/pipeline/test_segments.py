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
from vsrcli.pipeline.running.stopping import interrupted

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("window", "seconds", "frames"),
    [
        (30, None, 60),
        (30, 0.1, 60),
        (30, 20.0, 30),
        (30, 1.5, 30),
        (1, 1.5, 40),
        (4, 20.0, 4),
        (4, 5.0, 12),
        (1, 5.0, 12),
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


@pytest.mark.parametrize(
    ("kept", "made", "swept", "text"),
    [
        (60, 87, False, "the first 60 frames are kept, the 27 after them will be made again"),
        (60, 60, False, "the first 60 frames are kept"),
        (1, 2, False, "the first frame is kept, the 1 after it will be made again"),
        (60, 62, True, "the first 60 frames and what was swept are kept, the 2 after them will be made again"),
        (0, 1, True, "what was swept is kept, 1 frame will be made again"),
        (0, 0, False, "no frame is kept yet"),
    ],
)
def test_a_stop_says_what_is_kept(kept: int, made: int, swept: bool, text: str) -> None:
    assert str(interrupted(kept, made, swept=swept)) == f"stopped: {text}; to go on, run the same command"


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
    again = f"the first {made[-1]} will be made again; to go on, run the same command"
    assert str(stopped.value) == f"stopped: no frame is kept yet, {again}"
    assert run(prepare(film, tmp_path / "b.mkv", options, lambda event: None)).frames == 10
