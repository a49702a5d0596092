"""Held-out frames are measured against the truth, made in each way as a job makes them, and so is what they cost."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.command import vsr
from tests.evaluate.make import figure, tiny_model
from vsrcli.engine.engine import Engine
from vsrcli.engine.plan import Plan
from vsrcli.engine.tensors import TensorEngine
from vsrcli.errors import UsageError
from vsrcli.evaluate.clips import Pair, choose_clips, pairs
from vsrcli.evaluate.evaluation import Setting
from vsrcli.evaluate.new_frames import made_by_flow, measure, with_means
from vsrcli.levels import to_levels, to_unit
from vsrcli.nets.recurrent import RecurrentNet
from vsrcli.quality.metrics import planes, psnr

CPU = torch.device("cpu")


def still(first: Tensor, second: Tensor) -> Tensor:
    return first.new_zeros(1, 2, *first.shape[-2:])


def result(net: RecurrentNet, small: list[Tensor]) -> list[Tensor]:
    return list(TensorEngine(Engine(net, Plan(window=None), CPU, detector=None), bit_depth=8).upscale(small))


def quality(made: list[Tensor], truth: list[Tensor]) -> float:
    values = [float(psnr(planes(to_unit(a)), planes(to_unit(b)))) for a, b in zip(made, truth, strict=True)]
    return sum(values) / len(values)


def frames_of(clip: Path) -> list[Pair]:
    return list(pairs(choose_clips(clip, ["first"])[0], "bi", 4, limit=3))


def test_each_way_gives_what_it_says(net: RecurrentNet, two_clips: Path) -> None:
    clips, frames = choose_clips(two_clips, ["first"]), frames_of(two_clips)
    rows = {row["way"]: row for row in measure("fps", clips, net, still, Setting("bi", 4), CPU)}
    assert list(rows) == ["results blended", "repeated", "blended", "by flow", "true small frame"]
    alone = result(net, [frames[0].lr, frames[2].lr])
    mean = to_levels((to_unit(alone[0]) + to_unit(alone[1])) / 2)
    assert figure(rows["results blended"], "psnr") == pytest.approx(quality([mean], [frames[1].hr]))
    true = result(net, [frame.lr for frame in frames])
    truth = [frame.hr for frame in frames]
    assert figure(rows["repeated"], "psnr") == pytest.approx(quality(alone[:1], truth[1:2]))
    assert figure(rows["true small frame"], "psnr") == pytest.approx(quality(true[1:2], truth[1:2]))
    assert figure(rows["repeated"], "own_loss") == 0
    lost = quality(alone, truth[::2]) - quality(true[::2], truth[::2])
    assert figure(rows["true small frame"], "own_loss") == pytest.approx(lost, abs=1e-6)
    assert rows["true small frame"]["small"] == float("inf")
    blended = quality([to_levels((frames[0].lr + frames[2].lr) / 2)], [frames[1].lr])
    assert figure(rows["blended"], "small") == pytest.approx(blended, abs=1e-3)
    assert figure(rows["by flow"], "small") == pytest.approx(
        blended, abs=1
    )  # without motion they differ in how halves are rounded


def test_a_new_frame_is_the_jobs_and_at_a_cut_the_frame_before(two_clips: Path) -> None:
    frames = [frame.lr for frame in frames_of(two_clips)]
    dark = torch.zeros_like(frames[0])
    stripes = torch.tensor([0.2, 0.6, 0.9]).reshape(3, 1, 1).expand_as(dark).clone()
    stripes[..., ::2] = 1 - stripes[..., ::2]
    made = made_by_flow([*[dark] * 6, *[stripes] * 6], still, CPU)
    assert len(made) == 11 and torch.equal(made[5], dark)
    assert all((frame - stripes).abs().max() < 1 / 255 for frame in made[6:])


def test_frames_shown_twice_are_run_or_held(net: RecurrentNet, two_clips: Path) -> None:
    clips, frames = choose_clips(two_clips, ["first"]), frames_of(two_clips)
    rows = {row["way"]: row for row in measure("twos", clips, net, still, Setting("bi", 4), CPU)}
    twice = [frame for frame in (frames[0], frames[2]) for _ in range(2)]
    run = result(net, [frame.lr for frame in twice])
    assert figure(rows["run"], "psnr") == pytest.approx(quality(run, [frame.hr for frame in twice]))
    assert set(rows) == {"run", "held"}


def test_means_are_over_clips_and_one_frame_is_too_few(net: RecurrentNet, two_clips: Path) -> None:
    rows = with_means(measure("fps", choose_clips(two_clips), net, still, Setting("bi", 4, limit=3), CPU))
    assert [row["clip"] for row in rows] == ["first"] * 5 + ["second"] * 5 + ["mean"] * 5
    assert figure(rows[11], "psnr") == pytest.approx((figure(rows[1], "psnr") + figure(rows[6], "psnr")) / 2)
    with pytest.raises(UsageError, match="too few frames"):
        measure("fps", choose_clips(two_clips), net, still, Setting("bi", 4, limit=2), CPU)


@pytest.mark.slow
def test_one_command_prints_the_table(two_clips: Path, tmp_path: Path) -> None:
    arguments = ["evaluate", "-m", tiny_model(tmp_path / "tiny.safetensors"), "--data", two_clips, "--ablate"]
    done = vsr(*arguments, "fps,twos", "--frames", "3")
    if done.returncode and "basicvsr" in done.stderr:
        pytest.skip("the model whose flow is used is not here")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("by flow") == 3 and "held" in done.stdout
    assert vsr(*arguments, "fps,tile").returncode == 2
