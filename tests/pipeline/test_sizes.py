"""Outputs have the size that was asked for, and what a source crops stays hidden."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.media import make
from vsrcli.media.read.decode import decode
from vsrcli.media.read.probe import probe
from vsrcli.media.write.codecs import choose_settings
from vsrcli.pipeline.options import Options, output_size


@pytest.mark.parametrize(("scale", "size"), [(3, (195, 141)), (2, (130, 94)), (4, (260, 188)), (1.5, (98, 70))])
def test_a_scale_is_kept_exactly_where_the_format_allows_it(
    tmp_path: Path, scale: float, size: tuple[int, int]
) -> None:
    info = probe(make.video(tmp_path / "a.mkv", codec="ffv1", pix_fmt="yuv444p", width=65, height=47, frames=1))
    width, height = output_size(Options(scale=scale), info, 4)
    assert (width, height) == size
    exact = choose_settings(info, tmp_path / "b.mkv", width=width, height=height)
    assert (exact.width, exact.height, exact.notes) == (*size, ())
    halved = choose_settings(replace(info, pix_fmt="yuv420p"), tmp_path / "b.mkv", width=width, height=height)
    assert (halved.width, halved.height) == (width + width % 2, height + height % 2)
    assert bool(halved.notes) == bool(width % 2 or height % 2)


@pytest.mark.parametrize("crop", [(6, 10, 0, 0), (2, 0, 2, 0), (14, 2, 6, 4), (0, 10, 0, 4)])
def test_pixels_cropped_by_h264_stay_hidden(tmp_path: Path, crop: tuple[int, int, int, int]) -> None:
    left, right, top, bottom = crop
    whole, cropped = make.video(tmp_path / "a.mp4", width=80, height=64, frames=2), tmp_path / "b.mp4"
    sides = f"crop_left={left}:crop_right={right}:crop_top={top}:crop_bottom={bottom}"
    make.ffmpeg("-i", whole, "-c", "copy", "-bsf:v", f"h264_metadata={sides}", cropped)
    info = probe(cropped)
    assert (info.width, info.height) == (80 - left - right, 64 - top - bottom)
    inner = next(decode(probe(whole))).data[top : 64 - bottom, left : 80 - right].astype(int)
    found = next(decode(info)).data.astype(int)
    assert found.shape == inner.shape
    assert abs(found - inner)[4:-4, 4:-4].max() <= 1
