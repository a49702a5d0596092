"""Modulated deformable convolution against reference vectors and against plain convolutions."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.nets.golden import Golden, needs_golden
from vsrcli.nets import deform

CASES = ["dcn_g2", "dcn_edges", "dcn_stride2_dil2"]


def deform_conv2d(x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, bias: Tensor, **shape: int) -> Tensor:
    """Call the operator with offsets and masks that exist already."""
    groups = mask.shape[1] // (weight.shape[2] * weight.shape[3])
    size = (offset.shape[-2], offset.shape[-1])

    def taps(rows: slice) -> tuple[Tensor, Tensor]:
        return offset[:, :, rows], mask[:, :, rows]

    return deform.deform_conv2d(x, taps, weight, bias, groups=groups, size=size, **shape)


@needs_golden
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["fp32", "fp64"])
@pytest.mark.parametrize("case", CASES)
def test_matches_the_reference(case: str, dtype: torch.dtype) -> None:
    golden = Golden(case)
    args = [golden.stored[name].to(dtype) for name in ("x", "offset", "mask", "weight", "bias")]
    ctor = golden.meta["ctor"]
    shape = {"stride": ctor["stride"], "padding": ctor["pad"], "dilation": ctor["dil"]}
    golden.check("out", deform_conv2d(*args, **shape))


def case(groups: int, *, h: int = 11, w: int = 13) -> list[Tensor]:
    torch.manual_seed(3)
    x, weight, bias = torch.randn(2, 16, h, w), torch.randn(8, 16, 3, 3), torch.randn(8)
    offset, mask = torch.randn(2, 18 * groups, h, w) * 3, torch.rand(2, 9 * groups, h, w)
    return [t.double() for t in (x, offset, mask, weight, bias)]


@pytest.mark.parametrize("groups", [1, 4, 16])
def test_zero_offsets_and_unit_masks_equal_a_plain_convolution(groups: int) -> None:
    x, offset, mask, weight, bias = case(groups)
    out = deform_conv2d(x, torch.zeros_like(offset), torch.ones_like(mask), weight, bias)
    torch.testing.assert_close(out, F.conv2d(x, weight, bias, padding=1), rtol=0, atol=1e-12)


def test_strips_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    args = case(4)
    whole = deform_conv2d(*args)
    monkeypatch.setattr(deform, "STRIP_CPU", 2 * 16 * 9 * 13 * 2)  # two rows at a time of eleven
    torch.testing.assert_close(deform_conv2d(*args), whole, rtol=0, atol=1e-13)


def test_gradients_match_finite_differences() -> None:
    args = [t[:1] if t.dim() == 4 and t.shape[0] == 2 else t for t in case(2, h=4, w=3)]
    leaves = [t.clone().requires_grad_() for t in args]
    assert torch.autograd.gradcheck(lambda *a: deform_conv2d(*a), leaves, atol=1e-5, fast_mode=True)


def test_half_precision_weights_keep_coordinates_in_float32() -> None:
    x, offset, mask, weight, bias = (t.float() for t in case(4))
    exact = deform_conv2d(x, offset, mask, weight, bias)
    out = deform_conv2d(x, offset, mask, weight.bfloat16(), bias.bfloat16())
    assert out.dtype == torch.bfloat16
    assert (out.float() - exact).abs().max() < 0.02 * exact.abs().max()
