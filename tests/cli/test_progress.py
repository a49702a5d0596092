"""The time that is left is told by what was measured: frames, and sweeps apart."""

import time

import pytest

from vsrcli.cli.speed import Speed


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


def test_no_speed_is_shown_for_the_first_frames(clock: list[float]) -> None:
    speed = Speed(total=100)
    clock[0] += 60.0  # the first frame waits for all to get warm
    for done in range(1, 4):
        speed.add(done)
        clock[0] += 1.0
        assert (speed.fps, speed.left) == (None, "")
    speed.add(4)
    assert speed.fps == pytest.approx(1.0) and speed.left == "1:36"


def test_speed_of_windowed_nets_is_measured_over_whole_windows(clock: list[float]) -> None:
    """40 s of silence and 30 frames of 1 s, three times: what is left is told from the fourth frame on, and is true."""
    speed, told = Speed(total=90, burst=30), {}
    done = 0
    for _ in range(3):
        clock[0] += 40.0
        for _ in range(30):
            clock[0] += 1.0
            done += 1
            speed.add(done)
            told[done] = (speed.left, 3 * 70 - (clock[0] - 100.0))
    assert [told[n][0] for n in (1, 2, 3)] == ["", "", ""]
    for done in range(4, 91):
        shown, true = told[done]
        minutes, seconds = shown.split(":")
        assert int(minutes) * 60 + int(seconds) == pytest.approx(true, abs=2.0), done


def test_a_resumed_job_is_timed_from_where_it_resumes(clock: list[float]) -> None:
    speed = Speed(total=60, done=30, burst=15)
    for done in range(31, 46):
        clock[0] += 3.0 if done > 31 else 18.0
        speed.add(done)
    assert speed.fps == pytest.approx(15 / 60) and speed.left == "1:00"


def test_time_left_includes_future_sweeps_but_speed_does_not(clock: list[float]) -> None:
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
