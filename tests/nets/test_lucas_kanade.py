"""The refinement finds a sub-pixel shift at any brightness, and changes nothing where there is no texture."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vsrcli.nets.lucas_kanade import LONGEST, refine_flow, upsample_flow
from vsrcli.nets.repflow import RepFlowNet

SHIFT = (0.37, -0.21)


def waves(dx: float, dy: float, h: int, w: int) -> Tensor:
    """Return a smooth picture (1, 3, h, w) whose content is shifted by (dx, dy) pixels to the right and down."""
    generator = torch.Generator().manual_seed(3)
    y, x = torch.meshgrid(torch.arange(h) - dy, torch.arange(w) - dx, indexing="ij")
    frequency, phase = (
        (torch.rand(2, 40, 1, 1, generator=generator) - 0.5) * 1.6,
        torch.rand(40, 1, 1, generator=generator),
    )
    picture = torch.sin(frequency[0] * x + frequency[1] * y + 6.28 * phase)
    return (0.5 + 0.03 * torch.einsum("cw,whx->chx", torch.randn(3, 40, generator=generator), picture))[None]


def error(flow: Tensor, h: int, w: int) -> float:
    """Return the mean distance of a flow from SHIFT in pixels."""
    full = upsample_flow(flow)[..., :h, :w]
    return float((full - torch.tensor(SHIFT).view(2, 1, 1)).square().sum(1).sqrt().mean())


@pytest.mark.parametrize(("h", "w"), [(60, 82), (61, 83)])
@pytest.mark.parametrize("offset", [0.0, 0.04])
def test_sub_pixel_shift_is_found_despite_brightness_change(h: int, w: int, offset: float) -> None:
    frame, neighbour = waves(0, 0, h, w), waves(*SHIFT, h, w) + offset
    flow = torch.zeros(1, 2, -(-h // 2), -(-w // 2))
    errors = [error(refine_flow(frame, neighbour, flow, steps), h, w) for steps in (0, 1, 2)]
    assert errors[0] == pytest.approx(0.425, abs=1e-3)
    assert errors[1] < errors[0] / 3 and errors[2] < 0.1


def test_flow_is_unchanged_without_texture() -> None:
    flat, flow = torch.full((1, 3, 20, 30), 0.4), torch.randn(1, 2, 10, 15)
    assert torch.equal(refine_flow(flat, flat + 0.1, flow, 2), flow)


def test_noise_causes_small_steps_and_steps_are_bounded() -> None:
    torch.manual_seed(0)
    frame, flow = waves(0, 0, 40, 40), torch.zeros(1, 2, 20, 20)
    noise = 4 / 255 * torch.randn(2, 1, 3, 40, 40)
    assert refine_flow(frame + noise[0], frame + noise[1], flow, 2).square().sum(1).sqrt().mean() < 0.1
    wild = refine_flow(torch.rand(1, 3, 40, 40), torch.rand(1, 3, 40, 40), flow, 1)
    assert 0 < wild.abs().max() <= LONGEST / 2


def test_gradients_pass_through_the_refinement() -> None:
    torch.manual_seed(0)
    net = RepFlowNet(multibranch=False)
    picture = F.interpolate(torch.rand(1, 3, 9, 9), size=(33, 33), mode="bicubic")
    net(picture[..., :32], picture[..., 1:]).square().mean().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all() and parameter.grad.abs().max() > 0, name
