"""FRVSR against reference vectors, with both kinds of upsampling."""

from pathlib import Path

import pytest
import torch

from tests.nets.golden import Golden, key_list, load_filled, needs_golden
from tests.nets.states import run
from vsrcli.nets.frvsr import FRVSR
from vsrcli.zoo import load

pytestmark = needs_golden


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["fp32", "fp64"])
@pytest.mark.parametrize(("case", "bicubic"), [("frvsr_bi", False), ("frvsr_bd", True)])
def test_the_net_matches_the_reference(case: str, bicubic: bool, dtype: torch.dtype) -> None:
    golden = Golden(case)
    net = load_filled(FRVSR(bicubic=bicubic), golden, dtype)
    assert isinstance(net, FRVSR)
    clip = golden.clip().to(dtype)
    out, _ = run(net, clip)
    before = [torch.zeros_like(clip[0, :1]), *clip[0].split(1)]
    with torch.inference_mode():
        flow = torch.cat([net.fnet(frame, last) for frame, last in zip(clip[0].split(1), before, strict=False)])
        full = {"out": out, "flow": flow, "enlarged_0": net.upsample_func(clip[0, :1])[0]}
    for name, info in golden.meta["arrays"].items():
        golden.check(name, full[info["of"]])


@pytest.mark.parametrize(("keys", "bicubic"), [("frvsr_bi", False), ("frvsr_bd", True)])
def test_kind_of_upsampling_is_read_from_the_checkpoint(keys: str, bicubic: bool, tmp_path: Path) -> None:
    rows = [line.split("\t") for line in key_list(keys)]
    torch.save({key: torch.zeros([int(s) for s in shape.split("x")]) for key, shape, _ in rows}, tmp_path / "net.pth")
    loaded = load(tmp_path / "net.pth")
    assert loaded.arch == "frvsr"
    assert any(key.endswith("kernels") for key in loaded.net.state_dict()) == bicubic
