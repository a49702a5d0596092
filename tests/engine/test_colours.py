"""Results keep the source's colours, whatever the net does to them, and lose no detail."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.engine.test_engine import CPU, moving_clip, run
from vsrcli.engine.colours import is_grey, keep_colours
from vsrcli.engine.engine import Engine
from vsrcli.engine.plan import Plan
from vsrcli.levels import levels_on_device
from vsrcli.nets.repvsr import RepVSR


def enlarged(lr: torch.Tensor) -> torch.Tensor:
    return F.interpolate(lr[None], scale_factor=4, mode="bilinear", align_corners=False)[0]


def test_shift_is_removed_and_detail_kept() -> None:
    lr = moving_clip(1, 48, 64)[0] * 0.8 + 0.1
    detail = 0.05 * torch.randn(3, 192, 256, generator=torch.Generator().manual_seed(0))
    shift = torch.tensor([0.02, -0.01, 0.005]).view(3, 1, 1)
    kept = keep_colours(enlarged(lr) + detail + shift, lr)
    assert (kept.clamp(0, 1).mean((-2, -1)) - lr.mean((-2, -1))).abs().max() < 0.1 / 255
    difference = kept - (enlarged(lr) + detail)
    assert difference.abs().max() < 1.5 / 255  # of noise, over areas of 17 pixels


def test_frame_without_shift_is_unchanged() -> None:
    lr = torch.tensor([0.4, 0.5, 0.6]).view(3, 1, 1).expand(3, 20, 30)
    hr = enlarged(lr)
    assert keep_colours(hr, lr) is hr


@pytest.mark.parametrize("level", [0.0, 16 / 255, 0.5, 1.0])
def test_flat_patches_keep_their_level_near_black_and_white(level: float) -> None:
    lr = torch.full((3, 24, 24), level)
    uneven = enlarged(lr) + 0.004 * torch.randn(3, 96, 96, generator=torch.Generator().manual_seed(1)) + 0.006
    shift = keep_colours(uneven, lr).clamp(0, 1).mean((-2, -1)) - level
    assert 255 * shift.abs().max() < 0.15


@pytest.mark.parametrize("tile", [None, (32, 32)])
def test_colours_are_kept_only_if_the_plan_says_so(tile: tuple[int, int] | None) -> None:
    torch.manual_seed(0)
    net = RepVSR(8, 1).eval().requires_grad_(False)
    net.get_parameter("srnet.tail.bias").add_(0.02)
    frames = moving_clip(3, 40, 72) * 0.8 + 0.1
    plan = Plan(window=1, lookahead=0, tile=tile)
    for keep, bound in ((False, 1.0), (True, 0.1)):
        out = run(Engine(net, Plan(**{**plan.__dict__, "keep_colours": keep}), CPU, detector=None), frames)
        shift = 255 * (out.clamp(0, 1).mean((-2, -1)) - frames.mean((-2, -1))).abs()
        assert (shift.max() <= bound) == keep


def test_a_grey_frame_stays_grey() -> None:
    lr = moving_clip(1, 20, 28)[0].mean(0, keepdim=True).expand(3, -1, -1)
    tinted = enlarged(lr) + 0.02 * torch.randn(3, 80, 112, generator=torch.Generator().manual_seed(2))
    kept = keep_colours(tinted, lr)
    assert torch.equal(kept[0], kept[1]) and torch.equal(kept[1], kept[2])
    coloured = lr.clone()
    coloured[0, 0, 0] += 0.01
    assert not torch.equal(keep_colours(tinted, coloured)[0], keep_colours(tinted, coloured)[1])


def test_nearly_black_in_16_bits_is_not_made_black() -> None:
    lr = torch.full((3, 24, 24), 100 / 65535)
    torch.testing.assert_close(keep_colours(enlarged(lr), lr), enlarged(lr))
    assert not keep_colours(enlarged(lr), torch.zeros_like(lr)).any()


@pytest.mark.parametrize("kind", ["moving", "flat", "black bars", "grey"])
def test_colour_correction_without_synchronisation_is_equal(kind: str) -> None:
    lr = moving_clip(1, 20, 28)[0]
    if kind == "flat":
        lr = torch.full_like(lr, 0.5)
    elif kind == "black bars":
        lr[:, :8] = 0
    elif kind == "grey":
        lr = lr.mean(0, keepdim=True).expand(3, -1, -1)
    hr = enlarged(lr) + (0.02 * torch.randn(3, 80, 112) + 0.004 if kind != "flat" else 0)
    assert torch.equal(keep_colours(hr, lr, wait=True), keep_colours(hr, lr, wait=False, grey=kind in ("grey", "flat")))


def test_a_single_coloured_pixel_makes_a_picture_coloured() -> None:
    picture = np.repeat(np.arange(70 * 9, dtype=np.uint16).reshape(70, 9, 1), 3, -1)
    assert is_grey(picture)
    picture[69, 8, 2] += 1
    assert not is_grey(picture)


def test_strips_give_the_bits_of_whole_frames() -> None:
    generator = torch.Generator().manual_seed(4)
    lr = torch.rand(3, 70, 900, generator=generator)
    lr[:, :9], lr[:, -12:, 300:] = 0, 1
    hr = F.interpolate(lr[None], scale_factor=4, mode="bicubic")[0]
    hr += 0.1 * torch.randn(hr.shape, generator=generator)
    before = hr.clone()
    assert torch.equal(keep_colours(hr, lr, wait=True), keep_colours(hr, lr, wait=False))
    assert torch.equal(hr, before), "a net may still need it"
    for depth in (8, 16):
        whole = torch.cat([levels_on_device(rows[:, None], depth) for rows in hr.unbind(1)], 1)
        assert torch.equal(levels_on_device(hr, depth), whole)
