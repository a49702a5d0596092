"""The engine equals the net on the whole clip: in windows, as a stream, in tiles, across cuts, after a restart."""

import weakref

import pytest
import torch
from torch import Tensor

from tests.toy import SmallMemory, Toy
from vsrcli.engine.engine import Engine
from vsrcli.engine.plan import Plan
from vsrcli.engine.retry import is_out_of_memory
from vsrcli.engine.tensors import TensorEngine
from vsrcli.engine.tiles import tile_grid
from vsrcli.errors import OutOfMemoryError
from vsrcli.nets.basicvsr import BasicVSR
from vsrcli.nets.recurrent import RecurrentNet

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def net() -> RecurrentNet:
    return Toy()


@pytest.fixture(scope="module")
def real() -> RecurrentNet:
    """Return BasicVSR with random weights."""
    torch.manual_seed(0)
    net = BasicVSR(8, 2).eval().requires_grad_(False)
    for level in range(len(net.spynet.basic_module)):
        net.get_parameter(f"spynet.basic_module.{level}.basic_module.8.weight").mul_(0.1)
    return net


def moving_clip(frames: int, h: int = 40, w: int = 56, seed: int = 0) -> Tensor:
    """Return a clip (t, 3, h, w) of smooth noise that moves by a pixel a frame."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(1, 3, h + frames, w + frames, generator=generator)
    smooth = torch.nn.functional.avg_pool2d(noise, 5, 1, 2)[0]
    return torch.stack([smooth[:, i : i + h, i : i + w] for i in range(frames)])


def run(engine: Engine, frames: Tensor) -> Tensor:
    return torch.stack(list(TensorEngine(engine).upscale(frames)))


def whole(net: RecurrentNet, frames: Tensor) -> Tensor:
    with torch.inference_mode():
        hr: Tensor = net(frames[None])[0]
        return hr


def test_clip_mode_equals_the_net_on_the_whole_clip(net: RecurrentNet) -> None:
    frames = moving_clip(7)
    torch.testing.assert_close(run(Engine(net, Plan(window=None), CPU), frames), whole(net, frames))


def test_windows_of_a_real_net_with_full_lookahead_equal_the_whole_clip(real: RecurrentNet) -> None:
    frames = moving_clip(5, 32, 36)
    expected = whole(real, frames)
    torch.testing.assert_close(run(Engine(real, Plan(window=None), CPU), frames), expected)
    out = run(Engine(real, Plan(window=2, lookahead=5), CPU), frames)
    torch.testing.assert_close(out, expected, atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("window", [1, 3, 4, 7, 20])
def test_windows_with_full_lookahead_equal_the_whole_clip(net: RecurrentNet, window: int) -> None:
    frames = moving_clip(11)
    out = run(Engine(net, Plan(window=window, lookahead=11), CPU), frames)
    torch.testing.assert_close(out, whole(net, frames), atol=2e-6, rtol=1e-5)


def test_short_lookahead_changes_only_a_little_and_no_frame_is_lost(net: RecurrentNet) -> None:
    frames = moving_clip(10)
    out = run(Engine(net, Plan(window=3, lookahead=2), CPU), frames)
    assert out.shape[0] == 10
    assert 1e-4 < (out - whole(net, frames)).abs().max() < 0.05


def test_propagation_never_crosses_a_cut(net: RecurrentNet) -> None:
    first, second = moving_clip(5, seed=1) * 0.3, 0.6 + 0.4 * moving_clip(6, seed=2)
    out = run(Engine(net, Plan(window=4, lookahead=8), CPU), torch.cat([first, second]))
    torch.testing.assert_close(out[:5], whole(net, first), atol=2e-6, rtol=1e-5)
    torch.testing.assert_close(out[5:], whole(net, second), atol=2e-6, rtol=1e-5)


def test_frames_are_returned_as_soon_as_their_lookahead_is_known(net: RecurrentNet) -> None:
    engine = Engine(net, Plan(window=2, lookahead=3), CPU, detector=None)  # so small, any frame may be a cut, and waits
    ready = [len(list(TensorEngine(engine).push(frame))) for frame in moving_clip(8)]
    assert ready == [0, 0, 0, 0, 2, 0, 2, 0]
    assert len(list(TensorEngine(engine).flush())) == 4


@pytest.mark.parametrize("stop_after", [1, 4, 6, 9])
def test_restored_engine_gives_identical_frames(net: RecurrentNet, stop_after: int) -> None:
    frames = torch.cat([moving_clip(6, seed=3) * 0.3, 0.6 + 0.4 * moving_clip(8, seed=4)])
    plan = Plan(window=3, lookahead=2)
    expected = run(Engine(net, plan, CPU), frames)

    engine, seen = Engine(net, plan, CPU), 0
    for frame in frames:
        seen += len(list(TensorEngine(engine).push(frame)))
        if seen >= stop_after:
            break
    saved = {name: tensor.clone() for name, tensor in engine.checkpoint().items()}
    resumed = Engine(net, plan, CPU)
    resumed.restore(saved)
    start = resumed.next_frame
    torch.testing.assert_close(run(resumed, frames[start:]), expected[start:], atol=0, rtol=0)


def test_tiles_agree_with_the_whole_frame_away_from_borders(real: RecurrentNet) -> None:
    frames = moving_clip(2, 32, 64)
    tiled = run(Engine(real, Plan(window=1, lookahead=1, tile=(32, 40), halo=24), CPU), frames)
    untiled = run(Engine(real, Plan(window=1, lookahead=1), CPU), frames)
    assert 0 < (tiled - untiled).abs().max() < 2e-3


def test_blending_weights_add_up_to_one() -> None:
    total = torch.zeros(4 * 70, 4 * 101)
    for tile in tile_grid(70, 101, (40, 33), halo=12, multiple=4):
        tile.crop(total, 4).add_(tile.weights(4))
    torch.testing.assert_close(total, torch.ones_like(total))


def test_out_of_memory_leads_to_smaller_tiles() -> None:
    net = SmallMemory()
    lines: list[str] = []
    engine = Engine(net, Plan(window=3, lookahead=1, halo=8), CPU, say=lines.append)
    frames = moving_clip(4, 32, 160)
    assert run(engine, frames).shape == (4, 3, 128, 640)
    assert engine.plan.tile is not None
    assert "out of memory" in lines[0]


@pytest.mark.parametrize("exact", [False, True])
def test_memory_is_released_before_smaller_tiles_are_tried(exact: bool) -> None:
    held: list[weakref.ref[Tensor]] = []

    class FillsMemory(SmallMemory):
        def propagate(self, branch, features, flow, state):  # type: ignore[no-untyped-def]
            large = torch.zeros(3)
            held.append(weakref.ref(large))
            return super().propagate(branch, features, flow, state)

    net = FillsMemory()
    alive: list[bool] = []
    engine = Engine(
        net,
        Plan(window=3, lookahead=1, halo=8, exact=exact),
        CPU,
        say=lambda line: alive.append(held[-1]() is not None),
    )
    run(engine, moving_clip(5, 32, 160))
    assert alive and not any(alive)


def test_no_tile_small_enough_raises_one_clear_error() -> None:
    net = SmallMemory()
    engine = Engine(net, Plan(window=3, lookahead=1, halo=64), CPU)
    with pytest.raises(OutOfMemoryError, match="64x64"):
        run(engine, moving_clip(2, 32, 300))
    assert is_out_of_memory(MemoryError())


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("MPS backend out of memory (MPS allocated: 17.95 GiB)", True),
        ("CUDA error: out of memory", True),
        ("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`", True),
        ("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory", True),
        ("CUDA error: an illegal memory access was encountered", False),
        ("The size of tensor a (3) must match the size of tensor b (4)", False),
    ],
)
def test_out_of_memory_is_recognised_on_every_device(message: str, expected: bool) -> None:
    assert is_out_of_memory(RuntimeError(message)) is expected
