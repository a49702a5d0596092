"""Warping error and tOF for known motions."""

import pytest
import torch
from torch import Tensor

from vsrcli.quality.temporal import Flow, Motion, motion, not_occluded, tof, unexplained_change, warping_error
from vsrcli.warp import flow_warp


def shift_flow(dx: float, dy: float) -> Flow:
    """Return a flow function with the known pan: content moves by (dx, dy) from frame to frame.

    The later one of two frames is recognised by its mean brightness, which increases with time in these clips.
    """

    def flow(a: Tensor, b: Tensor) -> Tensor:
        sign = 1.0 if b.mean() > a.mean() else -1.0
        return sign * torch.tensor([dx, dy]).reshape(1, 2, 1, 1).expand(a.shape[0], 2, *a.shape[-2:])

    return flow


def pan(frames: int = 4) -> Tensor:
    """Return (t, 3, 24, 32): a texture that moves two pixels right and one down a frame, and brightens by one level."""
    texture = torch.rand(3, 60, 60, generator=torch.Generator().manual_seed(0)) * 0.5
    clip = [texture[:, 20 - t : 44 - t, 20 - 2 * t : 52 - 2 * t] for t in range(frames)]
    return torch.stack([f - f.mean() + 0.4 + t / 255 for t, f in enumerate(clip)])


def test_warp_samples_where_the_flow_points() -> None:
    x = torch.arange(20.0).reshape(1, 1, 4, 5)
    flow = torch.zeros(1, 2, 4, 5)
    flow[:, 0] = 1
    flow[:, 1] = 0.5
    out = flow_warp(x, flow, padding="border")
    assert out[0, 0, 1, 2].item() == pytest.approx((x[0, 0, 1, 3] + x[0, 0, 2, 3]).item() / 2)
    assert out[0, 0, 0, 4].item() == pytest.approx((x[0, 0, 0, 4] + x[0, 0, 1, 4]).item() / 2)


def test_a_perfectly_moving_clip_has_only_its_flicker_as_warping_error() -> None:
    clip = pan()
    before, now = clip[:-1], clip[1:]
    error = warping_error(before, now, motion(before, now, shift_flow(2, 1)))
    # the mean is removed from each crop, so the flicker is one level plus the crops' difference in mean
    moved = (clip[1:, :, 1:, 2:] - clip[:-1, :, :-1, :-2]).mul(255).square().mean((1, 2, 3))
    torch.testing.assert_close(error, moved, rtol=1e-3, atol=1e-3)
    still = warping_error(before, now, motion(before, now, shift_flow(0, 0)))
    assert error.max() < 10 < still.min()


def test_flicker_adds_its_square() -> None:
    clip = torch.full((3, 3, 8, 8), 0.5)
    still = motion(clip[:-1], clip[1:], lambda a, b: torch.zeros(len(a), 2, 8, 8))
    clip[1] += 6 / 255
    error = warping_error(clip[:-1], clip[1:], still)
    torch.testing.assert_close(error, torch.tensor([36.0, 36.0]), rtol=1e-4, atol=0)


def test_motion_does_not_count_as_change_and_blur_does_not_help() -> None:
    clip = pan()
    before, now = clip[:-1], clip[1:]
    along = motion(before, now, shift_flow(2, 1))
    share = unexplained_change(before, now, along)
    assert share.max() < 0.01
    faint = 0.5 + 0.1 * (clip - clip.mean((-2, -1), keepdim=True))
    flicker = faint + torch.tensor([0.0, 0.02, 0.0, 0.02]).view(4, 1, 1, 1)
    assert warping_error(flicker[:-1], flicker[1:], along).max() > warping_error(faint[:-1], faint[1:], along).max()
    strong = 0.5 + 10 * (flicker - 0.5)  # contrast changes the warping error a hundredfold, but not the share
    for one, other in ((faint, clip - clip.mean((-2, -1), keepdim=True) + 0.5), (flicker, strong)):
        torch.testing.assert_close(
            unexplained_change(one[:-1], one[1:], along), unexplained_change(other[:-1], other[1:], along)
        )
    assert unexplained_change(flicker[:-1], flicker[1:], along).min() > 10 * share.max()


def test_where_nothing_moves_all_change_is_unexplained() -> None:
    clip = torch.full((3, 3, 8, 8), 0.5)
    still = motion(clip[:-1], clip[1:], lambda a, b: torch.zeros(len(a), 2, 8, 8))
    assert unexplained_change(clip[:-1], clip[1:], still).eq(0).all()
    clip[1] += 6 / 255
    torch.testing.assert_close(unexplained_change(clip[:-1], clip[1:], still), torch.ones(2))


def test_occluded_pixels_do_not_count() -> None:
    before, now = torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)
    now[..., :2] = 1
    visible = torch.ones(1, 8, 8)
    visible[..., :2] = 0
    still = torch.zeros(1, 2, 8, 8)
    assert warping_error(before, now, Motion(still, still, visible)).item() == 0
    assert warping_error(before, now, Motion(still, still, torch.zeros(1, 8, 8))).item() == 0
    assert warping_error(before, now, Motion(still, still, torch.ones(1, 8, 8))).item() == pytest.approx(255**2 / 4)


def test_occlusion_is_where_flows_disagree_or_leave_the_frame() -> None:
    forth = torch.zeros(1, 2, 8, 8)
    forth[:, 0] = 2
    back = -forth.clone()
    back[..., :4, :] = 3
    mask = not_occluded(forth, back)
    assert mask[0, 5, :6].eq(1).all()
    assert mask[0, :, 6:].eq(0).all()
    assert mask[0, :3].eq(0).all()


def test_tof_is_the_mean_absolute_difference_of_motion() -> None:
    def brightness_flow(a: Tensor, b: Tensor) -> Tensor:
        return (b - a).mean((1, 2, 3)).reshape(-1, 1, 1, 1) * torch.ones(1, 2, *a.shape[-2:])

    truth = torch.tensor([0.1, 0.2, 0.4]).reshape(3, 1, 1, 1).expand(3, 3, 8, 8)
    ours = torch.tensor([0.1, 0.25, 0.3]).reshape(3, 1, 1, 1).expand(3, 3, 8, 8)
    reference = motion(truth[:-1], truth[1:], brightness_flow)
    torch.testing.assert_close(tof(ours[:-1], ours[1:], reference, brightness_flow), torch.tensor([0.05, 0.15]))
    assert tof(truth[:-1], truth[1:], reference, brightness_flow).eq(0).all()
