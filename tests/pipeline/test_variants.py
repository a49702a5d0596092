"""Sources and names that no issue named, found by trying."""

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.command import vsr
from tests.media import make
from vsrcli.errors import InputError
from vsrcli.media.info import Colour
from vsrcli.media.read.decode import decode
from vsrcli.media.read.probe import probe


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


def _joined(folder: Path, first: Colour, second: Colour, picture: np.ndarray) -> Path:
    parts = [
        make.video(folder / f"{n}.ts", frames=4, colour=colour, draw=lambda number, width, height: picture)
        for n, colour in enumerate((first, second))
    ]
    (folder / "list.txt").write_text("".join(f"file {part.name}\n" for part in parts))
    make.ffmpeg("-f", "concat", "-i", folder / "list.txt", "-c", "copy", folder / "both.ts")
    return folder / "both.ts"


BT709, BT601, FULL = Colour(1, 1, 1, 1), Colour(5, 1, 5, 6), Colour(1, 2, 1, 1)


@pytest.mark.parametrize(
    ("second", "told"),
    [
        (
            BT601,
            ["the colour matrix changes at 0.16 s, from 1 to 5", "set of primaries changes", "transfer curve changes"],
        ),
        (FULL, ["the range changes at 0.16 s, from limited to full"]),
        (BT709, []),
    ],
)
def test_colours_that_change_midway_are_converted_as_they_say(tmp_path: Path, second: Colour, told: list[str]) -> None:
    picture = np.empty((48, 64, 3), np.uint8)
    picture[:] = (200, 60, 40)
    lines: list[str] = []
    frames = list(decode(probe(_joined(tmp_path, BT709, second, picture)), warn=lines.append))
    assert len(frames) == 8
    for frame in frames:
        assert np.abs(frame.data.astype(int) - picture).max() <= 3
    assert len(lines) == len(told) and all(any(part in line for line in lines) for part in told), lines


def test_a_shape_that_the_container_declares_holds_for_all_of_it(tmp_path: Path) -> None:
    source = ["-f", "lavfi", "-i", "testsrc2=s=176x144:r=25:d=0.2"]
    make.ffmpeg(*source, "-c:v", "h263", "-pix_fmt", "yuv420p", tmp_path / "a.3gp")
    lines: list[str] = []
    assert len(list(decode(probe(tmp_path / "a.3gp"), warn=lines.append))) == 5
    assert lines == []


@pytest.mark.parametrize(
    ("kind", "options", "depth"),
    [("pgm", ["-pix_fmt", "gray"], 8), ("ppm", [], 8), ("dpx", ["-pix_fmt", "gbrp10be"], 10), ("qoi", [], 8),
     ("sgi", [], 8), ("jp2", [], 8), ("pcx", [], 8), ("pam", ["-pix_fmt", "rgb48be"], 16)],
)  # fmt: skip
def test_images_of_other_kinds_become_images(
    tmp_path: Path, tiny_model: str, kind: str, options: list[str], depth: int
) -> None:
    source = ["-f", "lavfi", "-i", "testsrc2=s=32x24:r=25", "-frames:v", "2", *options]
    (tmp_path / "in").mkdir()
    make.ffmpeg(*source, tmp_path / "in" / f"%04d.{kind}")
    one = tmp_path / "in" / f"0001.{kind}"
    assert probe(one).bit_depth == depth and probe(tmp_path / "in").frames == 2
    done = vsr("upscale", one, "-m", tiny_model, "--device", "cpu")
    assert done.returncode == 0 and f".{kind} is not written: the result is .png" in done.stderr, done.stderr
    assert (probe(tmp_path / "in" / "0001_x4.png").width, vsr("info", one).returncode) == (128, 0)


def test_an_image_that_cannot_be_read_is_not_called_a_list(tmp_path: Path) -> None:
    make.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=32x24", "-frames:v", "1", tmp_path / "a.tga")
    with pytest.raises(InputError, match=r"a\.tga is an image of a kind that vsr does not read"):
        probe(tmp_path / "a.tga")
