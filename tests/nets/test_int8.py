"""Convolutions in int8 give what floats give that are rounded in the same places, and cost little in a net."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.nets.small import small
from vsrcli.engine.device import place
from vsrcli.evaluate.calibration import calibrate
from vsrcli.nets.basicvsr import BasicVSR
from vsrcli.nets.instructions import cpu_has_int8, dtype_beside_int8
from vsrcli.nets.int8 import Grid, Int8Conv
from vsrcli.nets.layers import Conv, ResidualBlock, upsample_detail
from vsrcli.nets.recurrent import RecurrentNet
from vsrcli.zoo.architectures import ARCHITECTURES

pytestmark = pytest.mark.skipif(not cpu_has_int8(), reason="this CPU has no instructions for int8")
CPU = torch.device("cpu")
WIDE, NARROW = (-3.0, 3.5), (0.0, 2.0)


def picture(channels: int = 16, h: int = 13, w: int = 10) -> Tensor:
    x = torch.randn(1, channels, h, w, generator=torch.Generator().manual_seed(0))
    return x.contiguous(memory_format=torch.channels_last)


def rounded(x: Tensor, grid: Grid) -> Tensor:
    """Return `x` as the grid's levels stand for it, in float64."""
    levels = (x.double() / grid.step).round() + grid.zero
    return (levels.clamp(0, 255) - grid.zero) * grid.step


def convolved(x: Tensor, conv: Conv) -> Tensor:
    """Convolve in float64 with weights of 8 bits for each output channel."""
    assert conv.bias is not None
    weight = conv.weight.detach().double()
    step = weight.abs().amax((1, 2, 3), keepdim=True) / 127
    return F.conv2d(x, (weight / step).round() * step, conv.bias.detach().double(), padding=1)


def conv_of(c_in: int, c_out: int, seed: int) -> Conv:
    torch.manual_seed(seed)
    return Conv(c_in, c_out, 3, padding=1).requires_grad_(False)


def test_levels_are_the_nearest_and_end_where_the_range_does() -> None:
    grid = Grid.over(WIDE)
    x = picture()
    levels = grid.levels(x)
    assert levels.dtype == torch.uint8 and levels.is_contiguous(memory_format=torch.channels_last)
    made = (levels.double() - grid.zero) * grid.step
    torch.testing.assert_close(made, rounded(x, grid), atol=1e-6, rtol=0)
    inside = x.clamp(*WIDE)
    assert (made - inside).abs().max() <= grid.step, "half a step, and at the ends another half"
    assert grid.levels(torch.zeros(1, 1, 1, 1)).item() == grid.zero, "0, with which borders are padded, is exact"
    assert Grid.over((0.5, 2.0)).zero == 0 and Grid.over((-2.0, -0.5)).zero == 255
    assert Grid.over((0.0, 0.0)).levels(torch.zeros(1, 1, 1, 1)).item() == 0, "a dead channel's range is no fault"


def test_a_convolution_is_that_of_rounded_numbers() -> None:
    conv, x = conv_of(16, 24, 1), picture()
    int8, after = Int8Conv(conv, WIDE), Grid.over(NARROW)
    levels = int8.grid.levels(x)
    exact = convolved(rounded(x, int8.grid), conv)
    torch.testing.assert_close(int8(levels).double(), exact, atol=1e-5, rtol=1e-5)
    assert int8(levels, torch.bfloat16).dtype == torch.bfloat16
    relu = (int8.relu_to(levels, after).double() - after.zero) * after.step
    expected = rounded(exact.relu(), after)
    assert ((relu - expected).abs() > 1e-6).double().mean() < 0.01, "but for ties"
    torch.testing.assert_close(relu, expected, atol=1.01 * after.step, rtol=0)
    conv.int8 = int8
    torch.testing.assert_close(conv(x).double(), exact, atol=1e-5, rtol=1e-5)


def test_a_convolution_whose_range_is_left_runs_in_floats() -> None:
    block, x = ResidualBlock(16).requires_grad_(False), picture(h=40, w=50)
    exact = block(x)
    for reach in ((-1.0, 1.0), (-0.001, 5.0), (-5.0, 0.0)):
        block.conv1.int8, block.conv2.int8 = Int8Conv(block.conv1, reach), Int8Conv(block.conv2, (0.0, 0.2))
        assert block.conv1.int8.grid.left_by(block.conv1.int8.grid.levels(x))
        torch.testing.assert_close(block.conv1(x), F.conv2d(x, block.conv1.weight, block.conv1.bias, padding=1))
        torch.testing.assert_close(block(x), exact, atol=1e-5, rtol=1e-5)
    block.conv1.int8 = Int8Conv(block.conv1, (-6.0, 6.0))
    assert not block.conv1.int8.grid.left_by(block.conv1.int8.grid.levels(x))
    torch.testing.assert_close(block(x), exact, atol=0.05, rtol=0)
    assert not torch.equal(block(x), exact)


def test_upsampling_whose_range_is_left_runs_in_floats() -> None:
    convs = conv_of(16, 64, 1), conv_of(16, 256, 2), conv_of(64, 64, 3)
    last, x = conv_of(64, 3, 4), picture()
    exact = upsample_detail(x, *convs, last)
    for narrow in range(3):
        for number, conv in enumerate(convs):
            conv.int8 = Int8Conv(conv, (-0.02, 0.02) if number == narrow else WIDE)
        torch.testing.assert_close(upsample_detail(x, *convs, last), exact, atol=0.05, rtol=0)


def test_a_block_adds_to_all_of_an_outlier_but_sees_only_its_range() -> None:
    block = ResidualBlock(16).requires_grad_(False)
    x = picture()
    x[0, 3, 5, 5] = 100.0
    block.conv1.int8, block.conv2.int8 = Int8Conv(block.conv1, WIDE), Int8Conv(block.conv2, NARROW)
    before = x.clone()
    made = block(x)
    assert torch.equal(x, before) and made.dtype == torch.float32
    middle = convolved(rounded(x, Grid.over(WIDE)), block.conv1).relu()
    expected = x + convolved(rounded(middle, Grid.over(NARROW)), block.conv2)
    torch.testing.assert_close(made.double(), expected, atol=0.01, rtol=0)


def test_upsampling_rounds_before_each_convolution_alone() -> None:
    convs = conv_of(16, 64, 1), conv_of(16, 256, 2), conv_of(64, 64, 3)
    last, x = conv_of(64, 3, 4), picture()
    for conv in convs:
        conv.int8 = Int8Conv(conv, WIDE)
    grid, expected = Grid.over(WIDE), x.double()
    for conv in convs[:2]:
        expected = F.leaky_relu(F.pixel_shuffle(convolved(rounded(expected, grid), conv), 2), 0.1)
    expected = F.leaky_relu(convolved(rounded(expected, grid), convs[2]), 0.1)
    expected = F.conv2d(expected, last.weight.double(), last.bias.double(), padding=1)  # type: ignore[union-attr]
    last.to(dtype_beside_int8())
    torch.testing.assert_close(upsample_detail(x, *convs, last).double(), expected, atol=0.02, rtol=0)


def calibrated(net: RecurrentNet, clip: Tensor) -> RecurrentNet:
    net.use_ranges(calibrate(net, [clip]))
    return net


@pytest.mark.parametrize(
    "arch", [name for name, one in ARCHITECTURES.items() if one.net.int8_parts], ids=lambda name: name
)
def test_every_net_that_has_it_runs_in_int8_nearly_as_in_floats(arch: str) -> None:
    clip = F.avg_pool2d(torch.rand(4, 3, 68, 68, generator=torch.Generator().manual_seed(1)), 5, 1)[None]
    net = calibrated(small(arch), clip)
    names = {name for name, _ in net.int8_convs()}
    assert all(any(name.startswith(part) for name in names) for part in net.int8_parts if _is_there(net, part))
    exact = place(copy.deepcopy(net), CPU, torch.float32)
    fast = place(net, CPU, torch.int8)
    assert fast.precision == torch.int8 and all(conv.int8 for _, conv in fast.int8_convs())
    with torch.inference_mode():
        error = (fast(clip) - exact(clip)).square().mean()
    assert 1e-12 < error < 1e-4


def _is_there(net: RecurrentNet, part: str) -> bool:
    return any(name == part for name, _ in net.named_modules())


def test_the_precision_can_change_and_come_back() -> None:
    clip = torch.rand(1, 3, 3, 16, 16)
    net = place(calibrated(BasicVSR(16, 1), clip), CPU, torch.int8)
    with torch.inference_mode():
        first = net(clip)
        net.set_precision(torch.float32)
        assert net.precision == net.compute_dtype == torch.float32
        exact = net(clip)
        net.set_precision(torch.int8)
        assert torch.equal(net(clip), first) and not torch.equal(exact, first)
        assert torch.equal(copy.deepcopy(net)(clip), first)


def test_ranges_of_other_convolutions_are_not_used() -> None:
    net = BasicVSR(16, 2)
    net.use_ranges(calibrate(BasicVSR(16, 1), [torch.rand(1, 2, 3, 16, 16)]))
    assert net.ranges is None
