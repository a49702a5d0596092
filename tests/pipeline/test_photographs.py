"""Photographs come out the right way up, in their colours, and with what their camera wrote; what is lost is told."""

import os
import subprocess
import sys
from pathlib import Path

import av
import pytest
from PIL import Image

from tests.media import make
from tests.media.test_picture_tags import ALL, XMP, camera, picture, profile
from tests.pipeline.test_run import upscale
from vsrcli.media.info import Colour
from vsrcli.media.photo import exif
from vsrcli.media.photo.picture_tags import PictureTags, read_tags
from vsrcli.media.read.probe import probe
from vsrcli.pipeline.sinks.photographs import lost_in_images, lost_in_video

MATRIX = (0, 65536, 0, -65536, 0, 0, 0, 0, 1 << 30)


def photographs(folder: Path, suffix: str, *orientations: int, size: tuple[int, int] = (64, 48)) -> Path:
    folder.mkdir()
    for number, orientation in enumerate(orientations):
        picture(folder / f"{number}{suffix}", PictureTags(camera(orientation), profile(), XMP), size)
    return folder


@pytest.mark.parametrize("target", [".png", ".jpg"])
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_photograph_keeps_its_metadata(tiny_model: str, tmp_path: Path, suffix: str, target: str) -> None:
    source = picture(tmp_path / f"photo{suffix}", PictureTags(camera(), profile(), XMP))
    result = upscale(source, tmp_path / f"large{target}", tiny_model)
    tags = read_tags(result.output)
    assert (result.size, result.warnings) == ((256, 192), ())
    assert (tags.orientation, tags.profile) == (6, profile())
    assert tags.exif == exif.resized(camera(), (64, 48), (256, 192))
    assert b'PixelXDimension="256"' in tags.xmp
    with av.open(str(result.output)) as opened:
        assert next(opened.decode(video=0)).width == 256


def test_each_image_of_a_sequence_keeps_its_own_metadata(tiny_model: str, tmp_path: Path) -> None:
    result = upscale(photographs(tmp_path / "in", ".jpg", 6, 1, 3), tmp_path / "out" / "%d.jpg", tiny_model)
    assert [read_tags(tmp_path / "out" / f"{number}.jpg").orientation for number in range(3)] == [6, 1, 3]
    assert result.warnings == ()


def test_a_requested_height_applies_to_the_upright_picture(tiny_model: str, tmp_path: Path) -> None:
    source = picture(tmp_path / "photo.jpg", PictureTags(camera()))
    assert upscale(source, tmp_path / "large.jpg", tiny_model, height=128).size == (128, 96)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_a_video_of_photographs_is_rotated(tiny_model: str, tmp_path: Path, suffix: str) -> None:
    result = upscale(photographs(tmp_path / "in", ".jpg", 6, 6, 1), tmp_path / f"out{suffix}", tiny_model)
    assert probe(result.output).rotation == MATRIX
    told = "\n".join(result.warnings)
    assert f"{suffix} does not hold all of the source images, left out: EXIF, XMP, colour profile" in told
    assert "different ways" in told and "wrong for 1 of 3" in told


def test_a_gif_of_photographs_reports_missing_rotation(tiny_model: str, tmp_path: Path) -> None:
    result = upscale(photographs(tmp_path / "in", ".png", 8), tmp_path / "out.gif", tiny_model)
    assert any("rotation" in line for line in result.warnings)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_images_of_a_rotated_video_are_rotated(tiny_model: str, tmp_path: Path, suffix: str) -> None:
    film = make.video(tmp_path / "film.mp4", frames=2, rotation=MATRIX)
    result = upscale(film, tmp_path / "out" / f"%d{suffix}", tiny_model)
    assert [read_tags(tmp_path / "out" / f"{n}{suffix}").orientation for n in (1, 2)] == [6, 6]
    assert result.warnings == ()


def test_rotations_unknown_to_exif_are_reported(tiny_model: str, tmp_path: Path) -> None:
    askew = (46341, 46341, 0, -46341, 46341, 0, 0, 0, 1 << 30)
    result = upscale(make.video(tmp_path / "f.mov", frames=1, rotation=askew), tmp_path / "out" / "%d.png", tiny_model)
    assert any("unrotated" in line for line in result.warnings)


def test_metadata_that_an_image_cannot_hold_is_reported(tiny_model: str, tmp_path: Path) -> None:
    source = picture(tmp_path / "a.jpg", PictureTags(profile=profile(), segments=ALL.segments))
    source.write_bytes(source.read_bytes().replace(b"RGB XYZ ", b"GRAYXYZ "))
    result = upscale(source, tmp_path / "large.png", tiny_model)
    lost = "a colour profile for GRAY, comments"
    assert result.warnings == (f".png does not hold all of the source image, left out: {lost}",)
    assert read_tags(result.output) == PictureTags()


@pytest.mark.parametrize(
    ("suffix", "told"), [(".png", ()), (".jpg", (".jpg does not hold the source's colours other than sRGB",))]
)
def test_images_of_hdr_video_give_a_warning(
    tiny_model: str, tmp_path: Path, suffix: str, told: tuple[str, ...]
) -> None:
    film = make.video(tmp_path / "film.mkv", frames=1, colour=Colour(9, 1, 9, 16))
    result = upscale(film, tmp_path / "out" / f"%d{suffix}", tiny_model)
    chunks = read_tags(tmp_path / "out" / f"1{suffix}").chunks
    assert (chunks, result.warnings) == (((b"cICP", b"\x09\x10\0\1"),) if suffix == ".png" else (), told)


def test_photographs_without_a_suffix_are_reported_too(tmp_path: Path) -> None:
    info = probe(picture(tmp_path / "a.jpg", PictureTags(camera(), profile())).rename(tmp_path / "photo"))
    assert info.rotation is not None
    assert lost_in_video(info, ".mkv") == [".mkv does not hold all of the source image, left out: EXIF, colour profile"]


def test_images_that_lose_metadata_are_counted(tmp_path: Path) -> None:
    photographs(tmp_path / "in", ".png", 1, 1, 1)
    picture(tmp_path / "in" / "1.png", PictureTags(chunks=ALL.chunks))
    (line,) = lost_in_images(probe(tmp_path / "in"), (256, 192), ".jpg")
    assert line.endswith("left out: colours other than sRGB (of 1 of 3), texts (of 1 of 3)")


_KILLED = """
import os, sys
from pathlib import Path
import vsrcli
renamed, rename = 0, Path.replace

def replace(path, target):
    global renamed
    renamed += path.name.endswith(".png.part")
    if renamed == 3:
        path.write_bytes(path.read_bytes()[:100])
        os._exit(9)
    return rename(path, target)

Path.replace = replace
vsrcli.upscale(sys.argv[1], sys.argv[2], model=sys.argv[3], window=4, lookahead=2, precision="fp32")
"""


def test_half_written_pngs_are_removed_and_not_counted(tiny_model: str, tmp_path: Path) -> None:
    photographs(tmp_path / "in", ".png", 6, 1, 6, 3, size=(32, 24))
    whole = upscale(tmp_path / "in", tmp_path / "whole", tiny_model).output
    (tmp_path / "in" / "9.png.part").write_bytes(b"half")  # of another program's, or an older run
    output = tmp_path / "out"
    done = subprocess.run([sys.executable, "-c", _KILLED, tmp_path / "in", output, tiny_model], env=os.environ)
    assert done.returncode == 9
    left = sorted(path.name for path in (tmp_path / "out.vsr" / "000000.segment").iterdir())
    assert left == ["0.png", "1.png", "2.png.part"]
    assert upscale(tmp_path / "in", output, tiny_model).frames == 4
    assert {p.name: p.read_bytes() for p in output.iterdir()} == {p.name: p.read_bytes() for p in whole.iterdir()}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out", "whole"]


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_photographs_of_printing_inks_are_told_to_become_rgb(tiny_model: str, tmp_path: Path, suffix: str) -> None:
    for mode, told in (("CMYK", ("CMYK is converted to RGB",)), ("RGB", ())):
        source = tmp_path / f"{mode}{suffix}"
        Image.new(mode, (32, 24), "orange" if mode == "RGB" else (0, 90, 255, 0)).save(source)
        assert probe(source).notes == told
        assert upscale(source, tmp_path / f"large{mode}.png", tiny_model).warnings == told
