"""Exact propagation gives, window by window, the result of the net on whole scenes."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from tests.engine.test_engine import CPU, moving_clip, run
from tests.toy import SmallMemory, Toy, ToyTwice
from vsrcli.engine.engine import Engine
from vsrcli.engine.plan import Plan
from vsrcli.engine.tensors import TensorEngine
from vsrcli.nets.basicvsr import BasicVSR
from vsrcli.nets.basicvsrpp import BasicVSRPP
from vsrcli.nets.iconvsr import IconVSR
from vsrcli.nets.recurrent import RecurrentNet, State
from vsrcli.nets.repvsr import RepVSR

Make = Callable[[], RecurrentNet]


def lively(make: Make) -> RecurrentNet:
    """Return a net with random weights whose states reach far, so that far frames change the result."""
    torch.manual_seed(2)
    net = make().eval().requires_grad_(False)
    for parameter in net.parameters():
        if parameter.any():
            parameter.mul_(1.3)
        else:
            nn.init.normal_(parameter, std=0.05)
    return net


def plus_plus() -> RecurrentNet:
    """Return BasicVSR++ for frames of any size; the published one enlarges them to 64."""
    net = BasicVSRPP(8, 1)
    net.min_size = 1
    return net


def whole_scene(net: RecurrentNet, frames: Tensor) -> Tensor:
    with torch.inference_mode():
        hr: Tensor = net(frames[None])[0]
        return hr


@pytest.mark.parametrize(
    ("make", "window"),
    [
        *((toy, window) for toy in (Toy, ToyTwice) for window in (1, 4)),
        (lambda: BasicVSR(8, 1), 2),
        (lambda: IconVSR(8, 1), 2),
        (plus_plus, 2),
        (lambda: RepVSR(8, 1), 1),
    ],
    ids=["toy-1", "toy-4", "twice-1", "twice-4", "BasicVSR", "IconVSR", "BasicVSRPP", "RepVSR"],
)
def test_exact_propagation_equals_the_whole_scene_for_every_net(make: Make, window: int) -> None:
    net, frames = lively(make), moving_clip(10) if make in (Toy, ToyTwice) else moving_clip(3, 32, 36)
    out = run(Engine(net, Plan(window=window, exact=True), CPU), frames)
    torch.testing.assert_close(out, whole_scene(net, frames), atol=2e-6, rtol=1e-5)


def test_windows_with_short_lookahead_differ() -> None:
    net, frames = Toy(memory=0.6), moving_clip(10)
    out = run(Engine(net, Plan(window=3, lookahead=1), CPU), frames)
    assert (out - whole_scene(net, frames)).abs().max() > 1e-3


def test_each_scene_is_swept_separately_and_stores_are_emptied() -> None:
    net = Toy(memory=0.6)
    first, second = moving_clip(5, seed=1) * 0.3, 0.6 + 0.4 * moving_clip(8, seed=2)
    reports: list[tuple[int, int, int]] = []
    engine = Engine(net, Plan(window=4, exact=True), CPU, swept=lambda *report: reports.append(report))
    out = run(engine, torch.cat([first, second]))
    torch.testing.assert_close(out[:5], whole_scene(net, first), atol=2e-6, rtol=1e-5)
    torch.testing.assert_close(out[5:], whole_scene(net, second), atol=2e-6, rtol=1e-5)
    # windows end at 4, 5 (the cut), 8, 12 and 13; the first of a scene need not be swept
    assert reports == [(0, 1, 5), (1, 1, 5), (0, 5, 13), (1, 5, 13), (5, 5, 13)]
    assert not engine.state_store
    assert set(engine.frame_store) == {9, 10, 11, 12}  # what a scene detector needs to go on


class Counting(dict[str, State]):
    """A store that counts how often something was stored."""

    count = 0

    def __setitem__(self, name: str, state: State) -> None:
        self.count += 1
        super().__setitem__(name, state)


@pytest.mark.parametrize("make", [Toy, ToyTwice, lambda: IconVSR(8, 1)], ids=["toy", "twice", "IconVSR"])
def test_restored_engine_is_exact_and_repeats_no_sweep(make: Make) -> None:
    net, frames, plan = lively(make), moving_clip(4, 32, 32), Plan(window=1, exact=True)
    expected = run(Engine(net, plan, CPU), frames)

    states, sweeps = Counting(), len(net.branches) - 1
    engine = Engine(net, plan, CPU, state_store=states)
    for frame in frames:
        list(TensorEngine(engine).push(frame))
    ready = TensorEngine(engine).flush()
    for _ in range(2):  # the first window's, and the second's, whose state is not saved yet
        next(ready)
    saved = {name: tensor.clone() for name, tensor in engine.checkpoint().items()}
    assert states.count == 3 * sweeps

    resumed = Engine(net, plan, CPU, state_store=states)
    resumed.restore(saved)
    torch.testing.assert_close(run(resumed, frames[1:]), expected[1:], atol=0, rtol=0)
    assert states.count == 3 * sweeps


def test_sweeps_work_in_tiles_and_with_little_memory() -> None:
    net = SmallMemory()
    lines: list[str] = []
    engine = Engine(net, Plan(window=2, halo=8, exact=True), CPU, say=lines.append)
    out = run(engine, moving_clip(5, 32, 160))
    assert "out of memory" in lines[0]
    tiled = run(Engine(net, Plan(window=2, halo=8, tile=(40, 32), exact=True), CPU), moving_clip(5, 32, 160))
    assert (out - tiled).abs().max() < 2e-3
