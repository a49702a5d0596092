"""Narrow and cropped sources go through whole jobs with their size and colours."""

from pathlib import Path

import numpy as np
import pytest

import vsrcli
from tests.media import make
from vsrcli.errors import UsageError
from vsrcli.media.read.decode import decode
from vsrcli.media.read.probe import probe


def _job(source: Path, output: Path) -> None:
    result = vsrcli.upscale(source, output, model="repvsr.real", window=2, lookahead=0, codec="ffv1")
    before, after = list(decode(probe(source))), list(decode(probe(result.output)))
    assert len(before) == len(after)
    for small, large in zip(before, after, strict=True):
        assert large.data.shape == (4 * small.height, 4 * small.width, 3)
        shift = large.data.mean((0, 1)) - small.data.mean((0, 1))
        assert np.abs(shift).max() / np.iinfo(small.data.dtype).max < 0.6 / 255


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p10le"])
def test_a_narrow_source_keeps_its_colours(tmp_path: Path, pix_fmt: str) -> None:
    source = tmp_path / "in.mkv"
    drawn = ["-f", "lavfi", "-i", "testsrc2=s=64x200,scale=6:200", "-frames:v", "2", "-pix_fmt", pix_fmt]
    make.ffmpeg(*drawn, "-c:v", "ffv1", source)
    _job(source, tmp_path / "out.mkv")


def test_a_source_cropped_to_odd_sizes_keeps_them(tmp_path: Path) -> None:
    whole, source = make.video(tmp_path / "w.mp4", width=48, height=32, frames=2, pix_fmt="yuv444p"), tmp_path / "c.mp4"
    make.ffmpeg("-i", whole, "-c", "copy", "-bsf:v", "h264_metadata=crop_right=15:crop_bottom=15", source)
    info = probe(source)
    assert (info.width, info.height) == (33, 17)
    _job(source, tmp_path / "out.mkv")


def test_a_refusal_names_the_least_size(tmp_path: Path) -> None:
    source = make.video(tmp_path / "in.mkv", codec="ffv1", pix_fmt="yuv420p", width=2, height=2, frames=1)
    with pytest.raises(UsageError, match=r"an output of 8x8 is out of range \(16 to 16384 pixels a side\)"):
        vsrcli.upscale(source, tmp_path / "out.mkv", model="repvsr.real")
