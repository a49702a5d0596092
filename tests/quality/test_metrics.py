"""PSNR, SSIM and MSE against hand-computed figures and scikit-image."""

import importlib
import math
from types import ModuleType

import numpy as np
import pytest
import torch

from vsrcli.quality.metrics import mse, planes, psnr, rgb_to_y, ssim


@pytest.fixture(scope="module")
def scikit() -> ModuleType:
    """Return scikit-image's metrics, whose import takes seconds: only the process that needs them waits."""
    return importlib.import_module("skimage.metrics")


def noisy_pair(channels: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    a = torch.randint(0, 256, (2, channels, 24, 33), generator=g).double()
    return a, (a + torch.randn(a.shape, generator=g, dtype=torch.float64) * 20).round().clamp(0, 255)


def test_luma_is_bt601_studio_swing() -> None:
    colours = torch.tensor([[0, 0, 0], [1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=torch.float64)
    y = rgb_to_y(colours.T.reshape(3, 1, 5))
    assert y.shape == (1, 1, 5)
    torch.testing.assert_close(y[0, 0], torch.tensor([16, 235, 81.481, 144.553, 40.966], dtype=torch.float64))


def test_frames_are_rounded_to_8_bits_and_clipped_before_they_are_compared() -> None:
    frame = torch.tensor([-0.2, 10.4 / 255, 10.6 / 255, 1.3]).reshape(1, 1, 1, 4).expand(1, 3, 1, 4)
    torch.testing.assert_close(planes(frame, "rgb")[0, 0, 0], torch.tensor([0.0, 10, 11, 255], dtype=torch.float64))
    assert planes(frame).shape == (1, 1, 1, 4)
    assert planes(frame)[0, 0, 0, 3].item() == pytest.approx(235)


def test_psnr_and_mse_of_a_known_difference() -> None:
    a = torch.zeros(2, 1, 4, 4)
    b = torch.zeros(2, 1, 4, 4)
    b[0] = 5
    b[1, 0, 0, 0] = 8
    torch.testing.assert_close(mse(a, b), torch.tensor([25.0, 4.0], dtype=torch.float64))
    expected = [10 * math.log10(65025 / 25), 10 * math.log10(65025 / 4)]
    torch.testing.assert_close(psnr(a, b), torch.tensor(expected, dtype=torch.float64))
    assert psnr(a, a).isinf().all()


@pytest.mark.parametrize("channels", [1, 3])
def test_psnr_agrees_with_scikit_image(channels: int, scikit: ModuleType) -> None:
    a, b = noisy_pair(channels)
    for i in range(2):
        theirs = scikit.peak_signal_noise_ratio(a[i].numpy(), b[i].numpy(), data_range=255)
        assert psnr(a, b)[i].item() == pytest.approx(theirs, abs=1e-10)


@pytest.mark.parametrize("channels", [1, 3])
def test_ssim_agrees_with_scikit_image_on_the_valid_region(channels: int, scikit: ModuleType) -> None:
    """Compare with gaussian_weights and population moments; only the region differs.

    scikit-image's map is computed with mirrored borders and cropped by 5 pixels for its mean. The window then is inside
    the image, so it is the valid region (truncate 3.5 at sigma 1.5 gives the radius 5).
    """
    a, b = noisy_pair(channels)
    for i in range(2):
        theirs = scikit.structural_similarity(
            a[i].numpy(),
            b[i].numpy(),
            channel_axis=0,
            data_range=255,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        assert ssim(a, b)[i].item() == pytest.approx(theirs, abs=1e-10)


def test_ssim_of_two_flat_frames_is_the_luminance_term() -> None:
    a, b = torch.full((1, 1, 11, 11), 100.0), torch.full((1, 1, 11, 11), 120.0)
    c1 = (0.01 * 255) ** 2
    expected = (2 * 100 * 120 + c1) / (100**2 + 120**2 + c1)
    assert ssim(a, b).item() == pytest.approx(expected, abs=1e-9)


def test_ssim_at_one_position_by_direct_weighted_moments() -> None:
    a, b = (p[:1, :, :11, :11] for p in noisy_pair(1, seed=3))
    grid = np.arange(11) - 5
    weight = np.exp(-(grid[:, None] ** 2 + grid**2) / 4.5)
    weight /= weight.sum()
    x, y = a[0, 0].numpy(), b[0, 0].numpy()
    mx, my = (weight * x).sum(), (weight * y).sum()
    vx, vy, cov = (weight * (x - mx) ** 2).sum(), (weight * (y - my) ** 2).sum(), (weight * (x - mx) * (y - my)).sum()
    c1, c2 = 6.5025, 58.5225
    expected = (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    assert ssim(a, b).item() == pytest.approx(expected, abs=1e-10)


def test_metrics_keep_the_leading_axes_and_compute_in_double() -> None:
    a, b = noisy_pair(3)
    for metric in (mse, psnr, ssim):
        whole = metric(a.reshape(2, 1, 3, 24, 33).float(), b.reshape(2, 1, 3, 24, 33).float())
        assert whole.shape == (2, 1) and whole.dtype == torch.float64
        torch.testing.assert_close(whole[:, 0], metric(a, b), rtol=0, atol=0)
