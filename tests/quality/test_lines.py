"""False lines are found in proportion to their strength; blur, small shifts and noise are not counted."""

import math

import pytest
import torch
from torch import Tensor

from vsrcli.quality.lines import TOLERANCE, WIDTH, invented_lines, line_energy, lines

LEVEL = 1 / 219
"""One level of studio luma, in grey."""


def flat(height: int = 96, width: int = 128) -> Tensor:
    return torch.full((1, 3, height, width), 0.5)


def draw(x: float, degrees: float = 90, levels: float = 10, width: float = WIDTH, onto: Tensor | None = None) -> Tensor:
    """Draw a line with a Gaussian profile through (x, half the height), `degrees` from the horizontal."""
    frame = flat() if onto is None else onto
    height, length = frame.shape[-2:]
    angle = math.radians(degrees)
    rows, columns = torch.arange(height)[:, None] - height / 2, torch.arange(length)[None] - x
    distance = columns * math.sin(angle) - rows * math.cos(angle)
    return frame + levels * LEVEL * torch.exp(-((distance / width) ** 2) / 2)


def texture() -> Tensor:
    """Return smooth structure of all directions and sizes, with sharp edges."""
    noise = torch.rand(1, 1, 28, 36, generator=torch.Generator().manual_seed(1))
    smooth = torch.nn.functional.interpolate(noise, (112, 144), mode="bicubic")
    return torch.where(smooth > 0.5, 0.7, 0.3).expand(1, 3, -1, -1)


def blur(frame: Tensor) -> Tensor:
    return torch.nn.functional.avg_pool2d(frame, 5, 1, 2, count_include_pad=False)


def invented(result: Tensor, truth: Tensor) -> float:
    return invented_lines(lines(result), lines(truth)).item()


@pytest.mark.parametrize("degrees", [0, 22.5, 45, 75, 90, 150])
def test_the_strength_on_a_lines_crest_is_its_height_in_levels(degrees: float) -> None:
    found = lines(draw(64, degrees, levels=10))[0]
    assert found[0].amax(0)[48, 64].item() == pytest.approx(10, rel=0.1)  # less between two directions
    assert found[1].amax(0)[48, 64].item() < 0.01
    dark = lines(draw(64, degrees, levels=-10))[0]
    assert dark[1].amax(0)[48, 64].item() == pytest.approx(10, rel=0.1)  # less between two directions


def test_flat_frames_and_edges_have_no_lines() -> None:
    edge = flat()
    edge[..., 64:] = 0.9
    for frame in (flat(), torch.zeros(1, 3, 30, 30), edge, edge.transpose(-1, -2).contiguous()):
        assert line_energy(lines(frame)).item() < 1e-6


def test_invented_lines_add_up() -> None:
    one = invented(draw(30), flat())
    assert one == pytest.approx(line_energy(lines(draw(30))).item())
    assert one == pytest.approx(100 * 1.1 / 128, rel=0.05)  # its crest squared, over 1.1 columns of 128
    two = draw(90, onto=draw(30))
    assert invented(two, flat()) == pytest.approx(2 * one, rel=0.01)
    assert invented(two, draw(90)) == pytest.approx(one, rel=0.01)
    assert invented(draw(30, levels=20), flat()) == pytest.approx(4 * one, rel=0.01)
    assert invented(draw(30, levels=-10), flat()) == pytest.approx(one, rel=0.01)


def test_a_line_of_the_other_brightness_or_direction_is_invented() -> None:
    truth = draw(64, levels=10)
    assert invented(draw(64, levels=-10), truth) == pytest.approx(invented(draw(64), flat()), rel=0.01)
    # a chevron over a rib: only near the crossing the rib could be taken for it
    across = draw(64, 45, levels=10, onto=truth)
    assert invented(across, truth) > 0.7 * invented(draw(64, 45), flat())


def test_a_line_beside_the_truths_is_tolerated_and_one_further_away_is_not() -> None:
    truth, alone = draw(64), invented(draw(64), flat())
    assert invented(truth, truth) == 0
    for shift in range(1, TOLERANCE + 1):
        assert invented(draw(64 + shift), truth) < 0.001 * alone
    assert invented(draw(64 + 2 * TOLERANCE + 2), truth) > 0.8 * alone
    assert invented(draw(64, 84), truth) < 0.35 * alone  # turned a little: at its ends it is 5 pixels away


def test_blur_and_small_shifts_add_almost_nothing() -> None:
    truth = texture()
    energy = line_energy(lines(truth)).item()
    assert energy > 10
    assert invented(blur(truth), truth) < 0.01 * energy
    assert invented(truth.roll((1, 1), (-2, -1))[..., 8:-8, 8:-8], truth[..., 8:-8, 8:-8]) < 0.01 * energy
    assert invented(0.5 * truth + 0.25, truth) == 0


def test_faint_lines_count_despite_strong_ones_elsewhere() -> None:
    truth = draw(20, levels=60)
    assert invented(draw(90, levels=5, onto=truth), truth) == pytest.approx(
        invented(draw(90, levels=5), flat()), rel=0.01
    )


def test_noise_hardly_counts_as_lines() -> None:
    levels = 3
    noise = torch.randn(1, 1, 96, 128, generator=torch.Generator().manual_seed(0)) * levels * LEVEL
    assert invented(flat() + noise, flat()) < 0.2 * levels**2


def test_frames_of_a_batch_are_measured_separately() -> None:
    batch = torch.cat([flat(), draw(64)])
    assert invented_lines(lines(batch), lines(torch.cat([flat(), flat()]))).tolist() == pytest.approx(
        [0, invented(draw(64), flat())], abs=1e-6
    )
