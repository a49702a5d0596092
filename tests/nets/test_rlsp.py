"""RLSP against reference vectors, and its folding."""

import pytest
import torch

from tests.nets.golden import Golden, load_filled, needs_golden
from tests.nets.states import run
from vsrcli.nets.rlsp import RLSP, depth_to_space


@needs_golden
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["fp32", "fp64"])
def test_the_net_matches_the_reference(dtype: torch.dtype) -> None:
    golden = Golden("rlsp")
    out, states = run(load_filled(RLSP(), golden, dtype), golden.clip().to(dtype))
    full = {"out": out, "state_first": states[0][1][0], "state_last": states[-1][1][0]}
    for name, info in golden.meta["arrays"].items():
        golden.check(name, full[info["of"]])


def test_folded_channels_are_ordered_by_position_then_colour() -> None:
    folded = torch.arange(12.0).view(1, 12, 1, 1)
    assert depth_to_space(folded, 2)[0].tolist() == [[[c, 3 + c], [6 + c, 9 + c]] for c in range(3)]


def test_too_few_layers_are_rejected() -> None:
    with pytest.raises(ValueError, match="layers must be 3 or more"):
        RLSP(layers=2)
