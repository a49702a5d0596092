"""TDAN against reference vectors, under the authors' names and mmagic's."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.nets.golden import Golden, key_list, needs_golden
from vsrcli.nets.tdan import TDAN, window_numbers
from vsrcli.zoo import load

GOLDEN_CASE = "tdan_mmcv_edges"


def check(net: torch.nn.Module, golden: Golden, dtype: torch.dtype) -> None:
    assert isinstance(net, TDAN)
    net.to(dtype)
    aligned: list[Tensor] = []
    offsets: list[Tensor] = []
    net.dconv.conv_offset.register_forward_hook(lambda module, args, out: offsets.append(out[0]))
    net.fea_ex.register_forward_pre_hook(lambda module, args: aligned.append(args[0][0].unflatten(0, (5, 3))))
    with torch.inference_mode():
        out = net(golden.clip().to(dtype))[0]
    full = {"out": out, "aligned_mid": aligned[3], "offset4_first": offsets[0]}
    for name, info in golden.meta["arrays"].items():
        golden.check(name, full[info["of"]])


@needs_golden
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["fp32", "fp64"])
@pytest.mark.parametrize("names", ["authors", "mmagic"])
def test_checkpoint_matches_the_reference(names: str, dtype: torch.dtype, tmp_path: Path) -> None:
    golden = Golden(GOLDEN_CASE)
    state = golden.state_dict()
    if names == "mmagic":
        pairs = [line.split("\t") for line in key_list("map_tdan")]
        state = {f"generator.{theirs}": state[ours] for theirs, ours in pairs}
    torch.save({"state_dict": state}, tmp_path / "net.pth")
    loaded = load(tmp_path / "net.pth")
    assert loaded.arch == "tdan"
    check(loaded.net, golden, dtype)


@needs_golden
def test_windows_match_the_reference() -> None:
    windows = Golden(GOLDEN_CASE).meta["windows"]
    assert [window_numbers(n, len(windows)) for n in range(len(windows))] == windows


@pytest.mark.parametrize("count", [1, 2, 4])
def test_scenes_shorter_than_a_window_work(count: int) -> None:
    torch.manual_seed(0)
    with torch.inference_mode():
        out = TDAN(8, 1, 1).eval()(torch.rand(1, count, 3, 7, 10))
    assert out.shape == (1, count, 3, 28, 40) and out.isfinite().all()


def test_half_precision_keeps_pictures_and_output_in_float32() -> None:
    torch.manual_seed(0)
    net = TDAN(8, 1, 1).eval()
    clip = torch.rand(1, 2, 3, 8, 8)
    with torch.inference_mode():
        exact = net(clip)
        net.set_precision(torch.bfloat16)
        out = net(clip)
    assert out.dtype == torch.float32 and (out - exact).abs().mean() < 0.02
