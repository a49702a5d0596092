"""Frames of evaluation clips are paired by the published protocol."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.evaluate.make import clip
from tests.media import make
from tests.told import told
from vsrcli.errors import InputError, UsageError
from vsrcli.evaluate.clips import Degradation, choose_clips, length, pairs
from vsrcli.evaluate.datasets import Clip, find_clips
from vsrcli.levels import planes_to_picture
from vsrcli.media.photo.images import write_png
from vsrcli.quality.degrade import bd, bi
from vsrcli.quality.metrics import planes, psnr


@pytest.mark.parametrize(("degradation", "degrade"), [("bi", bi), ("bd", bd)])
def test_lr_is_made_of_the_cropped_truth_in_8_bits(
    two_clips: Path, degradation: Degradation, degrade: Callable[[Tensor, int], Tensor]
) -> None:
    [first, _] = choose_clips(two_clips)
    made = list(pairs(first, degradation, 4))
    assert [p.name for p in made] == ["000", "001", "002", "003"]
    truth = torch.from_numpy(make.pattern(2, 74, 58)).permute(2, 0, 1)[:, :56, :72]
    assert torch.equal(made[2].hr, truth)
    assert torch.equal(made[2].lr, degrade(truth / 255, 4))
    levels = made[2].lr * 255
    assert torch.allclose(levels, levels.round(), atol=1e-4)


def test_given_lr_frames_are_unchanged(tmp_path: Path) -> None:
    clip(tmp_path / "GT" / "a", width=130, height=96)
    clip(tmp_path / "LR" / "a", width=32, height=24, seed=5)
    [found] = find_clips(tmp_path)
    pair = next(pairs(found, "none", 4))
    assert pair.hr.shape == (3, 96, 128)
    assert (planes_to_picture((pair.lr * 255).round().to(torch.uint8)) == make.pattern(0, 32, 24, seed=5)).all()


@pytest.mark.parametrize(("hr", "lr"), [("GT/a", "LR/a"), ("a/GT", "a/LR")])
def test_lr_frames_are_found_in_the_layouts_of_the_help(tmp_path: Path, hr: str, lr: str) -> None:
    clip(tmp_path / hr)
    clip(tmp_path / lr, width=32, height=24)
    clip(tmp_path / lr.replace("LR", "x2"), width=64, height=48)
    [found] = find_clips(tmp_path)
    assert next(pairs(found, "none", 4)).lr.shape == (3, 24, 32)


def test_lr_frames_of_another_scale_are_rejected(tmp_path: Path) -> None:
    clip(tmp_path / "GT" / "a", width=128, height=96)
    clip(tmp_path / "LR" / "a", width=64, height=48)
    [found] = find_clips(tmp_path)
    with told(InputError, "--scale"):
        next(pairs(found, "none", 4))


def test_degradation_none_requires_lr_frames(two_clips: Path) -> None:
    layouts = r"GT/first/\*.png with LR/first/\*.png, or first/GT/\*.png with first/LR/\*.png\)"
    with told(InputError, layouts + ": give --degradation bi or bd to make them"):
        next(pairs(choose_clips(two_clips)[0], "none", 4))


def test_a_video_is_a_clip_and_limits_hold(tmp_path: Path) -> None:
    path = make.video(tmp_path / "film.mp4", frames=6)
    [film] = find_clips(path)
    assert length(film) == 6 and length(film, 4) == 4
    made = list(pairs(film, "bi", 4, limit=4))
    assert len(made) == 4 and made[0].hr.shape == (3, 48, 64)


def test_lr_frames_are_compressed_on_request_and_the_truth_is_not(two_clips: Path) -> None:
    clips = choose_clips(two_clips)
    plain, fine, coarse = (list(pairs(clips[0], "bi", 4, crf=crf)) for crf in (None, 20, 35))
    assert [p.name for p in fine] == [p.name for p in plain]
    assert all(torch.equal(a.hr, b.hr) for a, b in zip(fine, plain, strict=True))
    likeness = [
        min(float(psnr(planes(a.lr), planes(b.lr))) for a, b in zip(those, plain, strict=True))
        for those in (fine, coarse)
    ]
    assert 50 > likeness[0] > likeness[1] + 5 > 15
    assert all(torch.equal(a.lr, b.lr) for a, b in zip(pairs(clips[0], "bi", 4, crf=35), coarse, strict=True))


def test_noise_has_the_deviation_asked_for_and_is_the_same_each_time(two_clips: Path) -> None:
    first = choose_clips(two_clips)[0]
    plain, noisy, again = (list(pairs(first, "bi", 4, noise=noise)) for noise in (0.0, 3.0, 3.0))
    assert all(torch.equal(a.lr, b.lr) for a, b in zip(noisy, again, strict=True))
    inner = [(a.lr > 0.1) & (a.lr < 0.9) for a in plain]
    added = torch.cat([255 * (b.lr - a.lr)[where] for a, b, where in zip(plain, noisy, inner, strict=True)])
    assert abs(float(added.std()) - 3) < 0.2 and abs(float(added.mean())) < 0.2
    assert not torch.equal(noisy[0].lr - plain[0].lr, noisy[1].lr - plain[1].lr)


def test_odd_lr_frames_cannot_be_compressed(tmp_path: Path) -> None:
    clip(tmp_path / "a", width=100, height=64)
    with pytest.raises(UsageError, match="25x16"):
        next(pairs(choose_clips(tmp_path)[0], "bi", 4, crf=28))


def test_clips_are_chosen_by_name(two_clips: Path) -> None:
    assert [c.name for c in choose_clips(two_clips, ["second"])] == ["second"]
    with pytest.raises(UsageError, match="no clip called third: there is first, second"):
        choose_clips(two_clips, ["third"])


def test_16_bit_truth_counts_with_8_bits(tmp_path: Path) -> None:
    write_png(tmp_path / "0.png", make.pattern(0).astype("uint16") * 257)
    pair = next(pairs(Clip("deep", (tmp_path / "0.png",)), "bi", 4))
    assert (planes_to_picture(pair.hr) == make.pattern(0)).all()
