"""Batches depend only on their number, and their pairs stay aligned."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.training.make import TINY, textured
from vsrcli.cli.messages import full
from vsrcli.errors import UsageError
from vsrcli.quality import degrade
from vsrcli.training import recipe
from vsrcli.training.data.pack import Pack
from vsrcli.training.data.sampler import Sampler
from vsrcli.training.recipe import DataRecipe


def test_a_batch_depends_on_its_number_alone(packed: Path) -> None:
    made = [Sampler(Pack([packed]), recipe.parse(TINY, "tiny").data, 4, seed=3) for _ in range(2)]
    lr, hr = made[0].batch(7)
    assert lr.shape == (2, 3, 3, 12, 12) and hr.shape == (2, 3, 3, 48, 48)
    torch.testing.assert_close(made[1].batch(7)[1], hr, atol=0, rtol=0)
    assert not torch.equal(made[0].batch(8)[1], hr)
    torch.testing.assert_close(degrade.bi(hr, 4), lr, atol=0, rtol=0)


def test_share_of_still_clips(packed: Path) -> None:
    data = replace(recipe.parse(TINY, "tiny").data, still=0.5)
    clips = [clip for number in range(16) for clip in Sampler(Pack([packed]), data, 4, seed=0).batch(number)[1]]
    still = sum(torch.equal(clip[0], clip[-1]) for clip in clips)
    assert 0 < still < len(clips)


def test_pairs_stay_aligned_through_every_augmentation(tmp_path: Path) -> None:
    lr = textured(5, 24, 20)
    hr = lr.repeat_interleave(4, -1).repeat_interleave(4, -2)
    save_file({"train/a": hr, "train-lr/a": lr}, tmp_path / "real.safetensors")
    data = replace(recipe.parse(TINY, "tiny").data, degradation="real")
    sampler = Sampler(Pack([tmp_path / "real.safetensors"]), data, 4, seed=0)
    for number in range(16):
        small, big = sampler.batch(number)
        # a level is 4e-3; the target's mean is brought to the small frame's, which they share, in float32
        torch.testing.assert_close(big[..., 1::4, 2::4], small, atol=1e-6, rtol=0)


def test_real_degradation_is_drawn_anew_for_each_batch_and_keeps_the_mean(tmp_path: Path) -> None:
    save_file({"train/a": textured(4, 128, 128)}, tmp_path / "sharp.safetensors")
    made = Pack([tmp_path / "sharp.safetensors"])
    sampler = Sampler(made, DataRecipe("real", patch=16, frames=3, batch=1), 4, seed=3)
    (lr, hr), (other, _) = sampler.batch(0), sampler.batch(1)
    assert lr.shape == (1, 3, 3, 16, 16) and hr.shape == (1, 3, 3, 64, 64)
    assert torch.equal(sampler.batch(0)[0], lr) and not torch.equal(lr, other)
    assert torch.allclose(lr.mean((-2, -1)), hr.mean((-2, -1)), atol=1e-5)


def refusal(path: Path, data: DataRecipe) -> UsageError:
    with pytest.raises(UsageError) as refused:
        Sampler(Pack([path]), data, 4, seed=0)
    return refused.value


def test_a_pack_that_does_not_fit_is_told_what_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "few.safetensors"
    save_file({"train/a": textured(3, 48, 60), "train/b": textured(2, 48, 60)}, path)
    short = refusal(path, DataRecipe("bi", patch=12, frames=5))
    clips = f"{path}: its clips have 3 frames of 60x48 or 2 frames of 60x48"
    assert str(short) == f"{clips}; the recipe wants 5 of 48x48"
    assert full(short).endswith(": pack with --frames 5, or write frames = 3 in a recipe of your own")
    small = refusal(path, DataRecipe("bi", patch=16, frames=3))
    assert str(small) == f"{clips}; the recipe wants 3 of 64x64" == full(small)


def test_answers_are_missed_only_where_frames_are_enough(tmp_path: Path) -> None:
    path = tmp_path / "taught.safetensors"
    save_file({"train/a": textured(3, 48, 48), "train-answer/a": textured(3, 48, 48)}, path)
    assert "teacher" not in full(refusal(path, DataRecipe("bi", patch=12, frames=5, answers=0.8)))
    save_file({"train/a": textured(3, 48, 48)}, path)
    lacking = refusal(path, DataRecipe("bi", patch=12, frames=3, answers=0.8))
    assert full(lacking).endswith("no clip with 3 frames of 48x48 has a teacher's answer (`vsr train teach` adds them)")
    odd = refusal(path, DataRecipe("real", patch=12, frames=3, answers=0.8))
    assert "no clip can be compressed" in str(odd) and "teacher" not in full(odd)
