"""Each choice is compared with whole-clip fp32 on the same frames."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.evaluate.make import figure
from tests.evaluate.test_evaluation import frames_of
from tests.toy import Toy
from vsrcli.cli.evaluate import ABLATE_HELP
from vsrcli.engine import device
from vsrcli.engine.engine import Engine
from vsrcli.engine.plan import Plan
from vsrcli.engine.tensors import TensorEngine
from vsrcli.errors import UsageError
from vsrcli.evaluate import ablation, new_frames
from vsrcli.evaluate.ablation import AXES, Choice, ablate, choices, table
from vsrcli.evaluate.clips import choose_clips, pairs
from vsrcli.evaluate.clips import length as clip_length
from vsrcli.evaluate.evaluation import Setting
from vsrcli.levels import to_levels
from vsrcli.nets.iconvsr import IconVSR
from vsrcli.nets.recurrent import RecurrentNet
from vsrcli.nets.repvsr import RepVSR
from vsrcli.quality.metrics import mse, planes, psnr

CPU = torch.device("cpu")


def test_costs_equal_those_of_separate_engine_runs(net: RecurrentNet, two_clips: Path) -> None:
    plan = Plan(window=1, lookahead=0)
    clips = choose_clips(two_clips, ["first"])
    rows = ablate(clips, net, [Choice("window", "1", lambda h, w: plan)], Setting("bi", 4), CPU)
    whole, truth = frames_of(net, two_clips, 0)
    engine = Engine(net, plan, CPU, detector=None)
    short = [hr for p in pairs(clips[0], "bi", 4) for hr in TensorEngine(engine).push(p.lr)] + list(
        TensorEngine(engine).flush()
    )
    a, b, reference = (planes(x / 255) for x in (whole, to_levels(torch.stack(short)), truth))
    losses = psnr(a, reference) - psnr(b, reference)
    assert rows[0]["mean_loss"] == 0 and math.isinf(figure(rows[0], "to_reference")) and rows[0]["time_ratio"] == 1
    assert rows[1]["mean_loss"] == pytest.approx(losses.mean().item(), abs=1e-3)
    assert rows[1]["worst_loss"] == pytest.approx(losses.max().item(), abs=1e-3)
    pooled = 10 * math.log10(255**2 / mse(a, b).mean().item())
    assert rows[1]["to_reference"] == pytest.approx(pooled, abs=0.2)
    assert rows[1]["worst_loss"] != 0 and figure(rows[1], "time_ratio") > 0


def test_every_axis_of_the_grid_runs_and_leaves_the_net_as_it_was(net: RecurrentNet, two_clips: Path) -> None:
    grid = choices(AXES, net, CPU)
    assert {c.axis for c in grid} == set(AXES) - {"keyframe-interval"}
    one_of_each = [next(c for c in grid if c.axis == axis) for axis in ("window", "horizon", "tile", "precision")]
    rows = ablate(choose_clips(two_clips, ["first"]), net, one_of_each, Setting("bi", 4, limit=2), CPU)
    assert len(table(rows).markdown().splitlines()) == 2 + 5
    assert all(figure(row, "to_reference") > 40 for row in rows)
    assert net.compute_dtype == torch.float32


def test_exact_propagation_loses_nothing(net: RecurrentNet, two_clips: Path) -> None:
    exact = next(c for c in choices(["window"], net, CPU) if c.label.startswith("exact"))
    plan = replace(exact.plan(1, 1), window=2)
    rows = ablate(
        choose_clips(two_clips, ["first"]), net, [replace(exact, plan=lambda h, w: plan)], Setting("bi", 4), CPU
    )
    assert (
        abs(figure(rows[1], "mean_loss")) < 1e-3 and figure(rows[1], "to_reference") > 70
    )  # a rounded level here and there


def test_a_warm_up_that_reaches_the_clip_s_start_costs_nothing_and_less_of_it_something(
    net: RecurrentNet, two_clips: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ablation, "SHORT_WINDOW", 2)
    whole, *shards = choices(["warmup"], net, CPU)
    assert [c.warmup for c in shards] == [0, 5, 10, 15, 30]
    rows = ablate(choose_clips(two_clips, ["first"]), net, [whole, shards[0], shards[-1]], Setting("bi", 4), CPU)
    _, unsplit, cold, warm = (figure(row, "to_reference") for row in rows)
    assert unsplit == warm > cold


def test_axes_that_a_net_lacks_are_left_out() -> None:
    assert {c.axis for c in choices(AXES, RepVSR(), CPU)} == {"tile", "precision", "warmup", "segments"}
    iconvsr = choices(["keyframe-interval"], IconVSR(64, 1), CPU)
    assert [c.keyframe_interval for c in iconvsr] == [0, 3, 10]


def test_axes_that_a_net_lacks_and_windows_that_cover_the_clips_are_said() -> None:
    axes = ["window", "lookahead", "tile", "keyframe-interval"]
    streams = ablation.notes(axes, choices(axes, RepVSR(), CPU), RepVSR(), CPU, [4])
    assert streams == [
        "nothing to compare for window, lookahead: it runs frame by frame, without a backward pass",
        "nothing to compare for keyframe-interval: it has no keyframes",
    ]
    net = IconVSR(8, 1)
    grid = choices(["window"], net, CPU)
    (covered,) = ablation.notes(["window"], grid, net, CPU, [17, 25])
    assert covered.endswith(
        "clips of 25 frames and so lose nothing: window 15, lookahead 10; window 30, lookahead 10 (default)"
    )
    assert [choice.plan(1, 1).window for choice in ablation.covering(grid, [17, 25])] == [15, 30]
    for lengths in ([4, None], [100]):
        assert not ablation.notes(["window"], grid, net, CPU, lengths) and not ablation.covering(grid, lengths)


def test_why_int8_is_not_compared_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    net = IconVSR(8, 1)
    for has_it, one, why in ((True, net, "weights calibrate"), (False, net, "VNNI"), (True, Toy(), "no part")):
        monkeypatch.setattr(device, "cpu_has_int8", lambda has_it=has_it: has_it)
        (said,) = ablation.notes(["precision"], choices(["precision"], one, CPU), one, CPU, [4])
        assert said.startswith("precision is compared without int8: ") and why in said
    monkeypatch.setattr(device, "cpu_has_int8", lambda: True)
    net.use_ranges({name: (0.0, 1.0) for name, _ in net.int8_convs()})
    grid = choices(["precision"], net, CPU)
    assert "int8" in {choice.label for choice in grid} and not ablation.notes(["precision"], grid, net, CPU, [4])


def test_a_covering_window_equals_the_whole_clip(net: RecurrentNet, two_clips: Path) -> None:
    clips, grid = choose_clips(two_clips, ["first"]), choices(["window"], net, CPU)
    assert "lose nothing: window 8, " in ablation.notes(["window"], grid, net, CPU, [clip_length(clips[0])])[0]
    rows = ablate(clips, net, grid[:1], Setting("bi", 4), CPU)
    shown = table(rows).markdown().splitlines()
    assert all(" equal |" in line and " inf " not in line for line in shown[2:])


def test_unknown_axis_is_rejected(net: RecurrentNet) -> None:
    with pytest.raises(UsageError, match=r"no such axis: windows .*window,.*fps,twos without these"):
        choices(["windows"], net, CPU)
    with pytest.raises(UsageError, match="no axis is named"):
        choices([], net, CPU)


def test_the_help_names_every_choice() -> None:
    listed = [
        ", ".join(map(str, n))
        for n in (ablation.WINDOWS, ablation.LOOKAHEADS, ablation.HORIZONS, ablation.WARMUPS, ablation.SEGMENTS)
    ]
    intervals = ", ".join(map(str, ablation.KEYFRAME_INTERVALS))
    wanted = [*AXES, *new_frames.AXES, *listed, intervals, "{}x{}".format(*ablation.TILE)]
    assert [words for words in wanted if words not in ABLATE_HELP] == []
