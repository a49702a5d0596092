"""The horizon: no branch remembers longer, all ways of running a net agree, and still scenes stay still."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from tests.engine.test_engine import CPU, moving_clip, run
from tests.engine.test_exact import lively, plus_plus
from tests.toy import Toy, ToyTwice
from vsrcli.engine.engine import Engine
from vsrcli.engine.plan import Plan
from vsrcli.engine.tensors import TensorEngine
from vsrcli.nets.basicvsr import BasicVSR
from vsrcli.nets.horizon import Horizon
from vsrcli.nets.recurrent import RecurrentNet

Make = Callable[[], RecurrentNet]
SHORT = Horizon(frames=3, warmup=1)
LENGTH = 9

every_net = pytest.mark.parametrize(
    "make", [Toy, ToyTwice, lambda: BasicVSR(8, 1), plus_plus], ids=["toy", "twice", "BasicVSR", "BasicVSRPP"]
)


def upscaled(net: RecurrentNet, frames: Tensor, plan: Plan) -> Tensor:
    return run(Engine(net, plan, CPU, detector=None), frames)


@every_net
def test_no_frame_depends_on_frames_beyond_the_horizon(make: Make) -> None:
    net, frames = lively(make), moving_clip(LENGTH, 16, 20)
    reach = SHORT.frames * len(net.branches) // 2  # two branches go through the clip once in each direction
    bounded, unbounded = Plan(window=None, horizon=SHORT), Plan(window=None)
    before, papers = upscaled(net, frames, bounded), upscaled(net, frames, unbounded)
    for changed in (0, LENGTH - 1):
        other = frames.clone()
        other[changed] = other[changed].flip(-1)
        difference = (upscaled(net, other, bounded) - before).abs().amax((1, 2, 3))
        far = [n for n in range(LENGTH) if abs(n - changed) > reach]
        assert difference[far].max() == 0
        assert (upscaled(net, other, unbounded) - papers)[far].abs().max() > 0


@every_net
def test_windows_equal_the_whole_scene_exactly(make: Make) -> None:
    net, frames = lively(make), moving_clip(7, 16, 20)
    whole = upscaled(net, frames, Plan(window=None, horizon=SHORT))
    exact = upscaled(net, frames, Plan(window=2, exact=True, horizon=SHORT))
    torch.testing.assert_close(exact, whole, atol=2e-6, rtol=1e-5)


def test_tiles_agree_with_whole_frames_while_a_state_is_renewed() -> None:
    net, frames = lively(lambda: BasicVSR(8, 1)), moving_clip(6, 32, 40)
    plan = Plan(window=5, lookahead=2, horizon=SHORT)
    tiled = Plan(window=5, lookahead=2, horizon=SHORT, tile=(32, 32))
    torch.testing.assert_close(upscaled(net, frames, tiled), upscaled(net, frames, plan), atol=2e-3, rtol=1e-3)


def test_restored_engine_continues_while_a_state_is_renewed() -> None:
    net, frames, plan = Toy(memory=0.6), moving_clip(8), Plan(window=1, lookahead=2, horizon=SHORT)
    whole = upscaled(net, frames, plan)
    for stop in (2, 3, 4):
        first = Engine(net, plan, CPU, detector=None)
        done = 0
        for frame in frames:
            done += len(list(TensorEngine(first).push(frame)))
            if done == stop:
                break
        second = Engine(net, plan, CPU, detector=None)
        second.restore(first.checkpoint())
        rest = [hr for frame in frames[stop:] for hr in TensorEngine(second).push(frame)] + list(
            TensorEngine(second).flush()
        )
        torch.testing.assert_close(torch.stack(rest), whole[stop:], atol=2e-6, rtol=1e-5)


def test_young_state_is_faded_in_gradually() -> None:
    horizon = Horizon(frames=6, warmup=2)
    shares = [horizon.share(age) for age in range(8)]
    for period in (shares[:4], shares[4:]):
        assert period[:2] == [None, None]
        assert 0 < (period[2] or 0) < (period[3] or 0) < 1


def test_states_are_damped_only_where_nothing_moves() -> None:
    flow = torch.zeros(1, 2, 16, 16)
    flow[..., 12:] = 0.5
    factor = Horizon().damping(flow)
    assert factor[..., :8].max() == pytest.approx(0.2, abs=1e-3)
    assert factor[..., 12:].min() > 0.999 and factor[..., 10:].min() > 0.999  # borders keep their memory


@pytest.mark.parametrize("frames", [3, 45, 60])
def test_warm_up_fits_a_horizon_of_any_length(frames: int) -> None:
    horizon = Horizon.of(frames)
    assert horizon.frames == frames and 0 < horizon.warmup < horizon.period
