"""EDVR-M against reference vectors, and EDVR as a net of its own at the ends of scenes."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.nets.golden import Golden, key_filled, key_list, load_filled, needs_golden
from vsrcli.engine.engine import Engine
from vsrcli.engine.plan import Plan
from vsrcli.engine.tensors import TensorEngine
from vsrcli.nets.edvr import EDVR, window_numbers
from vsrcli.nets.edvr_features import EDVRFeatureExtractor
from vsrcli.zoo.formats import identify


@needs_golden
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["fp32", "fp64"])
@pytest.mark.parametrize(("case", "frames"), [("edvr_p2", 5), ("edvr_p3", 7)])
def test_extractor_matches_the_reference(case: str, frames: int, dtype: torch.dtype) -> None:
    golden = Golden(case)
    net = load_filled(EDVRFeatureExtractor(64, frames), golden, dtype)
    assert isinstance(net, EDVRFeatureExtractor)
    aligned: list[Tensor] = []
    offsets: list[Tensor] = []
    net.pcd_align.register_forward_hook(lambda module, args, out: aligned.append(out))
    net.pcd_align.cas_dcnpack.conv_offset.register_forward_hook(lambda module, args, out: offsets.append(out))
    with torch.inference_mode():
        out = net.fuse(golden.clip().to(dtype).unbind(1))[0]
    golden.check("aligned", torch.cat(aligned))
    golden.check("cas_offset_0", offsets[0][0])
    golden.check("out", out)


@needs_golden
@pytest.mark.parametrize(
    ("case", "dtype"),
    [
        ("edvr_l", torch.float32),
        ("edvr_l_f7", torch.float64),
        ("edvr_l_wotsa", torch.float32),
        ("edvr_l_predeblur", torch.float64),
        ("edvr_l_deblur", torch.float32),
    ],
    ids=str,
)
def test_large_nets_match_the_reference(case: str, dtype: torch.dtype) -> None:
    golden = Golden(case)
    state = golden.state_dict()
    architecture, config, own = identify(state, {}, Path("net.pth"))
    ctor = golden.meta["ctor"]
    assert (architecture.name, config["channels"], config["frames"]) == ("edvr", 128, ctor["num_frame"])
    assert config["blocks"] == ctor["num_reconstruct_block"]
    net = architecture.build(config).to(dtype).eval()
    assert isinstance(net, EDVR)
    net.load_state_dict(own)
    frames = golden.clip().to(dtype).unbind(1)
    middle = len(frames) // 2
    seen: dict[str, list[Tensor]] = {"aligned": [], "predeblur": []}
    net.pcd_align.register_forward_hook(lambda module, args, out: seen["aligned"].append(out[0]))
    if config.get("deblur"):
        net.predeblur.register_forward_hook(lambda module, args, out: seen["predeblur"].append(out[0]))
    with torch.inference_mode():
        encoded = net.encode(frames, middle, number=middle, length=len(frames))
        feature, _ = net.propagate("window", encoded, None, None)
        out = net.reconstruct({"lr": frames[middle], "window": feature})[0]
    full = {"out": out, "fused": encoded["fused"][0]} | {k: torch.stack(v) for k, v in seen.items() if v}
    for name, info in golden.meta["arrays"].items():
        golden.check(name, full[info["of"]])


@needs_golden
def test_deblurred_frames_keep_their_size_through_the_engine() -> None:
    net = key_filled(EDVR(8, blocks=1, deblur=True, fine=True).eval(), 0.5)
    assert isinstance(net, EDVR)
    frames = torch.rand(6, 3, 18, 35)
    engine = Engine(net, Plan(window=1, lookahead=0), torch.device("cpu"), detector=None)
    out = list(TensorEngine(engine).upscale(frames))
    with torch.inference_mode():
        torch.testing.assert_close(torch.stack(out), net(frames[None])[0], atol=1e-5, rtol=1e-4)
    assert out[0].shape == frames[0].shape


@needs_golden
def test_whole_net_has_the_keys_and_shapes_of_the_reference() -> None:
    ours = [f"{key}\t{'x'.join(map(str, t.shape))}" for key, t in EDVR().state_dict().items()]
    assert sorted(ours) == sorted(line.rsplit("\t", 1)[0] for line in key_list("basicsr_edvr_m_full"))


def test_windows_at_scene_ends_hold_distinct_frames() -> None:
    assert [window_numbers(n, 2, 7) for n in (0, 1, 3, 5, 6)] == [
        [4, 3, 0, 1, 2],
        [4, 0, 1, 2, 3],
        [1, 2, 3, 4, 5],
        [3, 4, 5, 6, 2],
        [4, 5, 6, 3, 2],
    ]
    assert window_numbers(1, 2, None) == [4, 0, 1, 2, 3]
    assert window_numbers(0, 2, None, repeat=True) == [0, 0, 0, 1, 2]
    assert window_numbers(6, 2, 7, repeat=True) == [4, 5, 6, 6, 6]


@pytest.mark.parametrize("count", [1, 2, 4])
def test_scenes_shorter_than_a_window_work(count: int) -> None:
    net = EDVR(channels=8, blocks=1).eval()
    clip = torch.rand(1, count, 3, 9, 14)
    with torch.inference_mode():
        out = net(clip)
    assert out.shape == (1, count, 3, 36, 56)
    assert out.isfinite().all()


def test_half_precision_keeps_frames_and_output_in_float32() -> None:
    net = EDVR(channels=8, blocks=1).eval()
    clip = torch.rand(1, 2, 3, 8, 8)
    with torch.inference_mode():
        exact = net(clip)
        net.set_precision(torch.bfloat16)
        out = net(clip)
    assert out.dtype == torch.float32
    assert (out - exact).abs().max() < 0.03
