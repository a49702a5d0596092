"""Detail energy measures, in levels squared, only what the LR frame cannot represent."""

import pytest
import torch

from vsrcli.quality.degrade import imresize
from vsrcli.quality.detail import detail_energy


def smooth(height: int = 64, width: int = 96) -> torch.Tensor:
    rows, columns = torch.arange(height)[:, None] / height, torch.arange(width)[None] / width
    return (0.5 + 0.3 * torch.sin(3 * rows + 2 * columns)).expand(3, -1, -1)


def stripes(period: int, levels: float, height: int = 64, width: int = 96) -> torch.Tensor:
    return levels / 255 * torch.sin(2 * torch.pi * (torch.arange(width) + 0.5) / period).expand(3, height, width)


def test_flat_and_smooth_frames_have_no_detail() -> None:
    assert detail_energy(torch.full((3, 64, 96), 0.7), 4).item() == pytest.approx(0, abs=1e-6)
    assert detail_energy(smooth(), 4).item() < 0.001 * (255 * smooth()).var().item()


@pytest.mark.parametrize(("scale", "period"), [(4, 4), (4, 2), (2, 2)])
def test_stripes_above_the_band_count_with_their_whole_energy(scale: int, period: int) -> None:
    pattern = stripes(period, levels=10)
    energy = (255 * pattern).square().mean().item()
    assert detail_energy(0.5 + pattern, scale).item() == pytest.approx(energy, rel=0.01)
    assert detail_energy(smooth() + 2 * pattern, scale).item() == pytest.approx(4 * energy, rel=0.02)


def test_detail_within_the_lr_band_hardly_counts() -> None:
    coarse = stripes(48, levels=40)
    assert detail_energy(0.5 + coarse, 4).item() < 0.02 * (255 * coarse).square().mean().item()
    lr = torch.rand(3, 16, 24, generator=torch.Generator().manual_seed(0))
    hr = imresize(lr, 4).clamp(0, 1)
    worms = stripes(5, levels=30)
    assert detail_energy(hr + worms, 4) > detail_energy(hr, 4) + 0.8 * (255 * worms).square().mean()


def test_growth_shows_frame_by_frame_and_whatever_the_sides() -> None:
    clip = torch.stack([smooth(66, 97) + stripes(5, level, 66, 97) for level in (4.0, 8.0, 16.0, 32.0)])
    found = detail_energy(clip[None], 4)
    assert found.shape == (1, 4)
    assert (found[0, 1:] > 3.5 * found[0, :-1]).all()
    torch.testing.assert_close(found[0, 2], detail_energy(clip[2], 4))


def test_half_precision_and_frames_that_are_not_finite() -> None:
    frame = smooth() + stripes(5, 20)
    assert detail_energy(frame.half(), 4).item() == pytest.approx(detail_energy(frame, 4).item(), rel=0.01)
    for wrong in (float("nan"), float("inf")):
        broken = frame.clone()
        broken[1, 30, 40] = wrong
        assert not torch.isfinite(detail_energy(broken, 4))
