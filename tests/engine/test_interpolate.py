"""A frame between two shows what moves half way, and takes what one frame hides from the other."""

import pytest
import torch
from torch import Tensor

from vsrcli.engine.interpolate import between
from vsrcli.warp import flow_warp


def texture(height: int, width: int, seed: int) -> Tensor:
    noise = torch.rand(1, 3, height // 4, width // 4, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(noise, size=(height, width), mode="bicubic").clamp(0, 1)


def constant(x: float, y: float, height: int = 40, width: int = 64) -> Tensor:
    return torch.tensor([float(x), float(y)]).view(1, 2, 1, 1).expand(1, 2, height, width).clone()


def psnr(a: Tensor, b: Tensor) -> float:
    return float(-10 * torch.log10(((a - b) ** 2).mean()))


@pytest.mark.parametrize("time", [0.25, 0.5, 0.75])
@pytest.mark.parametrize("way", [(4.0, 0.0), (-3.0, 2.0), (0.0, 0.0)])
def test_a_pan_is_interpolated_at_the_right_position(time: float, way: tuple[float, float]) -> None:
    first = texture(40, 64, 1)
    second, wanted = (flow_warp(first, constant(-way[0] * t, -way[1] * t), mode="bicubic") for t in (1.0, time))
    made = between(first, second, constant(*way), constant(-way[0], -way[1]), time)
    inside = (slice(None), slice(None), slice(6, -6), slice(6, -6))
    assert psnr(made[inside], wanted[inside]) > 38


def crossing(time: float) -> tuple[Tensor, Tensor]:
    """A frame in which a square moves 8 pixels over a still ground, and the mask of the square."""
    ground, square = texture(40, 64, 1), texture(40, 64, 2)[..., :16, :16]
    left = 16 + round(8 * time)
    frame, mask = ground.clone(), torch.zeros(1, 1, 40, 64)
    frame[..., 12:28, left : left + 16] = square
    mask[..., 12:28, left : left + 16] = 1
    return frame, mask


def test_occluded_pixels_come_from_the_other_frame() -> None:
    (first, here), (second, there), (wanted, _) = crossing(0), crossing(1), crossing(0.5)
    made = between(first, second, here * constant(8, 0), there * constant(-8, 0), 0.5)
    blend = (first + second) / 2
    assert psnr(made, wanted) > psnr(blend, wanted) + 8
    uncovered = (
        slice(None),
        slice(None),
        slice(13, 27),
        slice(17, 19),
    )  # hidden in the first frame
    assert psnr(made[uncovered], wanted[uncovered]) > 30 > psnr(blend[uncovered], wanted[uncovered])
    covered = (slice(None), slice(None), slice(13, 27), slice(37, 39))  # seen in the first frame alone
    assert psnr(made[covered], wanted[covered]) > 30 > psnr(blend[covered], wanted[covered])


def test_equal_frames_and_flows_out_of_the_picture_give_the_same_frame() -> None:
    first = texture(40, 64, 3)
    still = constant(0, 0)
    assert torch.allclose(between(first, first, still, still, 0.5), first, atol=1e-5)
    away = between(first, first, constant(500, 0), constant(500, 0), 0.5)
    assert torch.isfinite(away).all() and torch.allclose(away, first, atol=1e-4)
