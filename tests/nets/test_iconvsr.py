"""IconVSR against reference vectors; keyframes at any interval and in scenes of any length."""

import pytest
import torch
from torch import Tensor

from tests.nets.golden import GOLDEN, Golden, key_list, needs_golden
from vsrcli.nets.iconvsr import IconVSR, refill_numbers

CASES = ["iconvsr_p2_n11", "iconvsr_p2_n7", "iconvsr_p3_n11", "iconvsr_p3_n7", "iconvsr_mm_p2_n6"]


def golden_net(golden: Golden) -> IconVSR:
    ctor = golden.meta["ctor"]
    mmagic = golden.meta["key_format"] == "mmagic"
    padding, interval = (ctor["padding"] if mmagic else ctor["temporal_padding"]), ctor["keyframe_stride"]
    net = IconVSR(64, 2, padding=padding, keyframe_interval=interval)
    state = golden.state_dict()
    if mmagic:
        rows = (GOLDEN / "keys" / "map_iconvsr.tsv").read_text().splitlines()
        names = dict(row.split("\t") for row in rows)
        state = {names[key]: value for key, value in state.items()}
    missing, unexpected = net.load_state_dict(state, strict=False)
    assert sorted(missing) == ["spynet.mean", "spynet.std"] and not unexpected
    return net.eval()


@needs_golden
@pytest.mark.parametrize(
    ("case", "dtype"),
    [
        pytest.param("iconvsr_p2_n7", torch.float32, id="p2-n7-fp32"),
        pytest.param("iconvsr_p3_n7", torch.float32, id="p3-n7-fp32"),
        pytest.param("iconvsr_mm_p2_n6", torch.float32, id="mm-p2-n6-fp32"),
        pytest.param("iconvsr_p3_n7", torch.float64, id="p3-n7-fp64", marks=pytest.mark.slow),
        pytest.param("iconvsr_mm_p2_n6", torch.float64, id="mm-p2-n6-fp64", marks=pytest.mark.slow),
        pytest.param("iconvsr_p2_n7", torch.float64, id="p2-n7-fp64", marks=pytest.mark.slow),
        pytest.param("iconvsr_p2_n11", torch.float32, id="p2-n11-fp32", marks=pytest.mark.slow),
        pytest.param("iconvsr_p3_n11", torch.float32, id="p3-n11-fp32", marks=pytest.mark.slow),
        pytest.param("iconvsr_p2_n11", torch.float64, id="p2-n11-fp64", marks=pytest.mark.slow),
        pytest.param("iconvsr_p3_n11", torch.float64, id="p3-n11-fp64", marks=pytest.mark.slow),
    ],
)
def test_matches_the_reference(case: str, dtype: torch.dtype) -> None:
    golden = Golden(case)
    net = golden_net(golden).to(dtype)
    keyframes: list[Tensor] = []
    net.edvr.fusion.register_forward_hook(lambda module, args, out: keyframes.append(out))
    with torch.inference_mode():
        out = net(golden.clip().to(dtype))[0]
    golden.check("feat_keyframe", torch.cat(keyframes))
    for name, info in golden.meta["arrays"].items():
        if info["of"] == "out":
            golden.check(name, out)


@needs_golden
@pytest.mark.parametrize(("padding", "parameters"), [(2, 8_694_991), (3, 8_711_375)])
def test_released_sizes_have_the_keys_of_the_reference(padding: int, parameters: int) -> None:
    net = IconVSR(padding=padding)
    ours = [f"{key}\t{'x'.join(map(str, t.shape))}" for key, t in net.state_dict().items()]
    assert sorted(ours) == sorted(line.rsplit("\t", 1)[0] for line in key_list(f"basicsr_iconvsr_p{padding}"))
    assert sum(p.numel() for p in net.parameters()) == parameters


@needs_golden
@pytest.mark.parametrize("case", CASES)
def test_refill_windows_match_the_reference(case: str) -> None:
    meta = Golden(case).meta
    padding = meta["ctor"].get("padding") or meta["ctor"]["temporal_padding"]
    for number, window in zip(meta["keyframes"], meta["keyframe_windows"], strict=True):
        assert refill_numbers(number, padding, meta["clip"]["n"]) == window


@pytest.mark.parametrize("padding", [2, 3])
def test_windows_stay_within_the_context_whatever_the_length(padding: int) -> None:
    for length in range(1, 20):
        for number in range(length):
            numbers = refill_numbers(number, padding, length)
            assert all(0 <= n < length and abs(n - number) <= 2 * padding for n in numbers)
            assert numbers[padding] == number


def small_net(**settings: int) -> IconVSR:
    torch.manual_seed(5)
    return IconVSR(8, 1, **settings).eval()


def keyframes(net: IconVSR, length: int) -> list[int]:
    lr = list(torch.rand(length, 1, 3, 8, 8))
    with torch.inference_mode():
        return [n for n in range(length) if net.encode(lr, n, number=n, length=length)]


def test_interval_can_be_changed_at_run_time() -> None:
    net = small_net()
    assert keyframes(net, 8) == [0, 5, 7]
    net.keyframe_interval = 3
    assert keyframes(net, 8) == [0, 3, 6, 7]
    net.keyframe_interval = 1
    assert keyframes(net, 3) == [0, 1, 2]
    net.keyframe_interval = 0
    assert keyframes(net, 8) == []


def test_keyframes_depend_only_on_frame_number_and_scene_length() -> None:
    net, lr = small_net(), list(torch.rand(30, 1, 3, 8, 8))
    with torch.inference_mode():
        whole = {n: net.encode(lr, n, number=n, length=30) for n in range(30)}
        for n in range(30):
            first, stop = max(0, n - net.context), min(30, n + net.context + 1)
            part = net.encode(lr[first:stop], n - first, number=n, length=30 if stop == 30 else None)
            assert part.keys() == whole[n].keys()
            for name, feature in part.items():
                torch.testing.assert_close(feature, whole[n][name], rtol=0, atol=0)


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6])
@pytest.mark.parametrize("padding", [2, 3])
def test_any_number_of_frames_of_any_size_works(count: int, padding: int) -> None:
    net = small_net(padding=padding)
    with torch.inference_mode():
        out = net(torch.rand(1, count, 3, 9, 14))
    assert out.shape == (1, count, 3, 36, 56)
    assert out.isfinite().all()


def test_half_precision_keeps_flow_and_output_in_float32() -> None:
    net, clip = small_net(), torch.rand(1, 2, 3, 8, 8)
    with torch.inference_mode():
        exact = net(clip)
        net.set_precision(torch.bfloat16)
        assert net.compute_dtype == torch.bfloat16
        assert net.flow(clip[:, 0], clip[:, 1]).dtype == torch.float32
        out = net(clip)
    assert out.dtype == torch.float32
    assert (out - exact).abs().max() < 0.03
