"""Black-and-white and sepia films keep their one tint, through whole jobs too."""

from pathlib import Path

import av
import numpy as np
import pytest

import vsrcli
from tests.media import make
from tests.media.test_colour import planes
from vsrcli.media.info import Colour
from vsrcli.media.pixels.colour import to_rgb
from vsrcli.media.pixels.padding import rows
from vsrcli.media.pixels.tint import fill_chroma, tint_of, tinted, to_grey
from vsrcli.media.read.decode import decode
from vsrcli.media.read.probe import probe


def picture(pix_fmt: str, blue: int, red: int, *, noise: int = 0) -> av.VideoFrame:
    """A ramp of luma, and flat chroma by codes of 8 bits, with so many codes of noise (of the format's depth)."""
    frame, random = av.VideoFrame(32, 24, pix_fmt), np.random.default_rng(0)
    unit = 1 << (frame.format.components[0].bits - 8)
    for plane, code in zip(frame.planes, (None, blue, red), strict=True):
        shape = (plane.height, plane.width)
        luma = np.linspace(16, 235, shape[0] * shape[1]).reshape(shape)
        codes = luma if code is None else code + random.integers(0, noise + 1, shape) / unit
        rows(plane, frame.format)[:] = np.rint(codes * unit)
    return frame


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("codes", [(128, 128), (118, 139), (127, 129), (16, 240)])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv444p12le"])
def test_flat_tints_survive_a_round_trip_exactly(pix_fmt: str, codes: tuple[int, int], full: bool) -> None:
    colour = Colour(matrix=5, range=2 if full else 1)
    frame = picture(pix_fmt, *codes)
    tint = tint_of(frame, colour)
    assert tint is not None
    back = fill_chroma(picture(pix_fmt, 90, 90), tint, colour)
    for plane, wanted in zip(planes(back)[1:], planes(frame)[1:], strict=True):
        assert np.array_equal(plane, wanted)
    grey = to_grey(frame, colour)
    assert np.array_equal(grey[..., 0], grey[..., 1]) and np.array_equal(grey[..., 1], grey[..., 2])
    if codes != (16, 240):  # which no RGB can hold
        top = np.iinfo(grey.dtype).max
        assert np.abs(tinted(grey, tint, 5).astype(int) - to_rgb(frame, colour)).max() / top < 1.6 / 255


@pytest.mark.parametrize(
    ("pix_fmt", "noise", "flat"),
    [("yuv420p", 1, True), ("yuv420p", 2, False), ("yuv420p10le", 4, True), ("yuv420p10le", 5, False)],
)
def test_only_one_level_of_chroma_noise_counts_as_flat(pix_fmt: str, noise: int, flat: bool) -> None:
    assert (tint_of(picture(pix_fmt, 118, 139, noise=noise), Colour()) is not None) == flat


@pytest.mark.parametrize("pix_fmt", ["nv12", "p010le", "yuyv422", "nv24", "yuv420p10be"])
def test_tints_of_packed_formats_are_found(pix_fmt: str) -> None:
    flat = "yuv422p" if pix_fmt == "yuyv422" else "yuv444p" if pix_fmt == "nv24" else "yuv420p"
    source = picture(flat, 118, 139)
    packed = source.reformat(format=pix_fmt, src_color_range=2, dst_color_range=2)
    tint = tint_of(packed, Colour(range=1))
    assert tint is not None and np.allclose(tint, (-10 / 224, 11 / 224))
    grey = picture(flat, 128, 128).reformat(format=pix_fmt, src_color_range=2, dst_color_range=2)
    back = fill_chroma(grey, tint, Colour(range=1))
    assert back.format.name == pix_fmt
    assert np.array_equal(to_rgb(back, Colour(range=1, matrix=5)), to_rgb(packed, Colour(range=1, matrix=5)))


@pytest.mark.parametrize("pix_fmt", ["gray", "gray10le", "rgb24", "gbrp", "pal8"])
def test_formats_without_chroma_have_no_tint(pix_fmt: str) -> None:
    assert tint_of(av.VideoFrame(8, 8, pix_fmt), Colour()) is None


def test_tint_is_separated_only_on_request(tmp_path: Path) -> None:
    source = sepia(tmp_path / "in.mkv", "yuv420p", "ffv1")
    whole, parted = next(decode(probe(source))), next(decode(probe(source), part_tint=True))
    assert whole.tint is None and np.ptp(whole.data, axis=2).max() > 10
    assert parted.tint is not None and np.ptp(parted.data, axis=2).max() == 0


def sepia(path: Path, pix_fmt: str, codec: str, *options: str, codes: tuple[int, int] = (118, 139)) -> Path:
    unit = 4 if "10" in pix_fmt else 1
    drawn = f"testsrc2=s=32x24,format={pix_fmt},lutyuv=u={codes[0] * unit}:v={codes[1] * unit}"
    make.ffmpeg("-f", "lavfi", "-i", drawn, "-frames:v", "2", "-pix_fmt", pix_fmt, "-c:v", codec, *options, path)
    return path


@pytest.mark.parametrize(
    ("pix_fmt", "options", "codes"),
    [
        ("yuv420p", (), (118, 139)),
        ("yuv420p", ("-color_range", "pc"), (128, 128)),
        ("yuv422p10le", ("-color_range", "pc"), (118, 139)),
    ],
)
def test_flat_chroma_stays_flat_after_upscaling(
    tmp_path: Path, pix_fmt: str, options: tuple[str, ...], codes: tuple[int, int]
) -> None:
    source = sepia(tmp_path / "in.mkv", pix_fmt, "ffv1", *options, codes=codes)
    result = vsrcli.upscale(source, tmp_path / "out.mkv", model="repvsr.real", window=2, lookahead=0, codec="ffv1")
    with av.open(str(source)) as before, av.open(str(result.output)) as after:
        for old, new in zip(before.decode(video=0), after.decode(video=0), strict=True):
            for a, b in zip(planes(old)[1:], planes(new)[1:], strict=True):
                assert set(np.unique(b)) == set(np.unique(a)) and len(np.unique(a)) == 1
            shift = planes(new)[0].mean() - planes(old)[0].mean()
            assert abs(shift) < 0.3 * (1 << (old.format.components[0].bits - 8))


@pytest.mark.parametrize(
    ("pix_fmt", "output"), [("gray", "out.mp4"), ("gray10le", "out.mkv"), ("gray10le", "out/%03d.png")]
)
def test_grey_stays_grey(tmp_path: Path, pix_fmt: str, output: str) -> None:
    source = tmp_path / "in.mkv"
    make.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=32x24", "-frames:v", "1", "-pix_fmt", pix_fmt, "-c:v", "ffv1", source)
    vsrcli.upscale(source, tmp_path / output, model="repvsr.real", window=1, lookahead=0)
    made = next(decode(probe(tmp_path / output.replace("%03d", "001"))))
    assert made.data.max() > 0.9 * np.iinfo(made.data.dtype).max
    assert np.ptp(made.data, axis=2).max() == 0


def test_images_of_a_tinted_film_keep_the_tint(tmp_path: Path) -> None:
    source = sepia(tmp_path / "in.mkv", "yuv444p", "ffv1")
    vsrcli.upscale(source, tmp_path / "out" / "%03d.png", model="repvsr.real", window=2, lookahead=0)
    before, after = next(decode(probe(source))), next(decode(probe(tmp_path / "out" / "001.png")))
    assert np.abs(before.data.mean((0, 1)) - after.data.mean((0, 1))).max() < 0.6
    clear = (after.data.min(2) > 0) & (after.data.max(2) < 255)
    tints = np.unique((after.data.astype(int) - after.data[..., 1:2])[clear], axis=0)
    assert np.ptp(tints, axis=0).max() <= 1
