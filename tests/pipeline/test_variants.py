"""Sources and names that no issue named, found by trying."""

import os
from fractions import Fraction
from pathlib import Path

import pytest

from tests.command import vsr
from tests.media import make
from vsrcli.errors import InputError
from vsrcli.media.decode import decode
from vsrcli.media.probe import probe


@pytest.mark.skipif(os.name == "nt", reason="names are bounded by characters there")
@pytest.mark.parametrize("stem", ["x" * 251, "é" * 125])
def test_the_default_output_of_a_long_name_has_room(tmp_path: Path, tiny_model: str, stem: str) -> None:
    source = make.video(tmp_path / "a.mkv", frames=2).rename(tmp_path / f"{stem}.mkv")
    done = vsr("upscale", source, "-m", tiny_model, "--device", "cpu")
    assert done.returncode == 0, done.stderr
    (made,) = (path for path in tmp_path.iterdir() if path != source)
    assert made.name.endswith("_x4.mkv") and made.name.startswith(stem[:100])


def test_a_format_without_a_conversion_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.nut"
    make.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.1", "-pix_fmt", "rgb4", "-c:v", "rawvideo", path)
    with pytest.raises(InputError, match="pictures of the format rgb4 cannot be converted"):
        list(decode(probe(path)))


@pytest.mark.parametrize(("size", "rate"), [("720x576", "25"), ("720x480", "30000/1001")])
def test_raw_dv_has_the_rate_of_its_frames(tmp_path: Path, size: str, rate: str) -> None:
    source = ["-f", "lavfi", "-i", f"testsrc2=s={size}:r={rate}:d=0.4", "-pix_fmt", "yuv420p"]
    make.ffmpeg(*source, "-target", "pal-dv" if rate == "25" else "ntsc-dv", tmp_path / "a.dv")
    info = probe(tmp_path / "a.dv")
    assert info.rate == Fraction(rate) and info.frames is not None and abs(info.frames - 0.4 * info.rate) < 1.5
