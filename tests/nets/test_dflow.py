"""Difference-flow VSR against reference vectors."""

import pytest
import torch

from tests.nets.golden import Golden, load_filled, needs_golden
from tests.nets.states import run
from vsrcli.nets.dflow import DFlow


@needs_golden
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["fp32", "fp64"])
def test_the_net_matches_the_reference(dtype: torch.dtype) -> None:
    golden = Golden("dflow")
    net = load_filled(DFlow(), golden, dtype)
    out, states = run(net, golden.clip().to(dtype))
    backward, forward = states[5::-1], states[6:]
    full = {
        "out": out,
        "feat_backward_first": backward[0][0][0],
        "feat_forward_last": forward[-1][0][0],
        "flow_backward": torch.cat([state[2] for state in backward[:-1]]),
        "flow_forward": torch.cat([state[2] for state in forward[1:]]),
    }
    for name, info in golden.meta["arrays"].items():
        golden.check(name, full[info["of"]])


@pytest.mark.parametrize("count", [1, 2])
def test_short_scenes_and_small_frames_work(count: int) -> None:
    torch.manual_seed(0)
    with torch.inference_mode():
        out = DFlow(8, 1).eval()(torch.rand(1, count, 3, 9, 13))
    assert out.shape == (1, count, 3, 36, 52) and out.isfinite().all()


def test_half_precision_keeps_flow_and_output_in_float32() -> None:
    torch.manual_seed(0)
    net = DFlow(8, 1).eval()
    clip = torch.rand(1, 3, 3, 20, 24)
    exact, _ = run(net, clip)
    net.set_precision(torch.bfloat16)
    out, states = run(net, clip)
    assert {out.dtype, *(tensor.dtype for state in states for tensor in state)} == {torch.float32}
    assert (out - exact).abs().mean() < 0.01
