"""Refinement finds a sub-pixel shift, whatever the brightness does, and leaves alone what it cannot know."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vsrcli.nets.lucas_kanade import LONGEST, doubled, refined
from vsrcli.nets.repflow import RepFlowNet

SHIFT = (0.37, -0.21)


def waves(dx: float, dy: float, h: int, w: int) -> Tensor:
    """A picture without an edge (1, 3, h, w) whose content lies (dx, dy) pixels further right and down."""
    generator = torch.Generator().manual_seed(3)
    y, x = torch.meshgrid(torch.arange(h) - dy, torch.arange(w) - dx, indexing="ij")
    frequency, phase = (
        (torch.rand(2, 40, 1, 1, generator=generator) - 0.5) * 1.6,
        torch.rand(40, 1, 1, generator=generator),
    )
    picture = torch.sin(frequency[0] * x + frequency[1] * y + 6.28 * phase)
    return (0.5 + 0.03 * torch.einsum("cw,whx->chx", torch.randn(3, 40, generator=generator), picture))[None]


def error(flow: Tensor, h: int, w: int) -> float:
    """Mean distance in pixels from SHIFT."""
    full = doubled(flow)[..., :h, :w]
    return float((full - torch.tensor(SHIFT).view(2, 1, 1)).square().sum(1).sqrt().mean())


@pytest.mark.parametrize(("h", "w"), [(60, 82), (61, 83)])
@pytest.mark.parametrize("offset", [0.0, 0.04])
def test_a_shift_of_parts_of_a_pixel_is_found_though_the_light_changes(h: int, w: int, offset: float) -> None:
    frame, neighbour = waves(0, 0, h, w), waves(*SHIFT, h, w) + offset
    flow = torch.zeros(1, 2, -(-h // 2), -(-w // 2))
    errors = [error(refined(frame, neighbour, flow, steps), h, w) for steps in (0, 1, 2)]
    assert errors[0] == pytest.approx(0.425, abs=1e-3)
    assert errors[1] < errors[0] / 3 and errors[2] < 0.1


def test_where_nothing_is_to_be_seen_the_flow_stands() -> None:
    flat, flow = torch.full((1, 3, 20, 30), 0.4), torch.randn(1, 2, 10, 15)
    assert torch.equal(refined(flat, flat + 0.1, flow, 2), flow)


def test_noise_moves_little_and_nothing_moves_far() -> None:
    torch.manual_seed(0)
    frame, flow = waves(0, 0, 40, 40), torch.zeros(1, 2, 20, 20)
    noise = 4 / 255 * torch.randn(2, 1, 3, 40, 40)
    assert refined(frame + noise[0], frame + noise[1], flow, 2).square().sum(1).sqrt().mean() < 0.1
    wild = refined(torch.rand(1, 3, 40, 40), torch.rand(1, 3, 40, 40), flow, 1)
    assert 0 < wild.abs().max() <= LONGEST / 2


def test_training_sees_through_it() -> None:
    torch.manual_seed(0)
    net = RepFlowNet(multibranch=False)
    picture = F.interpolate(torch.rand(1, 3, 9, 9), size=(33, 33), mode="bicubic")
    net(picture[..., :32], picture[..., 1:]).square().mean().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all() and parameter.grad.abs().max() > 0, name
