"""Measurements are consistent, shares of stages add up, and plans cost what upscaling costs."""

import itertools
import time
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from vsrcli.bench.case import Blueprint, Case, Measurement
from vsrcli.bench.measure import choose, measure, moving_frames, peak_above, run, speed
from vsrcli.bench.run import related
from vsrcli.bench.timer import StageTimer
from vsrcli.engine.plan import Plan
from vsrcli.errors import UsageError
from vsrcli.nets.basicvsr import BasicVSR
from vsrcli.nets.edvr import EDVR
from vsrcli.nets.layers import flow_warp
from vsrcli.nets.observe import stage

CPU = torch.device("cpu")
CASE = Case("repvsr", Blueprint("repvsr", {}), precision="fp32", device="cpu", output=(128, 96), frames=3)


@pytest.fixture(scope="module")
def one() -> Measurement:
    return measure(CASE, print)


def test_a_streaming_net_is_measured(one: Measurement) -> None:
    assert (one.model, one.weights, one.precision, one.frames) == ("repvsr", "random", "fp32", 3)
    assert (one.input_width, one.input_height, one.output_width, one.output_height) == (32, 24, 128, 96)
    assert (one.window, one.lookahead, one.tile) == (None, 0, None)
    assert one.fps == pytest.approx(1000 / one.ms_median)
    assert 0 < one.ms_median <= one.ms_p95
    assert one.gemm_gflops > 0
    assert one.gemm_share == pytest.approx(one.gflop / (one.ms_median / 1000) / one.gemm_gflops)
    assert sum(one.stages.values()) == pytest.approx(1)
    assert one.stages["flow"] > 0 and one.stages["warp"] > 0 and one.stages["propagate"] > 0
    assert one.stages["encode"] < 0.05  # this net has no such stage


def test_indivisible_output_is_rejected() -> None:
    with pytest.raises(UsageError, match="130x96"):
        measure(replace(CASE, output=(130, 96)), print)


def test_figures_follow_from_the_times() -> None:
    samples = [(10, 0.5), (10, 1.0), (5, 1.0)]  # 50, 100, 200 ms a frame
    figures = speed(samples, gflop=30.0, gemm=600.0)
    assert figures["ms_median"] == pytest.approx(100) and figures["fps"] == pytest.approx(10)
    assert 100 < figures["ms_p95"] <= 200
    assert figures["realtime_24"] == pytest.approx(10 / 24) and figures["realtime_30"] == pytest.approx(1 / 3)
    assert figures["gflops"] == pytest.approx(300) and figures["gemm_share"] == pytest.approx(0.5)


def test_the_product_is_measured_again_while_the_net_is_faster() -> None:
    for rates, best, left in (([5.0, 9.0], 5.0, 1), ([3.0, 2.0, 4.5, 9.0], 4.5, 1), ([1.0, 3.0, 2.0, 9.0], 3.0, 1)):
        assert peak_above(4.0, partial(rates.pop, 0)) == best
        assert len(rates) == left


def test_speedup_and_peak_share_refer_to_all_measurements(one: Measurement) -> None:
    two = replace(one, fps=2 * one.fps, gflops=2 * one.gflops, gemm_gflops=3 * one.gemm_gflops)
    a, b = related([one, two])
    assert (a.speedup, b.speedup) == (1, 2)
    assert a.gemm_gflops == b.gemm_gflops == two.gemm_gflops
    assert b.gemm_share == pytest.approx(2 * a.gemm_share)


def test_peaks_are_told_apart_by_threads(one: Measurement) -> None:
    two = replace(one, threads=(one.threads or 0) + 1, gemm_gflops=1.7 * one.gemm_gflops)
    assert [m.gemm_gflops for m in related([one, two])] == [one.gemm_gflops, two.gemm_gflops]


def test_as_many_threads_compute_as_were_asked_for() -> None:
    before = torch.get_num_threads()
    try:
        assert [measure(replace(CASE, threads=count), print).threads for count in (2, 1)] == [2, 1]
    finally:
        torch.set_num_threads(before)


def test_nested_stages_are_subtracted_except_in_flow() -> None:
    net = BasicVSR(channels=8, blocks=1).eval()
    timer = StageTimer(net, CPU)

    @stage("warp")
    def inner() -> None:
        time.sleep(0.03)

    @stage("propagate")
    def outer() -> None:
        time.sleep(0.02)
        inner()

    start = time.perf_counter()
    with timer.attached():
        outer()
    total = time.perf_counter() - start
    assert timer.seconds["propagate"] >= 0.02 and timer.seconds["warp"] >= 0.03
    assert timer.seconds["propagate"] + timer.seconds["warp"] <= total

    frame = torch.rand(1, 3, 32, 32)
    with timer.attached():
        timer.seconds.clear()
        flow = net.flow(frame, frame)  # warps at each of its levels
        assert timer.seconds["flow"] > 0 and "warp" not in timer.seconds
        flow_warp(frame, flow)
        assert timer.seconds["warp"] > 0
    seconds = dict(timer.seconds)
    flow_warp(frame, net.flow(frame, frame))
    assert timer.seconds == seconds  # nothing is timed any more


def test_fewer_frames_than_a_window_shrink_window_and_lookahead_alike() -> None:
    net = BasicVSR(channels=8, blocks=1)

    def plan(frames: int | None, window: int | None = None) -> tuple[int | None, int, int]:
        chosen, count = choose(net, replace(CASE, frames=frames, window=window), 24, 32, CPU, torch.float32)
        return chosen.window, chosen.lookahead, count

    assert plan(None) == (30, 10, 30)
    assert plan(6) == (6, 2, 6)
    assert plan(31) == (30, 10, 60)  # whole windows
    assert plan(6, window=4) == (4, 10, 8)  # as `vsr upscale --window 4` runs


def test_samples_are_windows_or_single_frames() -> None:
    net = BasicVSR(channels=8, blocks=1).eval()
    samples, _ = run(net, Plan(window=4, lookahead=2), CPU, moving_frames(16, 16), 8, print)
    assert [count for count, _ in samples] == [4, 4]
    edvr = EDVR(channels=16, frames=3, blocks=1).eval()
    samples, _ = run(edvr, Plan(window=1, lookahead=0), CPU, moving_frames(16, 16), 3, print)
    assert [count for count, _ in samples] == [1, 1, 1]
    assert all(seconds > 0 for _, seconds in samples)


def test_frames_move_smoothly_without_end() -> None:
    frames = list(itertools.islice(moving_frames(40, 50), 70))
    assert all(frame.data.shape == (40, 50, 3) and frame.bit_depth == 8 for frame in frames)
    for a, b in itertools.pairwise(frame.data for frame in frames):
        assert not np.array_equal(a, b)
        overlaps = [(a[1:, 2:], b[:-1, :-2]), (a[:-1, :-2], b[1:, 2:])]
        assert any(np.array_equal(x, y) for x, y in overlaps)  # the same texture, 2 pixels on or back
