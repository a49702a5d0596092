"""Real codecs degrade frames realistically, and keep colours and positions."""

import pytest
import torch

from tests.training.make import textured
from vsrcli.quality import degrade
from vsrcli.training.data.real import CHAINS, CODECS, Codec, compress, lower_real, transcode


@pytest.mark.parametrize("codec", CODECS[1:], ids=lambda codec: codec.encoder)
def test_real_codecs_degrade_but_keep_every_frame(codec: Codec) -> None:
    clip = textured(4, 32, 64)
    decoded, better = (transcode(clip, codec.encoder, codec.at(quality)) for quality in (codec.worst, codec.best))
    assert decoded.shape == clip.shape and decoded.dtype == torch.uint8
    damage, less = ((frames.float() - clip.float()).abs().mean() for frames in (decoded, better))
    assert 1 < damage < 80 and less < damage


@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.encoder)
def test_a_round_trip_through_a_codec_keeps_the_mean_of_flat_colours(codec: Codec) -> None:
    for colour in ([16, 16, 16], [128, 128, 128], [235, 235, 235], [200, 40, 40], [40, 40, 200]):
        clip = torch.tensor(colour, dtype=torch.uint8).view(1, 3, 1, 1).expand(3, 3, 32, 32).contiguous()
        decoded = transcode(clip, codec.encoder, codec.at(codec.best)).float()
        assert (decoded - clip.float()).mean((0, 2, 3)).abs().max() <= 2  # 8-bit Y'CbCr has no closer colour


def test_mild_compression_damages_less() -> None:
    grey = textured(4, 32, 64).float().mean(1, keepdim=True).expand(4, 3, 32, 64)  # 4:2:0 alone damages colours
    clip = (64 + grey / 4).to(torch.uint8)

    def damage(seed: int, degradation: str) -> float:
        lossy = compress(clip, torch.Generator().manual_seed(seed), CHAINS[degradation])
        return float((lossy.float() - clip.float()).abs().mean())

    both = [(damage(seed, "mild"), damage(seed, "real")) for seed in range(8)]
    assert all(0 < mild < real for mild, real in both)
    assert 1.2 * sum(mild for mild, _ in both) < sum(real for _, real in both)


def test_lr_frames_are_small_and_show_the_same_picture() -> None:
    ramp = torch.linspace(0, 255, 128).expand(3, 3, 128, 128).to(torch.uint8)
    for seed in range(6):
        lr = lower_real(ramp, 4, torch.Generator().manual_seed(seed))
        assert lr.shape == (3, 3, 32, 32)
        expected = degrade.imresize(ramp.float(), 0.25)
        assert (lr.float() - expected).abs().mean() < 6  # a shift of one LR pixel alone would be 8
