"""Sizes as people say them: boxes, square pixels, parts of the picture, and what is large enough already."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

from tests.command import vsr
from tests.media import make
from vsrcli.errors import LargeAlreadyError, UsageError
from vsrcli.media.info import Colour, VideoInfo
from vsrcli.media.read.crop import cropped
from vsrcli.media.read.decode import decode
from vsrcli.media.read.probe import probe
from vsrcli.pipeline.jobs.job import refuse_large
from vsrcli.pipeline.options import Options, output_size

TURNED = (0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
PAL, NTSC = (720, 576, Fraction(16, 15)), (720, 480, Fraction(8, 9))


def source(width: int, height: int, aspect: Fraction, rotation: tuple[int, ...] | None = None) -> VideoInfo:
    return VideoInfo(
        path=Path("a.mkv"), container="matroska", stream_index=0, codec="h264", width=width, height=height,
        pix_fmt="yuv420p", bit_depth=8, time_base=Fraction(1, 25), frames=1, duration=1.0, rate=Fraction(25),
        colour=Colour(), sample_aspect_ratio=aspect, rotation=rotation, interlaced=False, mastering_display=None,
        content_light=None, streams=(), chapters=0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("shape", "asked", "size"),
    [
        (PAL, {"height": 1080, "square_pixels": True}, (1440, 1080)),
        (NTSC, {"height": 1080, "square_pixels": True}, (1440, 1080)),
        (PAL, {"fit": (1920, 1080)}, (1440, 1080)),
        (NTSC, {"fit": (1920, 1080)}, (1440, 1080)),
        ((720, 576, Fraction(64, 45)), {"fit": (1920, 1080)}, (1920, 1080)),
        ((640, 360, Fraction(0)), {"fit": (1920, 1080)}, (1920, 1080)),
        ((1080, 1920, Fraction(1)), {"fit": (1920, 1080)}, (608, 1080)),
        ((640, 272, Fraction(1)), {"fit": (1920, 1080)}, (1920, 816)),
        (PAL, {"square_pixels": True}, (3072, 2304)),
        (NTSC, {"square_pixels": True}, (2880, 2160)),
        (PAL, {"height": 1080}, (1350, 1080)),
        (PAL, {"max_height": 1080}, (1350, 1080)),
        ((320, 240, Fraction(1)), {"max_height": 1080}, (1280, 960)),
        ((640, 360, Fraction(1)), {"scale": 4, "max_height": 720}, (1280, 720)),
    ],
)
def test_output_size_follows_the_options(
    shape: tuple[int, int, Fraction], asked: dict[str, Any], size: tuple[int, int]
) -> None:
    assert output_size(Options(**asked), source(*shape), 4) == size


def test_a_rotated_picture_fits_in_its_upright_shape() -> None:
    assert output_size(Options(fit=(1920, 1080)), source(1280, 720, Fraction(1), TURNED), 4) == (1080, 608)
    assert output_size(Options(height=1080, square_pixels=True), source(*PAL, TURNED), 4) == (1080, 810)


@pytest.mark.parametrize("shape", [PAL, NTSC, (720, 576, Fraction(0)), (704, 576, Fraction(16, 11))])
def test_the_height_of_a_turned_picture_is_counted_in_lines_as_it_is_shown(shape: tuple[int, int, Fraction]) -> None:
    tape = source(*shape, TURNED)
    for asked in (Options(height=1080), Options(max_height=1080), Options(scale=3, max_height=1080)):
        width, height = output_size(asked, tape, 4)
        result = replace(tape, width=width, height=height)
        assert 1080 - 2 * (shape[2] or 1) < result.shown[1] <= 1080
        assert result.shown[0] / result.shown[1] == pytest.approx(tape.shown[0] / tape.shown[1], rel=0.003)
    refuse_large(tape, Options(skip_above=tape.shown[1]))
    with pytest.raises(LargeAlreadyError, match=f"has {tape.shown[1]} lines"):
        refuse_large(tape, Options(skip_above=tape.shown[1] - 1))


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"fit": (64, 64), "height": 64}, "a box to fit excludes scale, height and size"),
        ({"size": (64, 64), "square_pixels": True}, "leaves neither the height nor the pixels' shape open"),
        ({"crop": "1:2"}, "not a crop: 1:2"),
        ({"crop": "a:b:c:d"}, "not a crop: a:b:c:d"),
    ],
)
def test_contradicting_size_options_are_refused(asked: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Options(**asked).check()


def bordered(path: Path, pad: str = "96:80:10:16", pix_fmt: str = "yuv420p") -> Path:
    picture = f"testsrc2=s=64x48:d=0.4,format={pix_fmt},pad={pad}:black"
    make.ffmpeg("-f", "lavfi", "-i", picture, "-c:v", "ffv1", path)
    return path


def test_black_borders_are_detected_and_cropped(tmp_path: Path) -> None:
    whole = probe(bordered(tmp_path / "a.mkv"))
    inner = cropped(whole, "auto")
    assert inner.crop is not None
    assert (inner.width, inner.height, inner.crop.x, inner.crop.y) == (64, 48, 10, 16)
    frames, parts = list(decode(whole)), list(decode(inner))
    assert len(frames) == len(parts) == 10
    assert all((f.data[16:64, 10:74] == p.data).all() and f.pts == p.pts for f, p in zip(frames, parts, strict=True))


@pytest.mark.parametrize(("border", "cut"), [(1, 0), (2, 2), (3, 2), (5, 4)])
def test_thin_borders_are_cut_to_an_even_line(tmp_path: Path, border: int, cut: int) -> None:
    inner = cropped(probe(bordered(tmp_path / "a.mkv", pad=f"64:80:0:{border}", pix_fmt="yuv444p")), "auto")
    assert inner.crop is not None and inner.crop.y == cut
    assert 0 <= inner.height - (48 + border - cut) <= 1


def test_pictures_without_borders_or_all_black_are_not_cropped(tmp_path: Path) -> None:
    plain = probe(make.video(tmp_path / "a.mkv", frames=3, width=64, height=48))
    assert cropped(plain, "auto").crop is None
    make.ffmpeg("-f", "lavfi", "-i", "color=black:s=64x48:d=0.2", "-c:v", "ffv1", tmp_path / "b.mkv")
    assert cropped(probe(tmp_path / "b.mkv"), "auto").crop is None


def test_a_crop_outside_the_picture_is_refused(tmp_path: Path) -> None:
    plain = probe(make.video(tmp_path / "a.mkv", frames=1, width=64, height=48))
    for part in ("64:48:1:0", "65:48:0:0", "8:8:0:0"):
        with pytest.raises(UsageError, match="does not fit the picture of 64x48"):
            cropped(plain, part)


def test_a_cropped_tape_gets_square_pixels_with_a_note(tmp_path: Path, tiny_model: str) -> None:
    film = bordered(tmp_path / "a.mkv")
    make.ffmpeg("-i", film, "-vf", "setsar=16/15", "-c:v", "ffv1", tmp_path / "b.mkv")
    out = tmp_path / "o.mkv"
    done = vsr(
        "upscale", tmp_path / "b.mkv", "-o", out, "-m", tiny_model, "--crop", "auto", "--fit", "256x192", "--json"
    )
    assert done.returncode == 0, done.stderr
    assert "cropped to 64x48 at 10, 16" in done.stderr
    with av.open(str(out)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.sample_aspect_ratio or 1) == (256, 180, 1)


def test_sources_above_the_limit_of_lines_are_skipped(tmp_path: Path, tiny_model: str) -> None:
    film = make.video(tmp_path / "a.mkv", frames=1, width=64, height=48)
    done = vsr("upscale", film, "-m", tiny_model, "--skip-above", 40, "--json")
    assert done.returncode == 0 and "48 lines, more than 40" in done.stderr
    assert json.loads(done.stdout)["status"] == "skipped" and list(tmp_path.iterdir()) == [film]
    folder = vsr("upscale", tmp_path, "-m", tiny_model, "--skip-above", 40, "--json")
    assert folder.returncode == 0 and [r["status"] for r in json.loads(folder.stdout)] == ["skipped"]
