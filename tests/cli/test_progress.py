"""The time that is left is told by what was measured: frames, and sweeps apart."""

import time

import pytest

from vsrcli.cli.progress import Speed


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which the test sets."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_time_left_follows_the_speed_of_the_last_frames(clock: list[float]) -> None:
    speed = Speed(total=100, done=10)
    assert (speed.fps, speed.left) == (None, "")
    for done in range(11, 31):
        clock[0] += 2.0
        speed.add(done)
    assert speed.fps == pytest.approx(0.5)
    assert speed.left == "2:20"


def test_sweeps_do_not_count_as_slow_frames_but_those_to_come_are_told(clock: list[float]) -> None:
    speed = Speed(total=100)
    for done in (0, 10, 30):
        speed.sweep(done, 30, 40)  # the scene's first window of 10 need not be swept
        clock[0] += 5.0 if done < 30 else 0.0
    for done in range(1, 11):
        clock[0] += 1.0
        speed.add(done)
    assert speed.fps == pytest.approx(1.0)
    assert speed.left == "1:45"  # 90 frames at 1 s, and 60 to sweep at 10 s for 40
    speed.sweep(0, 50, 100)
    clock[0] += 4.0
    speed.sweep(25, 50, 100)
    assert speed.left == "1:34"  # 90 s, and 4 s for the rest of the last sweep
