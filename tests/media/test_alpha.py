"""Transparency is read to the level from every kind of picture, written the same way, and colours do not bleed."""

from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest

from tests.media import make
from vsrcli.media.photo.images import load_picture, write_image, write_png
from vsrcli.media.photo.picture_tags import PictureTags
from vsrcli.media.pixels.alpha import alpha_of, filled, scaled_alpha, with_alpha
from vsrcli.media.read.decode import decode
from vsrcli.media.read.probe import probe

EIGHT = ["rgba", "bgra", "argb", "abgr", "yuva420p", "yuva422p", "yuva444p", "gbrap", "ya8"]
DEEP = ["yuva444p10le", "yuva422p12le", "yuva420p16le", "gbrap10le", "gbrap12le", "gbrap16le", "rgba64le", "rgba64be"]


def ramp(deep: bool = False) -> np.ndarray:
    """Return opacity (12, 16) with both ends."""
    return (
        (np.arange(192).reshape(12, 16) * (65535 if deep else 255) / 191)
        .round()
        .astype(np.uint16 if deep else np.uint8)
    )


@pytest.mark.parametrize("name", [*EIGHT, *DEEP, "ya16le", "ya16be"])
def test_opacity_comes_back_as_it_was_written(name: str) -> None:
    deep = name in DEEP or name.startswith("ya16")
    picture = av.VideoFrame(16, 12, name)
    alpha = ramp(deep)
    bits = next(component.bits for component in picture.format.components if component.is_alpha)
    found = alpha_of(with_alpha(picture, alpha))
    assert found is not None and found.dtype == alpha.dtype
    step = 65535 / ((1 << bits) - 1) if deep else 1
    assert np.abs(found.astype(float) - alpha).max() <= step / 2
    assert (found[0, 0], found[-1, -1]) == (0, 65535 if deep else 255)
    assert alpha_of(with_alpha(picture, None)) is None


@pytest.mark.parametrize("name", ["rgb24", "yuv420p", "gray", "gbrp10le"])
def test_pictures_without_alpha_are_opaque(name: str) -> None:
    picture = av.VideoFrame(16, 12, name)
    assert alpha_of(picture) is None
    assert with_alpha(picture, ramp()) is picture


def test_a_plane_of_another_depth_and_size_is_converted() -> None:
    found = alpha_of(with_alpha(av.VideoFrame(32, 24, "yuva444p10le"), np.full((12, 16), 128, np.uint8)))
    assert found is not None and np.unique(found).tolist() == [round(round(128 * 1023 / 255) * 65535 / 1023)]
    assert scaled_alpha(ramp(True), (32, 24)).shape == (24, 32)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_hidden_colours_are_those_of_what_is_seen_around_them(kind: type) -> None:
    top = np.iinfo(kind).max
    picture: np.ndarray = np.zeros((37, 50, 3), kind)
    alpha: np.ndarray = np.zeros((37, 50), kind)
    picture[:, :, 1] = top  # green, as behind an actor
    alpha[10:20, 12:30] = top
    picture[10:20, 12:30] = (top // 2, top // 4, top // 3)
    alpha[10:20, 30] = top // 2
    picture[10:20, 30] = (top // 4, 0, top)
    made = filled(picture, alpha)
    seen = alpha > 0
    assert np.array_equal(made[seen], picture[seen]) and made.dtype == picture.dtype
    assert (made[~seen][:, 1] <= top // 4).all()
    beside = made[12:18, 11].astype(int)
    assert np.abs(beside - np.array([top // 2, top // 4, top // 3])).max() <= max(1, top // 2000)
    assert np.array_equal(picture[0, 0], (0, top, 0))  # the source is as it was
    for even in (np.zeros_like(alpha), np.full_like(alpha, top)):
        assert filled(picture, even) is picture


RAMP = "geq=r='r(X,Y)':g='g(X,Y)':b='b(X,Y)':a='clip(X*8-N*20,0,255)'"
RAW = ["-f", "lavfi", "-i", f"testsrc2=s=64x48:r=10:d=0.4,format=rgba,{RAMP}"]
FILES = {
    "prores.mov": ["-c:v", "prores_ks", "-profile:v", "4444", "-pix_fmt", "yuva444p10le"],
    "bgra.mkv": ["-c:v", "ffv1", "-pix_fmt", "bgra"],
    "yuva.mkv": ["-c:v", "ffv1", "-pix_fmt", "yuva420p"],
    "deep.mkv": ["-c:v", "ffv1", "-pix_fmt", "gbrap16le"],
    "vp9.webm": ["-c:v", "libvpx-vp9", "-crf", "4", "-b:v", "0", "-pix_fmt", "yuva420p"],
    "vp9.mkv": ["-c:v", "libvpx-vp9", "-crf", "4", "-b:v", "0", "-pix_fmt", "yuva420p"],
    "vp8.webm": ["-c:v", "libvpx", "-crf", "4", "-b:v", "4M", "-auto-alt-ref", "0", "-pix_fmt", "yuva420p"],
    "qtrle.mov": ["-c:v", "qtrle", "-pix_fmt", "argb"],
    "film.apng": ["-f", "apng"],
    "film.gif": ["-lavfi", "split[a][b];[a]palettegen[p];[b][p]paletteuse"],
    "one.png": ["-frames:v", "1"],
    "one.webp": ["-frames:v", "1", "-c:v", "libwebp", "-lossless", "1"],
    "one.tiff": ["-frames:v", "1"],
}


@pytest.mark.parametrize("name", FILES)
def test_a_source_gives_its_opacity_only_if_it_is_kept(tmp_path: Path, name: str) -> None:
    source = tmp_path / name
    make.ffmpeg(*RAW, *FILES[name], source)
    info = probe(source)
    assert info.alpha and info.transparent
    assert all(frame.alpha is None for frame in decode(info))
    frames = list(decode(replace(info, keeps_alpha=True)))
    assert len(frames) == (1 if name.startswith("one") else 4)
    for number, frame in enumerate(frames):
        alpha = frame.alpha
        assert alpha is not None and alpha.dtype == frame.data.dtype
        wanted = np.clip(np.arange(64) * 8 - number * 20, 0, 255)
        off = alpha[24] / (1 if alpha.dtype == np.uint8 else 257) - wanted
        assert np.abs(off).max() <= (128 if name.endswith(".gif") else 12 if name.startswith("vp") else 1), number


def test_a_source_with_a_seek_gives_the_opacity_of_its_own_frames(tmp_path: Path) -> None:
    source = tmp_path / "vp9.webm"
    make.ffmpeg(*[part.replace("d=0.4", "d=3") for part in RAW], *FILES["vp9.webm"], "-g", "8", source)
    info = replace(probe(source), keeps_alpha=True)
    whole = list(decode(info))
    part = list(decode(info, start=2.0))
    assert len(part) == 10
    for frame, wanted in zip(part, whole[20:], strict=True):
        assert frame.pts == wanted.pts and frame.alpha is not None and wanted.alpha is not None
        assert np.array_equal(frame.alpha, wanted.alpha)


@pytest.mark.parametrize("tags", [None, PictureTags(xmp=b"<x/>")])
def test_a_webp_keeps_opacity_and_loses_no_level(tmp_path: Path, tags: PictureTags | None) -> None:
    image = pytest.importorskip("PIL.Image")
    levels = np.random.default_rng(0)
    pixels = levels.integers(0, 256, (33, 47, 4), dtype=np.uint8)
    pixels[..., 3] |= 1  # colours behind what is not seen at all are free
    write_image(tmp_path / "a.webp", pixels[..., :3], alpha=pixels[..., 3], tags=tags)
    write_image(tmp_path / "b.webp", pixels[..., :3], tags=tags)
    with image.open(tmp_path / "a.webp") as opened:
        assert np.array_equal(np.asarray(opened.convert("RGBA")), pixels)
    with image.open(tmp_path / "b.webp") as opened:
        assert opened.mode == "RGB"
        assert np.array_equal(np.asarray(opened), pixels[..., :3])
    found = alpha_of(load_picture(tmp_path / "a.webp"))
    assert found is not None and np.array_equal(found, pixels[..., 3])


def test_a_png_keeps_opacity_in_both_depths(tmp_path: Path) -> None:
    for deep in (False, True):
        alpha = ramp(deep)
        write_png(tmp_path / "a.png", np.repeat(alpha[..., None], 3, 2), alpha=alpha)
        found = alpha_of(load_picture(tmp_path / "a.png"))
        assert found is not None and np.array_equal(found, alpha)
