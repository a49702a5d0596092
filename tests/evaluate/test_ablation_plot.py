"""Segments of a clip know nothing of each other, and plots show losses by frame or quality by keyframes."""

from pathlib import Path

import pytest
import torch

from tests.command import vsr
from tests.evaluate.make import figure, tiny_model
from vsrcli.compare.plot import plot_svg
from vsrcli.engine.engine import Engine
from vsrcli.engine.plan import Plan
from vsrcli.engine.tensors import TensorEngine
from vsrcli.evaluate.ablation import SEGMENTS, Choice, Curve, ablate, choices
from vsrcli.evaluate.ablation_plot import frame_panels, keyframe_panels
from vsrcli.evaluate.clips import choose_clips, pairs
from vsrcli.evaluate.evaluation import Setting
from vsrcli.levels import to_unit
from vsrcli.nets.iconvsr import IconVSR
from vsrcli.nets.recurrent import RecurrentNet
from vsrcli.quality.metrics import planes, psnr

CPU = torch.device("cpu")


def test_a_segment_is_upscaled_as_if_it_were_the_whole_clip(net: RecurrentNet, two_clips: Path) -> None:
    clips, curves = choose_clips(two_clips, ["first"]), list[Curve]()
    half = next(choice for choice in choices(["segments"], net, CPU) if choice.segments == 2)
    rows = ablate(clips, net, [half], Setting("bi", 4), CPU, on_curve=curves.append)
    frames = list(pairs(clips[0], "bi", 4))
    losses = []
    for part in (frames[: len(frames) // 2], frames[len(frames) // 2 :]):
        engine = TensorEngine(Engine(net, Plan(window=None), CPU, detector=None), bit_depth=8)
        made = list(engine.upscale(frame.lr for frame in part))
        losses += [
            float(psnr(planes(to_unit(hr)), planes(to_unit(frame.hr)))) for hr, frame in zip(made, part, strict=True)
        ]
    whole, segments = curves
    assert whole.losses == (0.0,) * len(frames) and segments.choice == half
    assert [whole.psnr] * len(frames) != losses
    assert sum(losses) / len(losses) == pytest.approx(figure(rows[1], "psnr"), abs=1e-4)
    assert sum(segments.losses) / len(frames) == pytest.approx(figure(rows[1], "mean_loss"), abs=1e-6)
    assert [choice.segments for choice in choices(["segments"], net, CPU)] == list(SEGMENTS)


def test_more_segments_than_frames_leave_each_frame_alone(net: RecurrentNet, two_clips: Path) -> None:
    grid = [Choice("segments", "many", lambda h, w: Plan(window=None), segments=50)]
    rows = ablate(choose_clips(two_clips, ["first"]), net, grid, Setting("bi", 4), CPU)
    assert figure(rows[1], "to_reference") < 80


def test_keyframes_are_counted_as_the_net_sets_them(two_clips: Path) -> None:
    torch.manual_seed(0)
    net, curves = IconVSR(8, 1).eval(), list[Curve]()
    grid = choices(["keyframe-interval"], net, CPU)
    ablate(choose_clips(two_clips, ["first"]), net, grid, Setting("bi", 4), CPU, on_curve=curves.append)
    count = len(curves[0].losses)
    found = {curve.choice.keyframe_interval: curve.keyframes for curve in curves}
    assert found[0] == 0 and found[3] == len({*range(0, count, 3), count - 1}) and found[10] == 2
    (panel,) = keyframe_panels({"iconvsr": curves})
    assert list(panel.series[0].at or ()) == sorted(curve.keyframes or 0 for curve in curves)
    assert not frame_panels({"iconvsr": curves})


def test_losses_by_frame_are_drawn_for_each_axis() -> None:
    one = Choice("segments", "2 segments", lambda h, w: Plan(window=None), segments=2)
    curves = {"net": [Curve(Choice("reference", "whole", one.plan), (0, 0), 30.0), Curve(one, (0.5, -0.25), 29.9)]}
    (panel,) = frame_panels(curves)
    assert list(panel.series[0].values) == [0.5, -0.25] and "segments: loss" in panel.title
    assert "2 segments" in plot_svg([panel])
    assert not keyframe_panels(curves)


def test_a_mean_of_almost_nothing_has_no_sign() -> None:
    one = Choice("tile", "half the frame", lambda h, w: Plan(window=None))
    drawn = plot_svg(frame_panels({"net": [Curve(one, (-0.0002, 0.0), 29.9)]}))
    assert "half the frame  0.000<" in drawn and "-0.000<" not in drawn


@pytest.mark.slow
def test_one_command_draws_it(two_clips: Path, tmp_path: Path) -> None:
    model = tiny_model(tmp_path / "tiny.safetensors")
    arguments = ["evaluate", "-m", model, "--data", two_clips, "--clips", "first", "--ablate", "segments"]
    done = vsr(*arguments, "--plot", tmp_path / "fig3.svg")
    assert done.returncode == 0, done.stderr
    assert "8 segments" in (tmp_path / "fig3.svg").read_text() and "8 segments" in done.stdout
    for more in (["--plot", tmp_path / "a.pdf"], ["--plot", tmp_path / "a.svg", "--ablate", "tile,keyframe-interval"]):
        assert vsr(*arguments, *more).returncode == 2
