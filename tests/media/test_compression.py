"""How strongly a source is compressed is measured on real encodes, of every codec, in two sizes, still and moving."""

import functools
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from tests.media import make
from vsrcli.media.photo.images import write_image, write_png
from vsrcli.media.read.probe import probe
from vsrcli.media.strength.compress import compressed
from vsrcli.media.strength.compression import Compression, measure_compression
from vsrcli.media.strength.intra import jpeg_step

SIZES = ((320, 180), (160, 96))
FRAMES = 20


@functools.cache
def texture(width: int, height: int) -> np.ndarray:
    """Detail at all scales, as photographs have it (amplitude falling with frequency): uint8 RGB, cyclic."""
    spectrum = np.fft.rfft2(np.random.default_rng(5).standard_normal((height, width)))
    fy, fx = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    grey = np.fft.irfft2(spectrum / np.maximum(np.hypot(fy, fx), 0.01), (height, width))
    grey = 128 + 45 * grey / grey.std()
    levels: np.ndarray = np.rint(np.clip(np.stack([grey, grey * 0.9 + 8, grey * 0.8 + 20], axis=-1), 0, 255))
    return levels.astype(np.uint8)


@functools.cache
def running(number: int, width: int, height: int) -> np.ndarray:
    """The texture, seven pixels a frame."""
    return np.roll(texture(width, height), (2 * number, 7 * number), (0, 1))


@functools.cache
def resting(number: int, width: int, height: int) -> np.ndarray:
    """The texture with a patch that moves, and a little noise."""
    picture = texture(width, height).copy()
    picture[20:40, 10 + number : 40 + number] = 255 - picture[20:40, 10:40]
    noise = np.random.default_rng(number).normal(0, 1.5, (height, width, 1))
    return np.rint(np.clip(picture + noise, 0, 255)).astype(np.uint8)


MOTIONS: tuple[Callable[[int, int, int], np.ndarray], ...] = (running, resting)


def fixed(q: int) -> dict[str, str]:
    return {"qmin": str(q), "qmax": str(q), "b": "100M"}


def x265(crf: int) -> dict[str, str]:
    return {"crf": str(crf), "preset": "ultrafast", "x265-params": "log-level=none"}


def encoded(
    folder: Path,
    codec: str,
    options: dict[str, str],
    *,
    size: tuple[int, int] = SIZES[1],
    draw: Callable[[int, int, int], np.ndarray] = running,
    frames: int = FRAMES,
    pix_fmt: str = "yuv420p",
    suffix: str = "mkv",
) -> Compression:
    """Encode, and measure that."""
    path = folder / f"{codec}.{suffix}"
    width, height = size
    make.video(
        path, width=width, height=height, frames=frames, codec=codec, options=options, draw=draw, pix_fmt=pix_fmt
    )
    return measure_compression(probe(path))


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("draw", MOTIONS)
def test_crf_of_h264_is_estimated(
    tmp_path: Path, size: tuple[int, int], draw: Callable[[int, int, int], np.ndarray]
) -> None:
    for crf in (5, 10, 15, 20, 25, 30, 35, 40):
        found = encoded(tmp_path, "libx264", {"crf": str(crf), "preset": "veryfast"}, size=size, draw=draw)
        assert (found.title, found.lossless, found.found) == ("H.264", False, "quantisers")
        assert found.crf == pytest.approx(crf, abs=4)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("draw", MOTIONS)
@pytest.mark.parametrize(
    ("codec", "pix_fmt", "title", "settings"),
    [
        ("libx265", "yuv420p", "HEVC", [x265(crf) for crf in (6, 16, 26, 36)]),
        (
            "libvpx-vp9",
            "yuv420p",
            "VP9",
            [{"crf": str(q), "b:v": "0", "cpu-used": "8", "deadline": "realtime"} for q in (8, 24, 40, 58)],
        ),
        ("libsvtav1", "yuv420p", "AV1", [{"crf": str(q), "preset": "12"} for q in (8, 24, 40, 58)]),
        ("mpeg2video", "yuv420p", "MPEG-2", [fixed(q) for q in (1, 3, 8, 24)]),
        ("mpeg4", "yuv420p", "MPEG-4", [fixed(q) for q in (1, 3, 8, 24)]),
        ("mjpeg", "yuvj420p", "Motion JPEG", [fixed(q) for q in (1, 3, 8, 24)]),
    ],
)
def test_coarser_coding_gives_a_higher_estimate(
    tmp_path: Path,
    codec: str,
    pix_fmt: str,
    title: str,
    settings: list[dict[str, str]],
    size: tuple[int, int],
    draw: Callable[[int, int, int], np.ndarray],
) -> None:
    found = [encoded(tmp_path, codec, options, size=size, draw=draw, pix_fmt=pix_fmt) for options in settings]
    assert {(one.title, one.lossless, one.found) for one in found} == {(title, False, "quantisers")}
    crfs = [one.crf for one in found if one.crf is not None]
    assert crfs == sorted(crfs) and len(set(crfs)) == 4
    assert crfs[0] < 13 and 15 < crfs[1] < 23 and 22 < crfs[2] < 31 and crfs[3] > 30


@pytest.mark.parametrize("crf", [10, 23, 35])
def test_10_bit_sources_use_the_same_crf_scale(tmp_path: Path, crf: int) -> None:
    for codec in ("libx264", "libx265"):
        pair = [
            encoded(tmp_path, codec, x265(crf) if codec == "libx265" else {"crf": str(crf)}, pix_fmt=pix_fmt)
            for pix_fmt in ("yuv420p", "yuv420p10le")
        ]
        assert pair[0].crf == pytest.approx(pair[1].crf, abs=2)


@pytest.mark.parametrize(
    ("codec", "options", "pix_fmt", "found"),
    [
        ("ffv1", {}, "yuv420p", "codec"),
        ("huffyuv", {}, "yuv422p", "codec"),
        ("utvideo", {}, "yuv420p", "codec"),
        ("rawvideo", {}, "yuv420p", "codec"),
        ("libx264", {"crf": "0"}, "yuv420p", "quantisers"),
        ("libx265", {"x265-params": "log-level=none:lossless=1"}, "yuv420p", "quantisers"),
        ("libvpx-vp9", {"lossless": "1"}, "yuv420p", "quantisers"),
    ],
)
def test_lossless_and_nearly_lossless_are_told_apart(
    tmp_path: Path, codec: str, options: dict[str, str], pix_fmt: str, found: str
) -> None:
    suffix = "avi" if found == "codec" else "mkv"
    measured = encoded(tmp_path, codec, options, pix_fmt=pix_fmt, suffix=suffix)
    assert (measured.lossless, measured.crf, measured.found) == (True, 0.0, found)
    if found == "quantisers":
        near = {"libx264": {"crf": "2"}, "libx265": x265(1), "libvpx-vp9": {"crf": "2", "b:v": "0"}}[codec]
        assert not encoded(tmp_path, codec, near, pix_fmt=pix_fmt).lossless


def test_prores_is_measured_by_its_slice_quantisers(tmp_path: Path) -> None:
    found = [
        encoded(tmp_path, "prores_ks", {"profile": str(p)}, size=SIZES[0], pix_fmt="yuv422p10le", suffix="mov")
        for p in (3, 2, 1, 0)
    ]
    assert {(one.title, one.found) for one in found} == {("ProRes", "quantisers")}
    crfs = [one.crf for one in found if one.crf is not None]
    assert crfs == sorted(crfs) and crfs[0] < 22 < crfs[2]


def test_images_are_lossless_but_jpeg_is_measured(tmp_path: Path) -> None:
    folder = tmp_path / "png"
    folder.mkdir()
    for number in range(3):
        write_png(folder / f"{number}.png", texture(*SIZES[1]))
    measured = measure_compression(probe(folder))
    assert (str(measured), measured.lossless) == ("PNG images", True)
    found = []
    for q in (1, 5, 20):
        (tmp_path / f"q{q}").mkdir()
        make.ffmpeg("-i", folder / "%d.png", "-q:v", str(q), "-qmin", "1", tmp_path / f"q{q}" / "%d.jpg")
        found.append(measure_compression(probe(tmp_path / f"q{q}")))
    assert {(one.title, one.lossless) for one in found} == {("JPEG images", False)}
    crfs = [one.crf for one in found if one.crf is not None]
    assert crfs[0] < 14 < 16 < crfs[1] < 30 < crfs[2]


def test_a_jpeg_s_thumbnail_is_not_measured(tmp_path: Path) -> None:
    write_image(tmp_path / "fine.jpg", texture(*SIZES[0]))
    picture = (tmp_path / "fine.jpg").read_bytes()
    coarse = b"\xff\xd8\xff\xdb\x00\x43\x00" + bytes([99]) * 64 + b"\xff\xd9"
    exif = b"\xff\xe1" + (len(coarse) + 8).to_bytes(2, "big") + b"Exif\0\0" + coarse
    assert jpeg_step(exif) is None
    assert jpeg_step(picture[:2] + exif + picture[2:]) == jpeg_step(picture)
    for end in (1, 3, 20, 40, 100):
        jpeg_step(picture[:end])
    (tmp_path / "fine.jpg").write_bytes(picture[:2] + exif + picture[2:])
    measured = measure_compression(probe(tmp_path / "fine.jpg"))
    assert measured.title == "JPEG images" and measured.crf is not None and measured.crf < 14


def test_later_parts_of_a_file_are_measured_too(tmp_path: Path) -> None:
    options = {"g": "10", "preset": "veryfast", "x264-params": "zones=0,39,q=5/40,159,q=35"}
    found = encoded(tmp_path, "libx264", options, frames=160)
    assert found.crf is not None and 20 < found.crf < 32


def test_other_codecs_are_estimated_by_bit_rate(tmp_path: Path) -> None:
    source, crfs = tmp_path / "in.mkv", []
    make.video(source, width=160, height=96, frames=FRAMES, codec="ffv1", draw=running)
    for quality in (10, 5, 0):
        make.ffmpeg("-i", source, "-c:v", "libtheora", "-q:v", str(quality), tmp_path / "out.ogv")
        found = measure_compression(probe(tmp_path / "out.ogv"))
        assert (found.title, found.lossless, found.found) == ("Theora", False, "bit rate")
        assert found.crf is not None
        crfs.append(found.crf)
    assert crfs == sorted(crfs)
    make.ffmpeg("-i", source, tmp_path / "out.gif")
    gif = measure_compression(probe(tmp_path / "out.gif"))
    assert (gif.lossless, gif.crf, str(gif)) == (False, None, "GIF")


@pytest.mark.parametrize("crf", [18, 28, 38])
def test_compressed_clips_have_the_requested_crf(tmp_path: Path, crf: int) -> None:
    frames = [running(number, 160, 96) for number in range(FRAMES)]
    expected = tmp_path / "expected.mkv"
    make.video(expected, width=160, height=96, frames=FRAMES, options={"crf": str(crf)}, draw=running)
    with av.open(str(expected)) as container:
        reference = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    ours = list(compressed(frames, "libx264", {"crf": str(crf)}))
    errors = [
        np.mean([(one.astype(float) - truth) ** 2 for one, truth in zip(some, frames, strict=True)])
        for some in (ours, reference)
    ]
    assert errors[0] == pytest.approx(errors[1], rel=0.2)


def test_a_long_file_is_measured_quickly_and_repeatably(tmp_path: Path) -> None:
    path = tmp_path / "in.mp4"
    make.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=640x360:d=40", "-preset", "ultrafast", "-crf", "28", "-g", "50", path)
    info, level, began = probe(path), av.logging.get_level(), time.monotonic()
    first = measure_compression(info)
    assert time.monotonic() - began < 5
    assert measure_compression(info) == first
    assert av.logging.get_level() == level


def test_damaged_and_truncated_data_is_skipped(tmp_path: Path) -> None:
    for codec, options in (("libx264", {"crf": "23", "g": "10"}), ("libx265", x265(23))):
        whole = encoded(tmp_path, codec, options, frames=60)
        path = tmp_path / f"{codec}.mkv"
        data = bytearray(path.read_bytes())
        middle = len(data) // 2
        data[middle : middle + 2000] = bytes(2000)
        path.write_bytes(data[: len(data) * 9 // 10])
        assert measure_compression(probe(path)).crf == pytest.approx(whole.crf, abs=4)
