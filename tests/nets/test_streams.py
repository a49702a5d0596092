"""Streaming nets without lookahead: a stream, across a cut and in tiles, equals the clip; it can be restored."""

import pytest
import torch
from torch import Tensor

from tests.nets.golden import key_filled, needs_golden
from tests.nets.small import small
from vsrcli.engine.engine import Engine
from vsrcli.engine.plan import Plan
from vsrcli.engine.tensors import TensorEngine
from vsrcli.nets.recurrent import RecurrentNet

CPU = torch.device("cpu")
STREAM = Plan(window=1, lookahead=0)
ARCHS = ["rrn", "rlsp", "frvsr", "rsdn"]


@pytest.fixture(params=ARCHS, scope="module")
def net(request: pytest.FixtureRequest) -> RecurrentNet:
    """Return a small net whose parameters follow from their names; its flow, if any, stays below two pixels."""
    net = key_filled(small(request.param))
    for name, parameter in net.named_parameters():
        if name.startswith("fnet.flow"):
            parameter.data.mul_(0.05)
    assert isinstance(net, RecurrentNet)
    return net.requires_grad_(False)


def through(engine: Engine, frames: Tensor) -> Tensor:
    """Return all frames that an engine gives."""
    return torch.stack(list(TensorEngine(engine).upscale(frames)))


def whole(net: RecurrentNet, frames: Tensor) -> Tensor:
    """Return the frames upscaled as one clip."""
    with torch.inference_mode():
        hr: Tensor = net(frames[None])[0]
        return hr


@needs_golden
def test_stream_equals_clip_across_a_cut(net: RecurrentNet) -> None:
    first, second = torch.rand(3, 3, 18, 22) * 0.3, 0.6 + 0.4 * torch.rand(2, 3, 18, 22)
    out = through(Engine(net, STREAM, CPU), torch.cat([first, second]))
    torch.testing.assert_close(out[:3], whole(net, first), atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(out[3:], whole(net, second), atol=2e-5, rtol=1e-4)


@needs_golden
def test_a_stream_in_tiles_equals_whole_frames(net: RecurrentNet) -> None:
    frames = torch.rand(3, 3, 32, 96)
    tiled = through(Engine(net, Plan(window=1, lookahead=0, tile=(32, 32), halo=16), CPU, detector=None), frames)
    torch.testing.assert_close(tiled, whole(net, frames), atol=5e-5, rtol=1e-4)


@needs_golden
def test_restored_stream_gives_identical_frames(net: RecurrentNet) -> None:
    frames = torch.rand(5, 3, 18, 22)
    expected = through(Engine(net, STREAM, CPU, detector=None), frames)
    engine, seen = Engine(net, STREAM, CPU, detector=None), 0
    for frame in frames[:3]:
        seen += len(list(TensorEngine(engine).push(frame)))
    resumed = Engine(net, STREAM, CPU, detector=None)
    resumed.restore({name: tensor.clone() for name, tensor in engine.checkpoint().items()})
    assert torch.equal(through(resumed, frames[resumed.next_frame :]), expected[seen:])


@pytest.mark.parametrize("count", [1, 2])
def test_short_scenes_and_odd_sizes_work(net: RecurrentNet, count: int) -> None:
    out = whole(net, torch.rand(count, 3, 9, 13))
    assert out.shape == (count, 3, 9 * net.scale, 13 * net.scale) and out.isfinite().all()


def test_half_precision_keeps_states_and_output_in_float32(net: RecurrentNet) -> None:
    clip = torch.rand(1, 2, 3, 16, 16)
    before = {name: parameter.data for name, parameter in net.named_parameters()}
    states = []
    propagate = net.propagate
    net.propagate = lambda *args: states.append(r := propagate(*args)) or r  # type: ignore[method-assign,func-returns-value]
    with torch.inference_mode():
        exact = net(clip)
        net.set_precision(torch.bfloat16)
        out = net(clip)
    del net.propagate
    for name, parameter in net.named_parameters():
        parameter.data = before[name]
    assert {out.dtype, *(t.dtype for _, state in states for t in state)} == {torch.float32}
    assert (out - exact).abs().mean() < 0.02 * exact.abs().mean()
