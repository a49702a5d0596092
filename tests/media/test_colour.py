"""Colour conversion against H.273's matrices computed here by hand, and against itself there and back."""

from pathlib import Path

import av
import numpy as np
import pytest

from tests.media import make
from vsrcli.errors import InputError
from vsrcli.media.info import Colour
from vsrcli.media.pixels.colour import from_rgb, to_rgb

# Kr and Kb, H.273 table 4
LUMA = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}
PATCH = 16
FORMATS = {
    "yuv420p": 8,
    "yuv422p": 8,
    "yuv444p": 8,
    "yuv420p10le": 10,
    "yuv422p10le": 10,
    "yuv444p10le": 10,
    "yuv420p12le": 12,
    "yuv444p12le": 12,
}


def limits(depth: int, full: bool) -> tuple[float, float, float, float]:
    """Black, luma's span, chroma's zero and span."""
    unit = 2 ** (depth - 8)
    top = 2**depth - 1
    return (0, top, 128 * unit, top) if full else (16 * unit, 219 * unit, 128 * unit, 224 * unit)


def to_codes(rgb: np.ndarray, matrix: int, depth: int, full: bool) -> np.ndarray:
    """(..., 3) Y'CbCr codes, unrounded, of (..., 3) RGB in 0..1."""
    red, blue = LUMA[matrix]
    luma = rgb @ np.array([red, 1 - red - blue, blue])
    black, span, zero, chroma = limits(depth, full)
    cb, cr = (rgb[..., 2] - luma) / 2 / (1 - blue), (rgb[..., 0] - luma) / 2 / (1 - red)
    return np.stack([luma * span + black, cb * chroma + zero, cr * chroma + zero], axis=-1)


def to_light(codes: np.ndarray, matrix: int, depth: int, full: bool) -> np.ndarray:
    """(..., 3) RGB, clipped to 0..1, of (..., 3) Y'CbCr codes."""
    red, blue = LUMA[matrix]
    black, span, zero, chroma = limits(depth, full)
    luma = (codes[..., 0] - black) / span
    cb, cr = (codes[..., 1] - zero) / chroma, (codes[..., 2] - zero) / chroma
    r, b = luma + 2 * (1 - red) * cr, luma + 2 * (1 - blue) * cb
    return np.clip(np.stack([r, (luma - red * r - blue * b) / (1 - red - blue), b], axis=-1), 0, 1)


def to_frame(codes: np.ndarray, pix_fmt: str) -> av.VideoFrame:
    """A frame of (h, w, 3) codes; subsampled chroma takes each block's first."""
    height, width = codes.shape[:2]
    frame = av.VideoFrame(width, height, pix_fmt)
    for index, plane in enumerate(frame.planes):
        dtype = np.uint8 if frame.format.components[0].bits == 8 else np.uint16
        rows = np.zeros((plane.height, plane.line_size // dtype().itemsize), dtype)
        rows[:, : plane.width] = codes[:: height // plane.height, :: width // plane.width, index]
        plane.update(rows.tobytes())
    return frame


def planes(frame: av.VideoFrame) -> list[np.ndarray]:
    dtype = np.uint8 if frame.format.components[0].bits == 8 else np.uint16
    return [np.frombuffer(bytes(p), dtype).reshape(p.height, -1)[:, : p.width].astype(int) for p in frame.planes]


def patches() -> np.ndarray:
    """(8 x 12 patches) random RGB in 0..1, with black, white and the primaries."""
    rgb = np.random.default_rng(0).random((8, 12, 3))
    rgb[0, :8] = [[r, g, b] for r in (0, 1) for g in (0, 1) for b in (0, 1)]
    return rgb


def spread(values: np.ndarray) -> np.ndarray:
    return values.repeat(PATCH, axis=0).repeat(PATCH, axis=1)


def flat(codes: list[int], height: int = 32) -> np.ndarray:
    return np.tile(np.array(codes), (height, 32, 1))


def middles(picture: np.ndarray) -> np.ndarray:
    step_y, step_x = picture.shape[0] // 8, picture.shape[1] // 12
    return picture[step_y // 2 :: step_y, step_x // 2 :: step_x]


@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("matrix", LUMA)
@pytest.mark.parametrize("pix_fmt", FORMATS)
def test_colour_patches_follow_the_matrix_and_survive_a_round_trip(pix_fmt: str, matrix: int, full: bool) -> None:
    depth = FORMATS[pix_fmt]
    colour = Colour(matrix=matrix, range=2 if full else 1)
    codes = np.clip(np.rint(to_codes(patches(), matrix, depth, full)), 0, 2**depth - 1).astype(int)
    rgb = to_rgb(to_frame(spread(codes), pix_fmt), colour)
    assert rgb.dtype == (np.uint8 if depth == 8 else np.uint16)
    top = np.iinfo(rgb.dtype).max
    off = np.abs(middles(rgb) / top - to_light(codes, matrix, depth, full)).max() * (2**depth - 1)
    assert off < 0.55  # of a code: half of one is the rounding of 8-bit RGB
    back = from_rgb(rgb, pix_fmt=pix_fmt, colour=colour)
    assert (back.format.name, back.colorspace) == (pix_fmt, matrix)
    allowed = 2 if depth == 12 else 1
    for index, plane in enumerate(planes(back)):
        assert np.abs(middles(plane) - codes[..., index]).max() <= allowed


@pytest.mark.parametrize("full", [False, True], ids=["limited", "full"])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv444p10le"])
def test_gradients_survive_a_round_trip(pix_fmt: str, full: bool) -> None:
    depth = FORMATS[pix_fmt]
    colour = Colour(matrix=1, range=2 if full else 1)
    y, x = np.mgrid[0:64, 0:128] / (63, 127)[0]
    rgb = np.stack([0.2 + 0.25 * x, 0.7 - 0.2 * x, 0.3 + 0.4 * y], axis=-1).clip(0, 1)
    codes = np.rint(to_codes(rgb, 1, depth, full)).astype(int)
    frame = to_frame(codes, pix_fmt)
    back = from_rgb(to_rgb(frame, colour), pix_fmt=pix_fmt, colour=colour)
    for before, after in zip(planes(frame), planes(back), strict=True):
        assert np.abs(before - after)[4:-4, 4:-4].max() <= 1


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv444p", "yuv420p10le", "yuv422p10le"])
def test_rgb_of_8_and_16_bits_converts_to_planes_of_any_depth(pix_fmt: str, dtype: type[np.unsignedinteger]) -> None:
    depth, top = FORMATS[pix_fmt], np.iinfo(dtype).max
    rgb = np.rint(patches() * top).astype(dtype)
    frame = from_rgb(spread(rgb), pix_fmt=pix_fmt, colour=Colour(matrix=9, range=1))
    wanted = to_codes(rgb / top, 9, depth, False)
    for index, plane in enumerate(planes(frame)):
        assert np.abs(middles(plane) - wanted[..., index]).max() <= 1


@pytest.mark.parametrize("pix_fmt", ["gbrp", "rgb24", "bgr24", "gbrp10le", "gbrp12le", "rgb48le"])
def test_no_matrix_is_applied_to_rgb_formats(pix_fmt: str) -> None:
    deep = not pix_fmt.endswith(("gbrp", "24"))
    rgb = np.random.default_rng(0).integers(0, 256, (32, 48, 3)).astype(np.uint8)
    frame = from_rgb(rgb, pix_fmt=pix_fmt, colour=Colour(matrix=0))
    back = to_rgb(frame, Colour(matrix=1, range=1))
    assert back.dtype == (np.uint16 if deep else np.uint8)
    assert np.array_equal(np.rint(back / 257).astype(np.uint8) if deep else back, rgb)


@pytest.mark.parametrize(("pix_fmt", "depth"), [("gray", 8), ("gray10le", 10), ("gray12le", 12)])
@pytest.mark.parametrize("declared", [0, 1, 2])
def test_gray_follows_its_declared_range(pix_fmt: str, depth: int, declared: int) -> None:
    black, span, _, _ = limits(depth, declared != 1)
    ramp = np.rint(np.linspace(black, black + span, 64)).astype(int)
    frame = to_frame(np.tile(ramp[None, :, None], (16, 1, 1)), pix_fmt)
    rgb = to_rgb(frame, Colour(range=declared))
    top = np.iinfo(rgb.dtype).max
    assert (rgb[0, 0].tolist(), rgb[0, -1].tolist()) == ([0] * 3, [top] * 3)
    assert np.abs(rgb[0, :, 1] / top - (ramp - black) / span).max() < 0.6 / 255
    back = from_rgb(rgb, pix_fmt=pix_fmt, colour=Colour(matrix=1, range=declared))
    assert np.abs(planes(back)[0][0] - ramp).max() <= 1


@pytest.mark.parametrize(
    ("width", "height", "matrix"),
    [(1280, 536, 1), (960, 720, 1), (720, 576, 5), (1024, 576, 5), (1278, 576, 5), (640, 480, 5), (720, 1280, 1)],
)
def test_undeclared_matrix_is_chosen_by_size_as_in_players(width: int, height: int, matrix: int) -> None:
    assert Colour().matrix_for_conversion(width, height) == matrix
    assert Colour(matrix=9).matrix_for_conversion(width, height) == 9
    frame = av.VideoFrame(width, height, "yuv420p")
    for plane, code in zip(frame.planes, (120, 90, 160), strict=True):
        plane.update(bytes([code]) * plane.buffer_size)
    rgb = to_rgb(frame, Colour())
    assert np.abs(rgb[height // 2, 16] - 255 * to_light(np.array([120, 90, 160]), matrix, 8, False)).max() < 0.55


def test_yuvj_is_full_range_without_a_tag() -> None:
    rgb = to_rgb(to_frame(flat([255, 128, 128]), "yuvj420p"), Colour(matrix=5))
    assert rgb.min() == 255
    dark = to_rgb(to_frame(flat([16, 128, 128]), "yuvj420p"), Colour(matrix=5))
    assert dark.max() == 16


@pytest.mark.parametrize("declared", [0, 2])
def test_gray_in_floating_point_keeps_its_levels(tmp_path: Path, declared: int) -> None:
    mark = ["-vf", "format=grayf32le,setparams=range=full"]
    make.ffmpeg("-f", "lavfi", "-i", "color=gray:s=32x24:d=0.04", *mark, "-c:v", "exr", tmp_path / "in.mkv")
    with av.open(str(tmp_path / "in.mkv")) as container:
        rgb = to_rgb(next(container.decode(video=0)), Colour(range=declared))
    assert rgb.dtype == np.uint16
    assert abs(rgb.astype(int) - 128 * 257).max() <= 2 * 257


def test_an_unknown_matrix_is_refused() -> None:
    frame = to_frame(flat([128, 128, 128]), "yuv444p")
    with pytest.raises(InputError, match="colour matrix 8"):
        to_rgb(frame, Colour(matrix=8))
    with pytest.raises(InputError, match="colour matrix 2"):
        from_rgb(make.pattern(0), pix_fmt="yuv420p", colour=Colour())


def _red_ramp(axis: int) -> np.ndarray:
    """(64, 128, 3) RGB in 0..1 whose Cr rises evenly along `axis` while Y and Cb stay."""
    length = 128 if axis == 1 else 64
    line = 78 + 100 * np.arange(length) / length
    codes = np.full((64, 128, 3), 128.0)
    codes[..., 2] = line[None, :] if axis == 1 else line[:, None]
    return to_light(codes, 5, 8, False)


# (across, down) from the first luma sample to the first chroma sample, in luma pixels: H.273 figure 1
SITES = {0: (0.0, 0.5), 1: (0.0, 0.5), 2: (0.5, 0.5), 3: (0.0, 0.0), 4: (0.5, 0.0)}


@pytest.mark.parametrize("location", SITES)
@pytest.mark.parametrize("axis", [1, 0], ids=["across", "down"])
def test_chroma_location_is_respected_both_ways(location: int, axis: int) -> None:
    colour = Colour(matrix=5, range=1, chroma_location=location)
    source = _red_ramp(axis)
    frame = from_rgb(np.rint(source * 65535).astype(np.uint16), pix_fmt="yuv420p10le", colour=colour)
    cr = planes(frame)[2]
    line = (cr[16] if axis == 1 else cr[:, 32])[4:-4] / 4
    length = 128 if axis == 1 else 64
    position = (line - 78) * length / 100 - 2 * np.arange(4, 4 + len(line))
    assert np.mean(position) == pytest.approx(SITES[location][1 - axis], abs=0.06)
    back = to_rgb(frame, colour) / 65535
    slope = np.gradient(source[..., 0], axis=axis)[8:-8, 8:-8]
    shift = ((source[..., 0] - back[..., 0])[8:-8, 8:-8] / slope).mean()
    assert abs(shift) < 0.06


@pytest.mark.parametrize(("pix_fmt", "dtype"), [("yuv420p", np.uint8), ("yuv420p10le", np.uint16), ("gray", np.uint8)])
def test_resizing_keeps_colours_and_position(pix_fmt: str, dtype: type[np.unsignedinteger]) -> None:
    top = np.iinfo(dtype).max
    rgb = (spread(patches()) * top).astype(dtype)
    frame = from_rgb(rgb, pix_fmt=pix_fmt, colour=Colour(matrix=1, range=1), size=(96, 64))
    assert (frame.width, frame.height) == (96, 64)
    luma = planes(frame)[0]
    depth = 10 if dtype is np.uint16 else 8
    wanted = to_codes(patches(), 1, depth, False)[..., 0]
    assert np.abs(middles(luma) - wanted).max() < 6 * 2 ** (depth - 8)  # Lanczos rings a little


def test_conversion_agrees_with_a_second_ffmpeg(tmp_path: Path) -> None:
    path = make.video(tmp_path / "a.mkv", codec="ffv1", frames=1, width=96, height=64)
    flags = "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
    filters = f"scale=in_color_matrix=bt601:in_range=tv:in_chroma_loc=left:flags={flags}"
    make.ffmpeg("-i", path, "-vf", filters, "-f", "rawvideo", "-pix_fmt", "rgb24", tmp_path / "raw")
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    wanted = np.frombuffer((tmp_path / "raw").read_bytes(), np.uint8).reshape(64, 96, 3)
    assert np.abs(to_rgb(frame, Colour()).astype(int) - wanted).max() <= 1


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv444p", "yuv420p10le", "yuv444p10le"])
@pytest.mark.parametrize("matrix", [1, 5, 9])
def test_round_trip_through_planes_has_no_colour_bias(pix_fmt: str, full: bool, matrix: int) -> None:
    colour = Colour(matrix=matrix, range=2 if full else 1)
    largest, kind = (65535, np.uint16) if "10" in pix_fmt else (255, np.uint8)
    rgb = np.random.default_rng(0).integers(0, largest + 1, (8, 8, 3)).repeat(16, 0).repeat(16, 1).astype(kind)
    back = to_rgb(from_rgb(rgb, pix_fmt=pix_fmt, colour=colour), colour)
    bias = (back.astype(float) - rgb).mean((0, 1)) * 255 / largest
    assert np.abs(bias).max() < 0.2


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    "pix_fmt,neutral", [("yuv420p", 128), ("yuv422p", 128), ("yuv444p", 128), ("yuv420p10le", 512)]
)
def test_grey_has_neutral_chroma(pix_fmt: str, neutral: int, full: bool) -> None:
    deep = "10" in pix_fmt
    levels = np.random.default_rng(1).integers(0, 65536 if deep else 256, (32, 48, 1)).repeat(3, 2)
    rgb = levels.astype(np.uint16 if deep else np.uint8)
    frame = from_rgb(rgb, pix_fmt=pix_fmt, colour=Colour(matrix=5, range=2 if full else 1))
    for plane in list(frame.planes)[1:]:
        samples = np.frombuffer(bytes(plane), np.uint16 if deep else np.uint8)
        rows = samples.reshape(plane.height, -1)[:, : plane.width]
        assert (rows == neutral).all()
