"""Results that are not finite or whose detail grows without bound are always reported."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from tests.engine.test_engine import CPU, moving_clip, run
from vsrcli.engine.engine import Engine
from vsrcli.engine.plan import Plan
from vsrcli.engine.tensors import TensorEngine
from vsrcli.engine.watch import DetailWatch
from vsrcli.errors import WeightsError
from vsrcli.nets.basicvsr import BasicVSR
from vsrcli.nets.realbasicvsr import RealBasicVSR
from vsrcli.nets.repvsr import RepVSR


def overflowing(scale: float) -> RepVSR:
    """Return a net whose features exceed float16's range, and whose frames are the bicubic upsampling."""
    torch.manual_seed(0)
    net = RepVSR(8, 1).eval().requires_grad_(False)
    net.get_parameter("srnet.head.weight").zero_()
    net.get_parameter("srnet.head.bias").fill_(scale)
    net.get_parameter("srnet.tail.weight").zero_()
    return net


def test_overflow_switches_to_float32_with_one_message() -> None:
    lines: list[str] = []
    frames = moving_clip(4, 16, 16)
    expected = run(Engine(overflowing(3e5), Plan(window=2, lookahead=0), CPU, detector=None), frames)
    net = overflowing(1.0)
    net.set_precision(torch.float16)
    net.get_parameter("srnet.head.bias").fill_(float("inf"))  # what 3e5 is in float16
    with pytest.raises(WeightsError, match="frame 0"):  # and in float32 it still is
        run(Engine(net, Plan(window=2, lookahead=0), CPU, detector=None, say=lines.append), frames)
    assert len(lines) == 1 and "float16 overflows at frame 0" in lines[0]
    assert expected.isfinite().all()


def test_overflowing_products_are_computed_again_in_float32() -> None:
    lines: list[str] = []
    frames = moving_clip(4, 16, 16)

    def net() -> RepVSR:
        made = overflowing(1e4)
        made.get_parameter("srnet.body.0.conv1.weight").fill_(1.0)  # 1e4 * 8 * 9 is above 65504
        made.get_parameter("srnet.body.0.conv2.weight").zero_()
        return made

    exact = run(Engine(net(), Plan(window=2, lookahead=0), CPU, detector=None), frames)
    fast = net()
    fast.set_precision(torch.float16)
    made = run(Engine(fast, Plan(window=2, lookahead=0), CPU, detector=None, say=lines.append), frames)
    assert len(lines) == 1 and "such windows run in float32" in lines[0]
    assert made.isfinite().all() and (made - exact).abs().max() < 1e-3
    assert fast.compute_dtype == torch.float16  # the next window is tried in the fast way again


def stretched(frames: Tensor, gain: float) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Return LR frames, and HR frames whose detail grows by `gain` a frame."""
    checks = torch.ones(1, 1, 64, 64)
    checks[..., ::2, 1::2] = checks[..., 1::2, ::2] = -1
    for number, lr in enumerate(frames):
        base = torch.nn.functional.interpolate(lr[None], scale_factor=4, mode="bilinear")[0]
        yield number, lr, base + 0.02 * gain**number * checks[0]


@pytest.mark.parametrize("gain,alarms", [(1.0, 0), (1.03, 1)])
def test_growing_detail_raises_the_alarm_once(gain: float, alarms: int) -> None:
    still = moving_clip(1, 16, 16).expand(120, -1, -1, -1)
    watch = DetailWatch(4)
    assert sum(watch.runs_away(number, 0, lr, hr) for number, lr, hr in stretched(still, gain)) == alarms


def test_each_scene_is_measured_separately() -> None:
    watch = DetailWatch(4)
    lr, hr = moving_clip(1, 16, 16)[0], torch.rand(3, 64, 64)
    assert not any(watch.runs_away(number, 0, lr, 0.1 * hr) for number in range(30))
    assert not any(watch.runs_away(number, 30, lr, hr) for number in range(30, 60))


@pytest.mark.parametrize("stop", [10, 40, 110])
def test_restored_watch_raises_the_alarm_at_the_same_frame(stop: int) -> None:
    frames = list(stretched(moving_clip(1, 16, 16).expand(120, -1, -1, -1), 1.03))
    watch = DetailWatch(4)
    expected = [number for number, lr, hr in frames if watch.runs_away(number, 0, lr, hr)]
    first, second = DetailWatch(4), DetailWatch(4)
    alarms = [number for number, lr, hr in frames[: stop + 1] if first.runs_away(number, 0, lr, hr)]
    second.restore(first.checkpoint())
    alarms += [number for number, lr, hr in frames[stop:] if second.runs_away(number, 0, lr, hr)]
    assert alarms == expected


def test_fade_in_raises_no_alarm() -> None:
    textured = moving_clip(1, 16, 16)[0]
    frames = torch.stack([min(1.0, max(0, number - 24) / 20) * textured for number in range(80)])
    watch = DetailWatch(4)
    for number, lr in enumerate(frames):
        hr = torch.nn.functional.interpolate(lr[None], scale_factor=4, mode="bicubic")[0]
        checks = torch.ones(64, 64)
        checks[::2, 1::2] = checks[1::2, ::2] = -1
        assert not watch.runs_away(number, 0, lr, hr + 0.05 * lr.mean() * checks)


def test_engine_warning_names_the_frame() -> None:
    lines: list[str] = []
    torch.manual_seed(0)
    net = RepVSR(8, 1).eval().requires_grad_(False)
    engine = Engine(net, Plan(window=1, lookahead=0), CPU, detector=None, say=lines.append)
    for _ in range(60):
        for _ in TensorEngine(engine).push(moving_clip(1, 32, 32)[0]):
            net.get_parameter("srnet.tail.weight").mul_(1.05)  # the result's detail grows as a bad recurrence's does
    assert len(lines) == 1 and "more and more detail" in lines[0]


def bursting(net: BasicVSR, trunk: nn.Module) -> BasicVSR:
    """Return the net with weights rounded to float16 and a trunk whose sums exceed float16's range."""
    net.eval().requires_grad_(False)
    trunk.get_parameter("main.0.bias").fill_(1e4)
    trunk.get_parameter("main.2.0.conv1.weight").fill_(1.0)  # 1e4 * 4 * 9 is above 65504
    trunk.get_parameter("main.2.0.conv2.weight").zero_()
    for parameter in net.parameters():
        parameter.copy_(parameter.half())
    return net


@pytest.mark.parametrize("kind,exact", [("cleaned frames", False), ("swept states", True)])
def test_overflow_in_an_earlier_branch_is_computed_again(kind: str, exact: bool) -> None:
    def make() -> BasicVSR:
        torch.manual_seed(0)
        if kind == "swept states":
            net = BasicVSR(4, 1)
            return bursting(net, net.backward_trunk)
        cleaning = RealBasicVSR(4, 1, cleaning_blocks=1)
        cleaning.get_parameter("image_cleaning.1.weight").data.zero_()
        return bursting(cleaning, cleaning.image_cleaning[0])

    frames, plan = moving_clip(2, 8, 8), Plan(window=1, lookahead=1, exact=exact)
    expected = run(Engine(make(), plan, CPU, detector=None), frames)
    fast, lines = make(), list[str]()
    fast.set_precision(torch.float16)
    made = run(Engine(fast, plan, CPU, detector=None, say=lines.append), frames)
    assert len(lines) == 1 and "such windows run in float32" in lines[0]
    torch.testing.assert_close(made, expected)
    assert fast.compute_dtype == torch.float16
