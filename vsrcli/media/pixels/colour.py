"""Convert decoded pictures to RGB, and RGB to the encoder's pixel format, by the matrix and range of the source.

swscale does the work. Its errors are corrected here, each with its measurement:

- With 16 bits a channel on the RGB side, its white is 65280 (255 << 8) and not 65535 wherever a YUV matrix is involved;
  from a full-range source it is the source's largest value shifted up. Uncorrected, 10-bit white is 4 codes too dark
  and a full-range round trip loses 3 of 1023.
- It treats every gray format as full range. Gray is converted here.
- From RGB to full-range Y'CbCr it rounds chroma down: half a code too low on average, which reduces red by 0.7 levels
  and blue by 0.9 and turns 10-bit grey into 511. That matrix is applied here; subsampling is left to swscale.
- It is wrong for odd and small sizes; `padding` gives details. Such pictures are padded first.
- It takes the chroma location of 4:2:0 from the frame's tag, but uses the centre if there is none. H.273's default is
  left, and the difference is half a pixel of the source, two pixels after upscaling. Untagged frames are tagged first.
"""

import threading
from collections.abc import Mapping
from fractions import Fraction

import av
import numpy as np
from av.filter import Graph
from av.video.reformatter import Interpolation, VideoReformatter

from vsrcli.errors import InputError
from vsrcli.frame import largest_level
from vsrcli.media.info import Colour
from vsrcli.media.pixels.padding import cut, grow, grow_array, grown_size

FULL_RANGE = 2
CHROMA_LEFT = 1
_EXACT = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT | Interpolation.FULL_CHR_H_INP
_SAME_SIZE = _EXACT | Interpolation.BICUBIC
_RESIZE = _EXACT | Interpolation.LANCZOS
# H.273's matrix number -> swscale's. BT.2020's constant luminance is read as the usual kind, as every player does.
_MATRICES: Mapping[int, int] = {1: 1, 4: 4, 5: 5, 6: 5, 7: 7, 9: 9, 10: 9}
_SITES = {1: "left", 2: "center", 3: "topleft", 4: "top", 5: "bottomleft", 6: "bottom"}
LUMA_WEIGHTS = {1: (0.2126, 0.0722), 4: (0.30, 0.11), 5: (0.299, 0.114), 7: (0.212, 0.087), 9: (0.2627, 0.0593)}
"""Kr and Kb of H.273, table 4, by swscale's number of the matrix."""
_WHITE = 65280  # swscale's white in 16-bit RGB with a YUV matrix
_GRAYS = {f"gray{depth}{end}": depth for depth in (9, 10, 12, 14, 16) for end in ("le", "be")} | {"gray": 8}

_local = threading.local()


def to_rgb(frame: av.VideoFrame, colour: Colour, *, size: tuple[int, int] | None = None) -> np.ndarray:
    """Convert a picture to RGB (h, w, 3): uint8 for sources of up to 8 bits a channel, else uint16 over 0..65535.

    `colour` declares matrix and range of the source (undeclared: `Colour.matrix_for_conversion`; limited range for YUV,
    full for gray and the yuvj formats). Alpha is dropped. `size` (width, height) scales with Lanczos in the same pass.
    Raises InputError for a matrix that is none of the linear Y'CbCr ones.
    """
    deep = bit_depth(frame.format) > 8
    if frame.format.name in _GRAYS:
        return _gray_to_rgb(frame, colour, size)
    target = "rgb48le" if deep else "rgb24"
    if has_no_matrix(frame.format):
        return _reformat(frame, target, size).to_ndarray()
    matrix = swscale_matrix(colour.matrix_for_conversion(frame.width, frame.height))
    full = is_full_range(frame.format.name, colour)
    depth = min(16, bit_depth(frame.format))  # floats are converted to 16 bits
    width, height, grown = frame.width, frame.height, grow(frame)
    source = _site_chroma(grown, grown.format, colour)
    direct = size if grown is frame else None
    converted = _reformat(source, target, direct, matrix=matrix, source_range=2 if full else 1, target_range=2)
    rgb: np.ndarray = converted.to_ndarray()
    if grown is not frame:
        rgb = np.ascontiguousarray(rgb[:height, :width])
        rgb = rgb if size is None else scaled_to(rgb, size)
    if not deep:
        return rgb
    return _scaled(rgb, 65535 / (((1 << depth) - 1) << (16 - depth) if full else _WHITE))


def from_rgb(rgb: np.ndarray, *, pix_fmt: str, colour: Colour, size: tuple[int, int] | None = None) -> av.VideoFrame:
    """Convert `rgb` (h, w, 3), uint8 or uint16 (0..65535), to the pixel format `pix_fmt`, tagged as `colour`.

    For a YUV or gray format `colour.matrix` must be set, from the source's size if the source does not declare it
    (`Colour.matrix_for_conversion`): the size of the upscaled picture must not change the colours. An undeclared range
    is full for gray and the yuvj formats and limited for other YUV. `size` (width, height) scales with Lanczos in the
    same pass. Raises InputError for a matrix that is none of the linear Y'CbCr ones.
    """
    fmt = av.VideoFormat(pix_fmt, 16, 16)
    if rgb.dtype == np.uint8 and bit_depth(fmt) > 8:
        rgb = rgb.astype(np.uint16) * 257
    rgb = np.ascontiguousarray(rgb)
    if has_no_matrix(fmt):
        return tagged(_reformat(_rgb_frame(rgb), pix_fmt, size), colour)
    matrix = swscale_matrix(colour.matrix)
    full = is_full_range(pix_fmt, colour)
    if pix_fmt in _GRAYS:
        return tagged(_rgb_to_gray(rgb, pix_fmt, matrix, full, size), colour)
    if size is not None and size != grown_size(*size, fmt):
        rgb, size = scaled_to(rgb, size), None
    width, height = size or rgb.shape[1::-1]
    if size is None:
        rgb = grow_array(rgb, fmt)
    if full:
        source = _full_range_planes(rgb, matrix, min(16, bit_depth(fmt)))
    else:
        source = _rgb_frame(_scaled(rgb, _WHITE / 65535) if rgb.dtype == np.uint16 else rgb)
    source = _site_chroma(source, fmt, colour)
    frame = _reformat(source, pix_fmt, size, matrix=matrix, source_range=2, target_range=2 if full else 1)
    return tagged(cut(frame, width, height), colour)


def bit_depth(fmt: av.VideoFormat) -> int:
    """Return the bits a channel, of the deepest component."""
    return max((component.bits for component in fmt.components), default=8)


def scaled_to(rgb: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return a picture (h, w, 3), uint8 or uint16, scaled to `size` (width, height) with Lanczos."""
    return _reformat(_rgb_frame(rgb), "rgb24" if rgb.dtype == np.uint8 else "rgb48le", size).to_ndarray()


def _reformat(
    frame: av.VideoFrame,
    pix_fmt: str,
    size: tuple[int, int] | None,
    *,
    matrix: int | None = None,
    source_range: int | None = None,
    target_range: int | None = None,
) -> av.VideoFrame:
    if not hasattr(_local, "reformatter"):  # holds swscale's context, which is slow to set up and not thread-safe
        _local.reformatter = VideoReformatter()
    width, height = size or (frame.width, frame.height)
    reformatter: VideoReformatter = _local.reformatter
    return reformatter.reformat(
        frame,
        width=width,
        height=height,
        format=pix_fmt,
        src_colorspace=matrix,
        dst_colorspace=matrix,
        interpolation=_SAME_SIZE if (width, height) == (frame.width, frame.height) else _RESIZE,
        src_color_range=source_range,
        dst_color_range=target_range,
    )


def swscale_matrix(matrix: int) -> int:
    """Return swscale's number of H.273's matrix. Raises InputError for one that is none of the linear Y'CbCr ones."""
    if matrix not in _MATRICES:
        raise InputError(
            f"colour matrix {matrix} (H.273) is not supported; convert the video to BT.709 or BT.2020 first"
        )
    return _MATRICES[matrix]


def has_no_matrix(fmt: av.VideoFormat) -> bool:
    """Return whether a format is neither Y'CbCr nor gray."""
    return fmt.is_rgb or fmt.has_palette or fmt.name.startswith(("mono", "ya", "bayer", "xyz"))


def is_full_range(pix_fmt: str, colour: Colour) -> bool:
    """Return whether black and white are the lowest and highest codes of a picture of that format."""
    if pix_fmt.startswith("yuvj"):
        return True
    return colour.range == FULL_RANGE or (colour.range == 0 and pix_fmt in _GRAYS)


def _rgb_frame(rgb: np.ndarray) -> av.VideoFrame:
    return av.VideoFrame.from_ndarray(rgb, format="rgb24" if rgb.dtype == np.uint8 else "rgb48le")


def tagged(frame: av.VideoFrame, colour: Colour) -> av.VideoFrame:
    """Return the frame tagged as `colour`, except for its chroma location, for which frames have no attribute."""
    frame.colorspace, frame.color_range = colour.matrix, colour.range
    frame.color_primaries, frame.color_trc = colour.primaries, colour.transfer
    return frame


def _scaled(rgb: np.ndarray, gain: float) -> np.ndarray:
    """Return `rgb` (uint16) times `gain`, rounded and clipped."""
    if gain == 1:
        return rgb
    product: np.ndarray = np.multiply(rgb, np.float32(gain), dtype=np.float32)
    product += np.float32(0.5)
    np.minimum(product, np.float32(65535), out=product)
    return product.astype(np.uint16)


def _full_range_planes(rgb: np.ndarray, matrix: int, depth: int) -> av.VideoFrame:
    """Return the picture as full-range Y'CbCr of `depth` bits, without subsampling (H.273, section 8.3)."""
    kr, kb = LUMA_WEIGHTS[matrix]
    levels = rgb.astype(np.float32) / np.float32(largest_level(rgb))
    luma = levels @ np.array([kr, 1 - kr - kb, kb], np.float32)
    blue = (levels[..., 2] - luma) / np.float32(2 * (1 - kb))
    red = (levels[..., 0] - luma) / np.float32(2 * (1 - kr))
    top, middle = (1 << depth) - 1, 1 << (depth - 1)
    kind = np.dtype(np.uint8 if depth == 8 else np.uint16)
    frame = av.VideoFrame(rgb.shape[1], rgb.shape[0], "yuv444p" if depth == 8 else f"yuv444p{depth}le")
    for plane, values in zip(frame.planes, (luma * top, blue * top + middle, red * top + middle), strict=True):
        rows = np.frombuffer(memoryview(plane), kind).reshape(plane.height, plane.line_size // kind.itemsize)
        rows[:, : plane.width] = np.clip(np.rint(values), 0, top)
    return frame


def _site_chroma(frame: av.VideoFrame, subsampled: av.VideoFormat, colour: Colour) -> av.VideoFrame:
    """Return the same picture tagged with its chroma location.

    PyAV has no attribute for it, but a filter can set it.
    """
    if subsampled.chroma_width(16) == 16:
        return frame
    site = _SITES.get(colour.chroma_location, "left")
    graph = Graph()
    graph.threads = 1  # a pool of threads would be started for each frame
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or Fraction(1)
    )
    sink = graph.add("buffersink")
    graph.link_nodes(source, graph.add("setparams", f"chroma_location={site}"), sink).configure()
    graph.vpush(frame)
    tagged = graph.vpull()
    assert isinstance(tagged, av.VideoFrame)
    return tagged


def _gray_to_rgb(frame: av.VideoFrame, colour: Colour, size: tuple[int, int] | None) -> np.ndarray:
    depth = bit_depth(frame.format)
    top = 255 if depth == 8 else 65535
    low, high = code_limits(depth, is_full_range(frame.format.name, colour))
    levels = (frame.to_ndarray().astype(np.float32) - low) * (top / (high - low))
    levels = np.clip(np.rint(levels), 0, top).astype(np.uint8 if depth == 8 else np.uint16)
    rgb = np.repeat(levels[..., None], 3, axis=2)
    return rgb if size is None else scaled_to(rgb, size)


def _rgb_to_gray(rgb: np.ndarray, pix_fmt: str, matrix: int, full: bool, size: tuple[int, int] | None) -> av.VideoFrame:
    """Return the luma plane alone, by the matrix's Kr and Kb (H.273, table 4)."""
    if size is not None:
        rgb = scaled_to(rgb, size)
    red, blue = LUMA_WEIGHTS[matrix]
    weights = np.array([red, 1 - red - blue, blue], np.float32) / largest_level(rgb)
    low, high = code_limits(_GRAYS[pix_fmt], full)
    luma = np.rint(rgb.astype(np.float32) @ weights * (high - low) + low)
    if pix_fmt == "gray":
        return av.VideoFrame.from_ndarray(luma.astype(np.uint8), format=pix_fmt)
    return av.VideoFrame.from_ndarray(luma.astype(np.uint16), format=pix_fmt)


def code_limits(depth: int, full: bool) -> tuple[int, int]:
    """Return the codes of black and white (H.273, section 8.3)."""
    return (0, (1 << depth) - 1) if full else (16 << (depth - 8), 235 << (depth - 8))
