"""RealBasicVSR against reference vectors, from the official file's layout, and in the engine."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.nets.golden import Golden, key_list, needs_golden
from vsrcli.engine.engine import Engine
from vsrcli.engine.plan import Plan
from vsrcli.engine.tensors import TensorEngine
from vsrcli.errors import WeightsError
from vsrcli.nets.basicvsr import BasicVSR
from vsrcli.nets.realbasicvsr import RealBasicVSR
from vsrcli.training.unroll import unroll
from vsrcli.zoo import formats, load

CPU = torch.device("cpu")


def built(golden: Golden, tmp_path: Path, passes: int) -> RealBasicVSR:
    """Return the net of a file in mmagic's format with `passes` cleaning passes."""
    state = {f"generator_ema.{key}": value for key, value in golden.state_dict().items()}
    architecture, config, own = formats.identify(formats.unwrap({"state_dict": state}, tmp_path), {}, tmp_path)
    net = architecture.build({**config, "passes": passes})
    formats.fill(net, own, "golden")
    assert isinstance(net, RealBasicVSR)
    return net.eval().requires_grad_(False)


@needs_golden
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["fp32", "fp64"])
@pytest.mark.parametrize("case", ["realbasicvsr", "realbasicvsr_seq_p2", "realbasicvsr_p3", "realbasicvsr_b20_p1"])
def test_the_net_matches_the_reference(case: str, dtype: torch.dtype, tmp_path: Path) -> None:
    """Compare with the reference, whose rule stops after a pass that changes little; here the number is given."""
    golden = Golden(case)
    net = built(golden, tmp_path, golden.meta["cleaning_passes"]).to(dtype)
    clip = golden.clip().to(dtype)
    residues: list[Tensor] = []
    net.image_cleaning.register_forward_hook(lambda module, args, out: residues.append(out))
    with torch.inference_mode():
        cleaned = net.prepare(clip[0])
        mean = torch.stack([residue.abs().mean() for residue in residues])
        out = net(clip)[0]
    small = mean < golden.meta["ctor"]["dynamic_refine_thres"] / 255
    needed = int(small.nonzero()[0]) + 1 if small.any() else 3
    assert needed == net.passes
    arrays = {"cleaned": cleaned, "residue_mean": mean, "out": out}
    for name, info in golden.meta["arrays"].items():
        golden.check(name, arrays[info["of"]])


@needs_golden
def test_the_official_layout_loads_its_averaged_weights_and_cleans_once(tmp_path: Path) -> None:
    rows = [line.split("\t") for line in key_list("mmagic_realbasicvsr_ckpt")]
    state = {key: torch.zeros([int(s) for s in shape.split("x")] if shape else []) for key, shape, _ in rows}
    ema = {key: torch.rand(value.shape) for key, value in state.items() if key.startswith("generator_ema.")}
    assert 0 < len(ema) < len(state) // 2
    extra = {"step_counter": torch.ones(1), "perceptual_loss.vgg.mean": torch.ones(3)}
    torch.save({"state_dict": {**state, **ema, **extra}, "meta": {}}, tmp_path / "net.pth")
    loaded = load(tmp_path / "net.pth")
    assert isinstance(loaded.net, RealBasicVSR) and loaded.arch == "realbasicvsr" and loaded.net.passes == 1
    assert torch.equal(loaded.net.conv_last.weight, ema["generator_ema.basicvsr.conv_last.weight"])
    assert torch.equal(loaded.net.get_parameter("image_cleaning.1.bias"), ema["generator_ema.image_cleaning.1.bias"])


def test_saved_files_keep_the_number_of_passes(tmp_path: Path) -> None:
    config = {"channels": 8, "blocks": 1, "cleaning_blocks": 1, "passes": 3}
    path = tmp_path / "net.safetensors"
    formats.save(path, RealBasicVSR(**config), arch="realbasicvsr", config=config)
    net = load(path).net
    assert isinstance(net, RealBasicVSR) and net.passes == 3
    formats.save(path, net, arch="realbasicvsr", config={**config, "passes": 4})
    with pytest.raises(WeightsError, match="passes must be from 1 to 3, not 4"):
        load(path)


@pytest.fixture
def net() -> RealBasicVSR:
    torch.manual_seed(0)
    net = RealBasicVSR(16, 1, cleaning_blocks=1, passes=2).eval().requires_grad_(False)
    for level in range(len(net.spynet.basic_module)):
        net.get_parameter(f"spynet.basic_module.{level}.basic_module.8.weight").mul_(0.1)
    return net


@pytest.mark.parametrize("plan", [Plan(window=None), Plan(window=3, lookahead=9), Plan(window=2, exact=True)])
def test_engine_equals_clip_and_cleans_each_frame_once(net: RealBasicVSR, plan: Plan) -> None:
    frames = torch.rand(7, 3, 24, 30)
    with torch.inference_mode():
        expected = net(frames[None])[0]
    cleaned: list[Tensor] = []
    net.image_cleaning.register_forward_hook(lambda module, args, out: cleaned.append(out))
    engine = Engine(net, plan, CPU, detector=None)
    out = torch.stack(list(TensorEngine(engine).upscale(frames)))
    torch.testing.assert_close(out, expected, atol=5e-6, rtol=1e-5)
    if plan.exact:
        assert len(cleaned) > 7 * net.passes  # what a sweep has prepared is not kept for the whole scene
    else:
        assert len(cleaned) == 7 * net.passes


def test_restored_engine_gives_identical_frames(net: RealBasicVSR) -> None:
    frames, plan = torch.rand(8, 3, 24, 30), Plan(window=3, lookahead=2)
    whole = Engine(net, plan, CPU, detector=None)
    expected = torch.stack(list(TensorEngine(whole).upscale(frames)))
    engine = Engine(net, plan, CPU, detector=None)
    for frame in frames[:5]:
        list(TensorEngine(engine).push(frame))
    resumed = Engine(net, plan, CPU, detector=None)
    resumed.restore(engine.checkpoint())
    start = resumed.next_frame
    assert start == 3
    out = torch.stack(
        [hr for frame in frames[start:] for hr in TensorEngine(resumed).push(frame)]
        + list(TensorEngine(resumed).flush())
    )
    assert torch.equal(out, expected[start:])


def test_training_equals_upscaling(net: RealBasicVSR) -> None:
    clip = torch.rand(2, 3, 3, 32, 32)
    torch.testing.assert_close(unroll(net, clip)[0], net(clip), atol=1e-5, rtol=1e-5)
    plain = BasicVSR(16, 1)
    plain.load_state_dict(net.state_dict(), strict=False)
    assert (plain(clip) - net(clip)).abs().max() > 1e-3


def test_half_precision_keeps_cleaned_frames_in_float32(net: RealBasicVSR) -> None:
    clip = torch.rand(1, 2, 3, 12, 12)  # bf16 is slow on a CPU without it
    exact = net(clip)
    net.set_precision(torch.bfloat16)
    half = net(clip)
    assert net.prepare(clip[0]).dtype == half.dtype == torch.float32
    assert (half - exact).abs().max() < 0.03
