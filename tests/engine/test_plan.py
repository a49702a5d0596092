"""The plan fits the budget and reduces quality only as a last resort."""

from dataclasses import replace

import pytest
import torch

from vsrcli.engine.options import EngineOptions
from vsrcli.engine.plan import (
    ENCODER_BYTES,
    MIN_TILE,
    NEAR_BEST,
    PROCESS_BYTES,
    WINDOW,
    Plan,
    choose_plan,
    estimate,
    estimate_disk,
    estimate_host,
)
from vsrcli.engine.planning import make_plan
from vsrcli.errors import OutOfMemoryError
from vsrcli.nets.basicvsr import BasicVSR
from vsrcli.nets.horizon import Horizon
from vsrcli.nets.realbasicvsr import RealBasicVSR
from vsrcli.nets.recurrent import RecurrentNet
from vsrcli.nets.repvsr import RepVSR

FP32, CPU = torch.float32, torch.device("cpu")


@pytest.fixture(scope="module")
def net() -> BasicVSR:
    return BasicVSR(64, 1)


def test_whole_frames_while_they_fit_then_a_shorter_window_then_tiles(net: BasicVSR) -> None:
    def chosen(gib: float) -> Plan:
        return choose_plan(net, 1080, 1920, Plan(), FP32, CPU, int(gib * 2**30))

    assert chosen(200) == Plan()
    assert (chosen(30).window, chosen(30).tile) == (15, None)
    large, small = chosen(20).tile, chosen(14).tile
    assert large is not None and small is not None
    assert large[0] * large[1] > small[0] * small[1]


def test_a_plan_within_the_budget_is_estimated_within_it(net: BasicVSR) -> None:
    for gib in (3, 4, 6):
        plan = choose_plan(net, 480, 640, Plan(), FP32, CPU, gib << 30)
        assert estimate(net, 480, 640, plan, FP32, CPU) <= gib << 30


def test_where_nothing_fits_tiles_are_no_smaller_than_pays() -> None:
    streams = RepVSR(48, 8)
    for net, wanted in ((streams, Plan(window=1, lookahead=0)), (BasicVSR(64, 1), Plan())):
        series = [wanted]
        while max(series[-1].tile or (1920, 1080)) > MIN_TILE:
            series.append(series[-1].smaller(1080, 1920))
        windows = [
            window for window in (wanted.window, 15, 8, 4) if window is not None and window <= (wanted.window or 0)
        ]

        def taken(plan: Plan, net: RecurrentNet = net) -> int:
            return estimate(net, 1080, 1920, plan, FP32, CPU)

        least = min(taken(replace(plan, window=window)) for plan in series for window in windows)
        chosen = choose_plan(net, 1080, 1920, wanted, FP32, CPU, 1 << 30)
        assert least <= taken(chosen) <= NEAR_BEST * least
        assert chosen.tile is not None and min(chosen.tile) > MIN_TILE
        larger = [
            plan
            for plan in series
            if plan.tile is None or plan.tile[0] * plan.tile[1] > chosen.tile[0] * chosen.tile[1]
        ]
        assert all(taken(replace(plan, window=chosen.window)) > NEAR_BEST * least for plan in larger)


def test_what_the_process_itself_takes_is_part_of_what_was_asked() -> None:
    net = RepVSR(48, 8)
    whole = estimate(net, 270, 480, make_plan(EngineOptions(), net, 270, 480, CPU, FP32), FP32, CPU)
    enough = make_plan(EngineOptions(memory=whole + PROCESS_BYTES), net, 270, 480, CPU, FP32)
    assert enough.tile is None
    assert make_plan(EngineOptions(memory=whole + PROCESS_BYTES - 1), net, 270, 480, CPU, FP32).tile is not None


def test_exact_plans_use_tiles_rather_than_short_windows(net: BasicVSR) -> None:
    plan = choose_plan(net, 720, 1280, Plan(exact=True), FP32, CPU, 2 << 30)
    assert plan.window == WINDOW and plan.tile is not None
    assert choose_plan(net, 720, 1280, Plan(), FP32, CPU, 2 << 30).window != WINDOW
    lr, states = 720 * 1280 * 3, 720 * 1280 * 64 * 4 // WINDOW
    assert estimate_disk(net, 720, 1280, plan) == lr + states
    assert estimate_disk(net, 720, 1280, plan, bit_depth=10) == 2 * lr + states
    assert estimate_disk(net, 720, 1280, Plan()) == 0


def test_a_whole_clip_is_planned_by_its_length(net: BasicVSR) -> None:
    wanted = Plan(window=None)
    assert choose_plan(net, 480, 640, wanted, FP32, CPU, 8 << 30, frames=20).tile is None
    assert choose_plan(net, 480, 640, wanted, FP32, CPU, 8 << 30, frames=500).tile is not None


def test_gpu_estimate_counts_frames_and_flows_of_the_window(net: BasicVSR) -> None:
    def needed(window: int) -> int:
        plan = Plan(window=window, lookahead=0)
        return estimate(net, 480, 640, plan, torch.float16, torch.device("cuda"), frames=100)

    assert needed(30) - needed(10) >= 20 * 480 * 640 * (2 * net.stored_channels + 4 * (3 + 2 + 2))


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_young_states_prepared_frames_and_colours_are_counted(device: str) -> None:
    net, large = RealBasicVSR(64, 1), 480 * 640
    tiled = Plan(tile=(64, 64))

    def host(net: BasicVSR, plan: Plan) -> int:
        return estimate_host(net, 480, 640, plan)

    def needed(plan: Plan) -> int:
        return estimate(net, 480, 640, plan, FP32, torch.device(device))

    assert host(net, tiled) - host(BasicVSR(64, 1), tiled) == 40 * large * 3 * 4
    assert host(net, replace(tiled, keep_colours=True)) - host(net, tiled) >= large * 16 * 3 * 4
    exact = replace(tiled, exact=True)
    assert host(net, replace(exact, horizon=Horizon())) - host(net, exact) == 2 * large * 64 * 4
    assert needed(Plan(horizon=Horizon())) - needed(Plan()) >= 2 * large * 64 * 4


def test_host_estimate_counts_hr_frames_of_the_window(net: BasicVSR) -> None:
    def window(host_gib: int) -> int | None:
        cuda = torch.device("cuda")
        return choose_plan(
            net, 1080, 1920, Plan(), torch.float16, cuda, 6 << 30, frames=100, host_budget=host_gib << 30
        ).window

    assert (window(64), window(15), window(14)) == (30, 15, 8)
    assert window(1) == 30, "where nothing can help, nothing is given up"


def test_16_bit_frames_take_twice_the_memory(net: BasicVSR) -> None:
    def needed(plan: Plan, frames: int, bit_depth: int) -> int:
        return estimate(net, 480, 640, plan, FP32, CPU, frames=frames, bit_depth=bit_depth)

    plan, lr = Plan(window=None), 480 * 640 * 3
    deeper = [needed(plan, n, 16) - needed(plan, n, 8) for n in (10, 20)]
    assert deeper[1] - deeper[0] == 10 * 2 * lr  # as they came, and padded
    assert deeper[0] >= 16 * 480 * 640 * ENCODER_BYTES


def test_requested_tile_is_kept(net: BasicVSR) -> None:
    plan = choose_plan(net, 1080, 1920, Plan(tile=(640, 360)), FP32, CPU, 1 << 20, fixed_tile=True)
    assert plan.tile == (640, 360)


def test_plans_cannot_shrink_for_ever(net: BasicVSR) -> None:
    plan = Plan()
    with pytest.raises(OutOfMemoryError):
        for _ in range(20):
            plan = plan.smaller(1080, 1920)
    assert plan.tile == (64, 64)


def test_streaming_plan_has_no_horizon() -> None:
    assert make_plan(EngineOptions(horizon=Horizon.of(30)), RepVSR(8, 1), 32, 32, CPU, FP32).horizon is None
    assert make_plan(EngineOptions(horizon=Horizon.of(30)), BasicVSR(8, 1), 32, 32, CPU, FP32).horizon == Horizon.of(30)
