"""Noise is measured where there is some, and not made of texture, motion or compression."""

from pathlib import Path

import numpy as np
import pytest

from tests.media import make
from vsrcli.media.read.probe import probe
from vsrcli.media.strength.compression import measure_compression
from vsrcli.media.strength.noise import measure_noise, noise_of

SIZE = (96, 128)


def moving(number: int) -> np.ndarray:
    """Return a picture with a calm part and one whose texture moves, levels in 0..255."""
    y, x = np.mgrid[: SIZE[0], : SIZE[1]].astype(float)
    texture = 40 * np.sin((x + 3 * number) * 1.1) * np.sin(y * 0.9)
    return np.asarray(80 + 0.3 * x + 0.2 * y + np.where(x > 48, texture, 0))


@pytest.mark.parametrize("sigma", [0.0, 1.5, 3.0, 6.0])
def test_the_deviation_is_measured_beside_moving_texture(sigma: float) -> None:
    chance = np.random.default_rng(3)
    pictures = [moving(n) + sigma * chance.standard_normal(SIZE) for n in range(2)]
    found = noise_of(iter(np.clip(np.round(one), 0, 255).astype(np.uint8) for one in pictures))
    assert found == pytest.approx(sigma, rel=0.25, abs=0.5)


def test_repeated_and_black_pictures_tell_nothing() -> None:
    grey, black = np.full(SIZE, 128, np.uint8), np.zeros(SIZE, np.uint8)
    assert noise_of(iter([grey, grey, grey])) is None
    chance = np.random.default_rng(3)
    assert noise_of(iter(black + chance.integers(0, 4, SIZE, dtype=np.uint8) for _ in range(3))) is None


@pytest.mark.parametrize(("strength", "least", "most"), [(0, 0.0, 0.6), (12, 5.0, 9.0)])
def test_a_capture_is_as_noisy_as_its_tape(tmp_path: Path, strength: int, least: float, most: float) -> None:
    source = tmp_path / "capture.avi"  # ffmpeg's noise has a deviation of its strength by the root of 3
    picture = f"testsrc2=s=192x128:r=25,gblur=sigma=2,noise=c0s={strength}:c0f=t,format=yuv422p"
    make.ffmpeg("-f", "lavfi", "-i", picture, "-frames:v", "12", "-c:v", "huffyuv", source)
    found = measure_compression(probe(source))
    assert found.lossless and least <= found.noise <= most


def test_real_videos_are_not_taken_for_noisy(shared: Path) -> None:
    for name in ("rooftops_320x240_60fps.mp4", "bear_vp9_opus.webm", "phone_rotated_vfr.mp4"):
        assert measure_noise(probe(shared / "data/real" / name)) < 1.5
