"""A box is filled with black only where that is asked for; the picture lies in its middle, undistorted."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import vsrcli
from tests.command import vsr
from tests.media import make
from vsrcli.errors import UsageError


@pytest.fixture
def how(tiny_model: str) -> dict[str, Any]:
    return {"model": tiny_model, "window": 4, "lookahead": 1, "precision": "fp32", "codec": "ffv1"}


def pictures(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as made:
        assert made.streams.video[0].sample_aspect_ratio in (None, 1)
        return [frame.to_ndarray(format="rgb24") for frame in made.decode(video=0)]


@pytest.mark.parametrize(
    ("sar", "box", "inside"),
    [
        (None, (160, 80), (slice(0, 80), slice(26, 132))),  # 106x80
        (None, (80, 120), (slice(30, 90), slice(0, 80))),  # 80x60
        (Fraction(4, 3), (128, 96), (slice(12, 84), slice(0, 128))),  # 16:9 in 4:3
        (None, (128, 96), (slice(0, 96), slice(0, 128))),
    ],
)
@pytest.mark.parametrize("grey", [False, True])
def test_black_surrounds_the_picture(
    tmp_path: Path, how: dict[str, Any], sar: Fraction | None, box: tuple[int, int], inside: Any, grey: bool
) -> None:
    draw = (lambda n, w, h: np.full((h, w, 3), (120, 120, 120), np.uint8)) if grey else None
    film = make.video(tmp_path / "a.mkv", frames=3, width=32, height=24, sar=sar, draw=draw)
    plain = pictures(vsrcli.upscale(film, tmp_path / "b.mkv", fit=box, **how).output)
    padded = pictures(vsrcli.upscale(film, tmp_path / "c.mkv", fit=box, pad=True, **how).output)
    for small, large in zip(plain, padded, strict=True):
        assert large.shape == (box[1], box[0], 3)
        part = large[inside].astype(int)
        assert part.shape == small.shape and np.abs(part - small)[2:-2, 2:-2].mean() < 1.5
        outside = large.copy()
        outside[inside] = 0
        assert outside.max(initial=0) <= 40 and outside.mean() < 1  # chroma of 4:2:0 bleeds by a pixel


def test_padding_needs_a_box_and_a_video(tmp_path: Path, how: dict[str, Any]) -> None:
    film = make.video(tmp_path / "a.mkv", frames=3, width=32, height=24)
    with pytest.raises(UsageError, match="padding needs a box"):
        vsrcli.upscale(film, tmp_path / "b.mkv", pad=True, **how)
    done = vsr("upscale", film, "--size", "160x80", "--pad")
    assert (done.returncode, done.stderr) == (2, "vsr: padding needs a box to fit: --pad goes with --fit WxH\n")
    with pytest.raises(UsageError, match="images are not padded"):
        vsrcli.upscale(film, tmp_path / "new" / "%d.png", fit=(160, 80), pad=True, **{**how, "codec": None})
