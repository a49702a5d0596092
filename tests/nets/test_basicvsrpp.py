"""BasicVSR++ against reference vectors."""

import pytest
import torch
from torch import Tensor, nn

from tests.nets.golden import Golden, key_list, needs_golden
from vsrcli.nets.basicvsrpp import BasicVSRPP


def plain_key(key: str) -> str:
    """Return a key of mmagic's without its wrapper modules, with SPyNet's numbers as in BasicSR."""
    if not key.startswith("spynet.basic_module"):
        return key
    head, level, inner, number, _, kind = key.removeprefix("spynet.").split(".")
    return f"spynet.{head}.{level}.{inner}.{2 * int(number)}.{kind}"


def golden_net(golden: Golden) -> BasicVSRPP:
    net = BasicVSRPP(64, 2)
    state = {plain_key(key): value for key, value in golden.state_dict().items()}
    missing, unexpected = net.load_state_dict(state, strict=False)
    assert sorted(missing) == ["spynet.mean", "spynet.std"] and not unexpected
    return net.eval()


def recorded(module: nn.Module, calls: list[Tensor], *, inputs: bool = False) -> None:
    module.register_forward_hook(lambda _, args, out: calls.append(args[0] if inputs else out))


@needs_golden
@pytest.mark.parametrize(
    ("case", "dtype"),
    [
        pytest.param("basicvsrpp", torch.float32, id="fp32"),
        pytest.param("basicvsrpp_mirror", torch.float32, id="mirror-fp32"),
        pytest.param("basicvsrpp", torch.float64, id="fp64", marks=pytest.mark.slow),
        pytest.param("basicvsrpp_mirror", torch.float64, id="mirror-fp64", marks=pytest.mark.slow),
    ],
)
def test_matches_the_reference(case: str, dtype: torch.dtype) -> None:
    golden = Golden(case)
    net = golden_net(golden).to(dtype)
    features: list[Tensor] = []
    offsets: list[Tensor] = []
    recorded(net.reconstruction, features, inputs=True)
    recorded(net.get_submodule("deform_align.backward_1.conv_offset"), offsets)
    with torch.inference_mode():
        out = net(golden.clip().to(dtype))[0]
    golden.check("offset_backward_1_first", offsets[0][0])
    golden.check("offset_backward_1_last", offsets[-1][0])
    made = dict(zip(("spatial", *(b.name for b in net.branches)), torch.cat(features).chunk(5, 1), strict=True))
    for name, info in golden.meta["arrays"].items():
        if info["of"] in made:
            golden.check(name, made[info["of"]])
        elif info["of"] == "out":
            golden.check(name, out)


@needs_golden
def test_released_size_has_the_keys_of_the_reference() -> None:
    theirs = {plain_key(line.split("\t")[0]) for line in key_list("mmagic_basicvsrpp_c64n7")}
    net = BasicVSRPP()
    assert set(net.state_dict()) == theirs
    assert sum(p.numel() for p in net.parameters()) == 7_322_927


def small_net() -> BasicVSRPP:
    torch.manual_seed(7)
    return BasicVSRPP(16, 1).eval()


@pytest.mark.parametrize("count", [1, 2, 3])
def test_short_clips_and_small_frames_work(count: int) -> None:
    with torch.inference_mode():
        out = small_net()(torch.rand(1, count, 3, 20, 31))
    assert out.shape == (1, count, 3, 80, 124)
    assert out.isfinite().all()


def test_half_precision_keeps_flow_and_output_in_float32() -> None:
    net, clip = small_net(), torch.rand(1, 2, 3, 16, 16)
    net.min_size = 16  # convolutions in bf16 take minutes on CPUs that have none
    with torch.inference_mode():
        exact = net(clip)
        net.set_precision(torch.bfloat16)
        assert net.compute_dtype == torch.bfloat16
        out = net(clip)
    assert out.dtype == torch.float32
    assert (out - exact).abs().max() < 0.03
