"""Losses have the values of their definitions."""

import pytest
import torch

from tests.training.make import textured
from vsrcli.training.losses import charbonnier, endpoint_error, flow_warping, l2, static_scene_loss


def test_static_scene_loss_counts_only_static_clips() -> None:
    truth = torch.rand(2, 3, 3, 8, 8)
    truth[1] = truth[1, :1]
    sr = truth + torch.tensor([0.0, 0.1, 0.2])[:, None, None, None]
    assert static_scene_loss(sr, truth, l2).item() == pytest.approx(0.01, rel=1e-3)
    assert static_scene_loss(sr[:1], truth[:1], l2) == 0


def test_warping_loss_is_least_for_the_true_flow() -> None:
    clip = textured(2, 16, 20)[None].float() / 255
    frame, neighbour = clip[:, 1], clip[:, 0]

    def loss(pixels: float) -> float:
        flow = torch.zeros(1, 2, 4, 5)
        flow[:, 0] = pixels
        return flow_warping(frame, neighbour, flow, 4, l2).item()

    assert loss(0.25) < 0.2 * loss(0.0)  # the pan: what is at x now was at x + 1 HR before, but for the last column
    assert loss(1e4) > loss(0.25), "leaving the frame must not be a way out"


def test_charbonnier_is_a_smooth_l1() -> None:
    a = torch.tensor([0.0, 3.0], requires_grad=True)
    loss = charbonnier(a, torch.tensor([0.0, 1.0]))
    assert loss.item() == pytest.approx((1e-3 + 2) / 2, abs=1e-5)
    loss.backward()
    assert a.grad is not None and a.grad.isfinite().all()


def test_endpoint_error_is_a_distance_with_a_bound() -> None:
    flow = torch.zeros(1, 2, 2, 2)
    assert endpoint_error(flow, flow + torch.tensor([3.0, 0.0]).view(2, 1, 1)) == pytest.approx(3, abs=0.01)
    assert endpoint_error(flow, flow + 50) == 4
