"""Animated pictures keep all their frames, or are refused by name."""

import struct
import zlib
from pathlib import Path

import pytest

from tests.media import make
from tests.media.test_assemble import enlarge
from vsrcli.errors import InputError
from vsrcli.media.photo.images import load_picture
from vsrcli.media.read.decode import decode
from vsrcli.media.read.probe import probe

ENCODERS = {
    "a.avif": ["libsvtav1", "-preset", "12", "-svtav1-params", "lp=1"],
    "a.apng": ["apng", "-f", "apng"],
    "a.png": ["apng", "-f", "apng"],
    "a.gif": ["gif"],
    "a.webp": ["libwebp_anim"],
}


def moving(path: Path, *, frames: int = 5) -> Path:
    drawn = ["-f", "lavfi", "-i", "testsrc2=s=32x24:r=10", "-frames:v", str(frames)]
    make.ffmpeg(*drawn, "-c:v", *ENCODERS[f"a{path.suffix}"], path)
    return path


@pytest.mark.parametrize("name", ["a.avif", "a.apng", "a.png", "a.gif"])
def test_animations_keep_all_frames(tmp_path: Path, name: str) -> None:
    source = moving(tmp_path / name)
    info = probe(source)
    frames = list(decode(info))
    assert [round(float(frame.pts * info.time_base), 3) for frame in frames] == [0, 0.1, 0.2, 0.3, 0.4]
    assert info.streams == ()  # AVIF's still beside the film is none
    enlarge(source, tmp_path / "out.mkv")
    assert len(list(decode(probe(tmp_path / "out.mkv")))) == 5


def test_animation_is_found_behind_a_large_profile(tmp_path: Path) -> None:
    source = moving(tmp_path / "a.png")
    data = source.read_bytes()
    words = b"tEXt" + b"Comment\0" + bytes(1 << 17)
    chunk = struct.pack(">I", len(words) - 4) + words + struct.pack(">I", zlib.crc32(words))
    source.write_bytes(data[:33] + chunk + data[33:])
    assert len(list(decode(probe(source)))) == 5


def test_a_still_avif_is_one_picture(tmp_path: Path) -> None:
    assert len(list(decode(probe(moving(tmp_path / "a.avif", frames=1))))) == 1


@pytest.mark.parametrize("name", ["a.webp", "a.png", "renamed.png", "a"])
def test_animations_that_would_lose_frames_are_refused(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    if name == "a.png":  # among stills
        make.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=32x24", "-frames:v", "1", folder / "0.png")
        moving(folder / name)
        source, kind = folder, "PNG"
    else:
        source, kind = folder / name, "WebP"
        moving(folder / "b.webp").rename(source)
    with pytest.raises(InputError, match=rf"{name} is an animated {kind}: "):
        probe(source)


def test_a_still_webp_is_read(tmp_path: Path) -> None:
    still = ["-f", "lavfi", "-i", "testsrc2=s=32x24", "-frames:v", "1", "-c:v", "libwebp"]
    make.ffmpeg(*still, tmp_path / "a.webp")
    assert probe(tmp_path / "a.webp").images
    assert load_picture(tmp_path / "a.webp").width == 32
