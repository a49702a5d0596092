"""Photographs become moving clips."""

import torch

from vsrcli.training.data import stills


def test_stills_move_smoothly_and_differ_by_seed() -> None:
    photo = torch.nn.functional.interpolate(torch.rand(1, 3, 4, 4), size=(160, 160), mode="bicubic")[0] * 255
    photo = photo.clamp(0, 255).to(torch.uint8)
    clip = stills.animate(photo, 4, 32, torch.Generator().manual_seed(1), front=photo.flip(-1))
    assert clip.shape == (4, 3, 32, 32) and clip.dtype == torch.uint8
    steps = clip.float().diff(dim=0).abs().mean((1, 2, 3))
    assert (steps > 0.01).all() and (steps < clip.float().std()).all()
    assert not torch.equal(clip, stills.animate(photo, 4, 32, torch.Generator().manual_seed(2)))
