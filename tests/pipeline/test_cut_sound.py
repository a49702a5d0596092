"""Samples of a part begin and end with its picture: they are cut anywhere, and stay as they are."""

from pathlib import Path

import av
import numpy as np
import pytest

import vsrcli
from tests.media import make

RATE, STEP = 48000, 65536
"""Samples a second, and the steps that they count up by."""


@pytest.fixture(scope="module")
def counted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a film whose sound is a ramp: every sample tells its place."""
    path = tmp_path_factory.mktemp("ramp") / "a.mkv"
    sound = f"aevalsrc=n/{STEP}:s={RATE}:d=0.8"
    make.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=32x32:r=25:d=0.8", "-f", "lavfi", "-i", sound,
                "-c:v", "libx264", "-bf", "0", "-c:a", "pcm_f32le", path)  # fmt: skip
    return path


def places(path: Path) -> np.ndarray:
    """Return the place in the source of every sample of a result."""
    with av.open(str(path)) as container:
        heard = list(container.decode(audio=0))
    assert heard[0].pts == 0
    samples = np.concatenate([part.to_ndarray().ravel() for part in heard])
    return np.asarray(np.rint(samples * STEP))


@pytest.mark.parametrize("suffix", [".mkv", ".mov", ".avi"])
def test_samples_are_cut_with_the_picture(counted: Path, tmp_path: Path, tiny_model: str, suffix: str) -> None:
    output = tmp_path / f"b{suffix}"
    made = vsrcli.upscale(counted, output, model=tiny_model, window=4, start=0.2, end=0.52)
    assert made.frames == 8
    assert np.array_equal(places(output), np.arange(round(0.2 * RATE), round(0.52 * RATE)))
