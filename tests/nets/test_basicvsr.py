"""SPyNet, warping and BasicVSR against the reference implementations."""

import pytest
import torch

from tests.nets.golden import Golden, load_filled, needs_golden
from vsrcli.nets.basicvsr import BasicVSR
from vsrcli.nets.layers import flow_warp
from vsrcli.nets.spynet import SpyNet

pytestmark = needs_golden
both_types = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["fp32", "fp64"])


@both_types
def test_flow_warp_matches_the_reference(dtype: torch.dtype) -> None:
    golden = Golden("flow_warp")
    for prefix in ("", "thin_"):
        x, flow = golden.stored[f"{prefix}x"].to(dtype), golden.stored[f"{prefix}flow"].to(dtype)
        flow = flow.permute(0, 3, 1, 2)  # stored as (n, h, w, 2)
        golden.check(f"{prefix}out", flow_warp(x, flow))
        golden.check(f"{prefix}out_border", flow_warp(x, flow, padding="border"))


@both_types
@pytest.mark.parametrize("case", ["spynet_64x64", "spynet_50x70"])
def test_spynet_matches_the_reference(case: str, dtype: torch.dtype) -> None:
    golden = Golden(case)
    net = load_filled(SpyNet(), golden, dtype)
    first, second = golden.clip()[0].to(dtype).split(1)
    with torch.inference_mode():
        golden.check("out", torch.cat([net(first, second), net(second, first)]))


@pytest.mark.parametrize(
    "dtype", [torch.float32, pytest.param(torch.float64, marks=pytest.mark.slow)], ids=["fp32", "fp64"]
)
def test_basicvsr_matches_the_reference(dtype: torch.dtype) -> None:
    golden = Golden("basicvsr_fill")
    net = load_filled(BasicVSR(64, 3), golden, dtype)
    with torch.inference_mode():
        out = net(golden.clip().to(dtype))[0]
    for name, info in golden.meta["arrays"].items():
        if info["of"] == "out":
            golden.check(name, out)
