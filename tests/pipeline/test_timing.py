"""Which stage the others waited for: shares of the time from what each waited."""

import threading
import time
from pathlib import Path

import pytest

import vsrcli
from tests.pipeline.test_repeats import on_fives
from vsrcli.pipeline.ahead.report import result_report
from vsrcli.pipeline.running.stages import Pipe
from vsrcli.pipeline.timing import STAGES, StageClock, bottleneck


def test_stage_shares_refer_to_the_whole_running_time() -> None:
    times = iter([0.0, 0.0, 1.0, 6.0, 9.0, 10.0, 99.0])
    clock = StageClock(now=lambda: next(times))
    clock.begin("decode")
    clock.begin("upscale")
    clock.begin("encode")
    clock.waited("decode", 4.0)
    clock.waited("encode", 3.0)
    clock.waited("encode", 5.5)
    clock.end("decode")
    clock.end("upscale")
    clock.end("encode")
    shares = clock.shares()
    assert shares == pytest.approx({"decode": 0.2, "upscale": 0.9, "encode": 0.05})
    assert bottleneck(shares) == "upscale"


def test_an_idle_clock_has_no_shares_and_no_bottleneck() -> None:
    assert StageClock().shares() == {} and bottleneck({}) is None


@pytest.mark.parametrize("slow", ["giver", "taker"])
def test_waiting_at_a_pipe_does_not_count_as_busy(slow: str) -> None:
    clock, stop = StageClock(), threading.Event()
    pipe = Pipe(1, stop, clock=clock, giver="decode", taker="upscale")

    def give() -> None:
        clock.begin("decode")
        for item in range(6):
            time.sleep(0.03 if slow == "giver" else 0)
            pipe.put(item)
        pipe.put(None)
        clock.end("decode")

    thread = threading.Thread(target=give)
    clock.begin("upscale")
    thread.start()
    for _ in pipe:
        time.sleep(0.03 if slow == "taker" else 0)
    clock.end("upscale")
    thread.join()
    clock.begin("encode")
    clock.end("encode")
    assert bottleneck(clock.shares()) == ("decode" if slow == "giver" else "upscale")


def test_a_job_reports_the_shares_of_its_stages(tiny_model: str, tmp_path: Path) -> None:
    source = on_fives(tmp_path / "in.mkv", frames=25)
    result = vsrcli.upscale(source, tmp_path / "out.mkv", model=tiny_model, preset="ultrafast")
    report = result_report(result)
    assert tuple(report["stages"]) == STAGES and report["bottleneck"] in STAGES
    assert all(0 < share <= 1 for share in report["stages"].values())
    assert report["stages"][report["bottleneck"]] == max(report["stages"].values())
