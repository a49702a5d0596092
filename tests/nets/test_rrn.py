"""RRN against reference vectors."""

import pytest
import torch

from tests.nets.golden import Golden, key_list, load_filled, needs_golden
from tests.nets.states import run
from vsrcli.nets.rrn import RRN

pytestmark = needs_golden


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["fp32", "fp64"])
def test_the_net_matches_the_reference(dtype: torch.dtype) -> None:
    golden = Golden("rrn_10l")
    out, states = run(load_filled(RRN(), golden, dtype), golden.clip().to(dtype))
    full = {"out": out, "hidden_first": states[0][1][0], "hidden_last": states[-1][1][0]}
    for name, info in golden.meta["arrays"].items():
        golden.check(name, full[info["of"]])


def test_the_shallow_net_has_the_keys_of_the_reference() -> None:
    ours = [f"{key}\t{'x'.join(map(str, t.shape))}" for key, t in RRN(blocks=5).state_dict().items()]
    assert sorted(ours) == sorted(line.rsplit("\t", 1)[0] for line in key_list("rrn_5l"))
