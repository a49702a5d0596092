"""The colour shift is the difference of means, in levels, of what would be written."""

import pytest
import torch

from vsrcli.quality.colour import GREYS, PATCHES, colour_shift, flat
from vsrcli.quality.degrade import imresize


def noise(*shape: int) -> torch.Tensor:
    return 0.2 + 0.6 * torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def test_shift_is_signed_per_channel_and_in_levels() -> None:
    lr = noise(2, 3, 6, 8)
    hr = lr.repeat_interleave(4, -1).repeat_interleave(4, -2)
    torch.testing.assert_close(colour_shift(hr, lr), torch.zeros(2, 3), atol=1e-4, rtol=0)
    added = torch.tensor([1.0, -0.5, 0.0]) / 255
    found = colour_shift(hr + added.view(3, 1, 1), lr)
    torch.testing.assert_close(found, torch.tensor([[1.0, -0.5, 0.0]] * 2), atol=1e-4, rtol=0)


def test_shift_equals_that_of_the_downscaled_frame() -> None:
    lr = noise(1, 3, 6, 8)
    hr = noise(1, 3, 24, 32).square()
    reduced = torch.nn.functional.avg_pool2d(hr, 4)
    torch.testing.assert_close(colour_shift(hr, lr), colour_shift(reduced, lr), atol=1e-4, rtol=0)


def test_values_out_of_range_are_clamped_first() -> None:
    lr = torch.ones(3, 4, 4)
    hr = torch.ones(3, 16, 16)
    hr[..., ::2] = 1.5  # rings about white without a shift of the mean would still darken what is written
    hr[..., 1::2] = 0.5
    torch.testing.assert_close(colour_shift(hr, lr), torch.full((3,), -63.75))


def test_bicubic_keeps_all_patches_and_real_means() -> None:
    for colour in PATCHES.values():
        patch = flat(colour, frames=2, size=8)
        assert colour_shift(imresize(patch, 4), patch).abs().max() < 1e-3
    lr = noise(1, 3, 40, 40)
    assert colour_shift(imresize(lr, 4), lr).abs().max() < 0.02


def test_patches_are_flat_and_match_their_names() -> None:
    assert (GREYS[0], GREYS[-1], len(PATCHES)) == (16, 240, len(GREYS) + 6)
    clip = flat(PATCHES["grey 128"])
    assert clip.shape == (5, 3, 64, 64)
    assert clip.unique().tolist() == pytest.approx([128 / 255])
    assert (255 * flat(PATCHES["pale green"], frames=1, size=1)).flatten().tolist() == [64, 192, 64]
