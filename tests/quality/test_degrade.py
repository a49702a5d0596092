"""MATLAB's imresize and the papers' BI and BD, against hand-computed weights and an independent direct sum."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from vsrcli.errors import UsageError
from vsrcli.quality.degrade import bd, bi, crop_to_multiple, imresize

Degrade = Callable[..., torch.Tensor]


def impulse_row(length: int, at: int) -> torch.Tensor:
    """Return an image (4, length) whose rows are zero except for a one at column `at`."""
    x = torch.zeros(4, length, dtype=torch.float64)
    x[:, at] = 1
    return x


def test_half_size_weights_are_the_cubic_at_odd_quarters() -> None:
    # output k sits at 2k + 0.5, so pixel 8 is 3.5, 1.5, 0.5 and 2.5 pixels from outputs 2, 3, 4 and 5:
    # 7/4, 3/4, 1/4 and 5/4 on the widened cubic, whose values are halved
    row = imresize(impulse_row(16, 8), 0.5)[0]
    expected = torch.tensor([0, 0, -3, 29, 111, -9, 0, 0], dtype=torch.float64) / 256
    torch.testing.assert_close(row, expected, rtol=0, atol=1e-15)


def test_quarter_size_weights_are_the_cubic_at_odd_eighths() -> None:
    def cubic(x: float) -> float:
        return 1.5 * x**3 - 2.5 * x**2 + 1 if x <= 1 else -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2

    row = imresize(impulse_row(32, 16), 0.25)[0]
    for k in range(8):
        distance = abs(16 - (4 * k + 1.5)) / 4
        assert row[k].item() == pytest.approx(cubic(distance) / 4 if distance < 2 else 0, abs=1e-15)


def test_enlarging_uses_the_unwidened_cubic() -> None:
    row = imresize(impulse_row(8, 4), 2)[0]
    # output j sits at j/2 - 1/4: distances 1/4 and 3/4 inside, 5/4 and 7/4 outside
    cubic = {0.25: 111 / 128, 0.75: 29 / 128, 1.25: -9 / 128, 1.75: -3 / 128}
    expected = torch.tensor([cubic.get(abs(j / 2 - 0.25 - 4), 0.0) for j in range(16)], dtype=torch.float64)
    torch.testing.assert_close(row, expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("scale", [0.25, 0.5, 2, 4, 1 / 3])
def test_borders_are_mirrored_with_the_edge_pixel_repeated(scale: float) -> None:
    x = torch.rand(12, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    mirrored = torch.cat((x.flip(1), x, x.flip(1)), 1)
    wide = imresize(torch.cat((mirrored.flip(0), mirrored, mirrored.flip(0)), 0), scale)
    h, w = round(12 * scale), round(24 * scale)
    torch.testing.assert_close(imresize(x, scale), wide[h : 2 * h, w : 2 * w], rtol=0, atol=1e-12)


def test_a_ramp_stays_a_ramp_and_size_rounds_up() -> None:
    x = torch.arange(40, dtype=torch.float64).expand(6, 40)
    quarter = imresize(x, 0.25)
    assert quarter.shape == (2, 10)
    torch.testing.assert_close(quarter[0, 2:-2], 4 * torch.arange(2, 8, dtype=torch.float64) + 1.5)


def test_uint8_is_rounded_after_rows_and_again_after_columns() -> None:
    levels = torch.randint(0, 256, (96, 128), dtype=torch.uint8, generator=torch.Generator().manual_seed(2))

    def along(x: torch.Tensor, axis: int) -> torch.Tensor:
        """Return one exact pass, then rounded: each line alone, repeated so that the other pass has no effect."""
        lines = x.movedim(axis, -1)
        passed = imresize(lines[:, None].expand(-1, 8, -1), 0.25)[:, 0]
        return torch.floor(passed + 0.5).clamp(0, 255).movedim(-1, axis)

    got = imresize(levels, 0.25)
    assert got.dtype == torch.uint8
    torch.testing.assert_close(got.double(), along(along(levels.double(), 0), 1), rtol=0, atol=0)
    other_order = along(along(levels.double(), 1), 0)
    once = torch.floor(imresize(levels.double(), 0.25) + 0.5).clamp(0, 255)
    assert not torch.equal(got.double(), other_order) and not torch.equal(got.double(), once)


def test_uint8_ties_go_up() -> None:
    stripes = torch.tensor([0, 1] * 8, dtype=torch.uint8).expand(16, 16)
    assert imresize(stripes.double(), 0.5)[4, 4].item() == 0.5
    assert imresize(stripes, 0.5)[4, 4] == 1


def test_bd_is_the_even_gaussian_centred_on_the_lr_pixel() -> None:
    """Compare with a direct 2-D sum by MATLAB's kernel at samples 2, 6, 10, ... (from 1), borders replicated."""
    x = torch.rand(16, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(3)).numpy()
    grid = np.arange(12) - 5.5
    kernel = np.exp(-(grid[:, None] ** 2 + grid**2) / (2 * 1.6**2))
    kernel /= kernel.sum()
    expected = np.empty((4, 6))
    for i in range(4):
        for j in range(6):
            ys = np.clip(4 * i + 1 - 5 + np.arange(12), 0, 15)
            xs = np.clip(4 * j + 1 - 5 + np.arange(12), 0, 23)
            expected[i, j] = (x[np.ix_(ys, xs)] * kernel).sum()
    got = bd(torch.from_numpy(x), 4, quantise=False)
    np.testing.assert_allclose(got.numpy(), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("degrade", [bi, bd])
@pytest.mark.parametrize("scale", [2, 4])
def test_lr_covers_the_area_of_hr_without_a_shift(degrade: Degrade, scale: int) -> None:
    x = torch.arange(48, dtype=torch.float64).expand(48, 48)
    lr = degrade(x, scale, quantise=False)
    inner = torch.arange(3, 48 // scale - 3, dtype=torch.float64)
    torch.testing.assert_close(lr[5, 3:-3], scale * inner + (scale - 1) / 2)


@pytest.mark.parametrize("degrade", [bi, bd])
def test_quantised_lr_is_8_bit_and_near_the_exact_one(degrade: Degrade) -> None:
    hr = torch.rand(2, 3, 3, 32, 48, generator=torch.Generator().manual_seed(4))
    lr = degrade(hr, 4)
    assert lr.shape == (2, 3, 3, 8, 12) and lr.dtype == hr.dtype
    torch.testing.assert_close(lr * 255, (lr * 255).round())
    exact = degrade((hr * 255).round() / 255, 4, quantise=False).clamp(0, 1)
    assert (lr - exact).abs().max() < 1.2 / 255  # half a level a pass, the first weighed by up to 1.3


@pytest.mark.parametrize("degrade", [bi, bd])
def test_a_batch_gives_what_its_images_give(degrade: Degrade) -> None:
    hr = torch.rand(2, 3, 3, 16, 32, generator=torch.Generator().manual_seed(5))
    one_by_one = torch.stack([torch.stack([torch.stack([degrade(c, 4) for c in f]) for f in n]) for n in hr])
    torch.testing.assert_close(degrade(hr, 4), one_by_one, rtol=0, atol=0)


def test_autocast_and_inference_mode_do_not_change_or_poison_the_result() -> None:
    hr = torch.rand(3, 20, 28, generator=torch.Generator().manual_seed(6))
    with torch.inference_mode():
        first = bi(hr, 4, quantise=False)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        second = bi(hr.requires_grad_(), 4, quantise=False)
    torch.testing.assert_close(first, second.detach(), rtol=0, atol=0)
    second.sum().backward()
    assert hr.grad is not None and hr.grad.sum().item() == pytest.approx(3 * 5 * 7, rel=1e-5)


def test_indivisible_sizes_are_rejected_or_cropped() -> None:
    hr = torch.rand(3, 19, 30)
    for degrade in (bi, bd):
        with pytest.raises(UsageError, match="30x19"):
            degrade(hr, 4)
    assert torch.equal(crop_to_multiple(hr, 4), hr[:, :16, :28])
    with pytest.raises(UsageError, match="even"):
        bd(torch.rand(3, 9, 9), 3)
