"""RSDN against reference vectors."""

import pytest
import torch
import torch.nn.functional as F

from tests.nets.golden import Golden, load_filled, needs_golden
from tests.nets.states import run
from vsrcli.nets.rsdn import RSDN, extract_structure

pytestmark = needs_golden


@pytest.mark.parametrize(("case", "dtype"), [("rsdn", torch.float32), ("rsdn_n3", torch.float64)], ids=["fp32", "fp64"])
def test_the_net_matches_the_reference(case: str, dtype: torch.dtype) -> None:
    golden = Golden(case)
    net = load_filled(RSDN(), golden, dtype)
    assert isinstance(net, RSDN)
    hidden: dict[str, list[torch.Tensor]] = {"hd": [], "hs": []}
    net.neuro.conv_hd.register_forward_hook(lambda module, args, out: hidden["hd"].append(F.leaky_relu(out[0], 0.1)))
    net.neuro.conv_hs.register_forward_hook(lambda module, args, out: hidden["hs"].append(F.leaky_relu(out[0], 0.1)))
    clip = golden.clip().to(dtype)
    out, states = run(net, clip)
    full = {
        "out": out,
        "structure": extract_structure(clip[0]),
        "out_d": torch.cat([F.pixel_shuffle(state[1], 4) for state in states]),
        "out_s": torch.cat([F.pixel_shuffle(state[2], 4) for state in states]),
        "hd_first": hidden["hd"][0],
        "hd_last": hidden["hd"][-1],
        "hs_last": hidden["hs"][-1],
    }
    for name, info in golden.meta["arrays"].items():
        golden.check(name, full[info["of"]])
