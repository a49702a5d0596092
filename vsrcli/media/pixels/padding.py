"""Pad small and odd pictures by their border pixels for swscale, and crop the result.

swscale scales chroma by the ratio of the two planes' sizes, which for an odd size differs from the subsampling: the
planes drift apart. On planes of a few samples its filters, which reach beyond both borders, are wrong, by up to 200 of
255 levels for 7 or 8 rows of 10-bit 4:2:0. Pictures of whole chroma samples, and of `LEAST` of them, have neither
fault. Borders are replicated in any case, so padding changes nothing inside the picture.
"""

import av
import numpy as np
from av.video.format import VideoFormat

FULL = 2  # H.273's full range
LEAST = 16
"""Least chroma samples a side for which swscale's filters are right; 8 are too few."""

_V_FIRST = frozenset({"nv21", "nv42"})


def subsampling(fmt: VideoFormat) -> tuple[int, int]:
    """Return how many luma samples a chroma sample spans, across and down; (1, 1) for formats without chroma."""
    return 16 // fmt.chroma_width(16), 16 // fmt.chroma_height(16)


def grown_size(width: int, height: int, fmt: VideoFormat) -> tuple[int, int]:
    """Return the size (width, height) at which swscale converts a picture of that size and of the format `fmt` well."""
    across, down = subsampling(fmt)
    return _grown(width, across), _grown(height, down)


def grow(frame: av.VideoFrame) -> av.VideoFrame:
    """Return a picture of subsampled Y'CbCr with whole chroma samples and enough of them: itself if it has them.

    A padded picture is planar, has no alpha and none of the tags.
    """
    width, height = grown_size(frame.width, frame.height, frame.format)
    if (width, height) == (frame.width, frame.height):
        return frame
    frame = planar(frame)
    grown = av.VideoFrame(width, height, _planar(frame.format))
    for source, target in zip(frame.planes, grown.planes, strict=False):  # a plane of alpha is last
        old, new = rows(source, grown.format), rows(target, grown.format)
        new[:] = np.pad(old, [(0, new.shape[0] - old.shape[0]), (0, new.shape[1] - old.shape[1])], "edge")
    return grown


def planar(frame: av.VideoFrame) -> av.VideoFrame:
    """Return a picture of Y'CbCr with one plane for each component, in this machine's order of bytes.

    It is itself if it has them, and else has no alpha.
    """
    name = _planar(frame.format)
    if frame.format.name.replace("yuva", "yuv").replace("yuvj", "yuv") == name:
        return frame
    if len(frame.planes) == 2:  # chroma shares one
        return _deinterleaved(frame, name)
    return frame.reformat(format=name, src_color_range=FULL, dst_color_range=FULL)  # the same: codes stay as they are


def _deinterleaved(frame: av.VideoFrame, name: str) -> av.VideoFrame:
    """Return a picture whose chroma shares a plane (NV12, P010 and their kin) in the planar format `name`.

    swscale's own conversion of P010 differs from run to run where the width is no multiple of its step.
    """
    fmt, made = frame.format, av.VideoFrame(frame.width, frame.height, name)
    kind = np.dtype(np.uint8 if fmt.components[0].bits == 8 else ">u2" if fmt.is_big_endian else "<u2")
    # p010 and the like store codes in the upper bits
    shift = 16 - fmt.components[0].bits if fmt.name.startswith("p") else 0
    luma, chroma = (np.frombuffer(memoryview(plane), kind).reshape(plane.height, -1) for plane in frame.planes)
    first, second = (1, 0) if fmt.name in _V_FIRST else (0, 1)
    parts: list[np.ndarray] = [luma, chroma[:, first::2], chroma[:, second::2]]
    for part, plane in zip(parts, made.planes, strict=True):
        target = rows(plane, made.format)
        target[:] = part[: target.shape[0], : target.shape[1]] >> shift
    return made


def grow_array(rgb: np.ndarray, fmt: VideoFormat) -> np.ndarray:
    """Return a picture (h, w, 3) grown to what its conversion to the format `fmt` needs."""
    height, width = rgb.shape[:2]
    right, below = (new - old for new, old in zip(grown_size(width, height, fmt), (width, height), strict=True))
    return np.pad(rgb, [(0, below), (0, right), (0, 0)], "edge") if right or below else rgb


def cut(frame: av.VideoFrame, width: int, height: int) -> av.VideoFrame:
    """Return the top left part of that size of a picture: itself if it has that size.

    A cropped picture has none of its tags.
    """
    if (width, height) == (frame.width, frame.height):
        return frame
    part = av.VideoFrame(width, height, frame.format.name)
    for source, target in zip(frame.planes, part.planes, strict=True):
        kept = memoryview(target)
        samples = np.frombuffer(memoryview(source), np.uint8).reshape(source.height, source.line_size)
        copy = np.frombuffer(kept, np.uint8).reshape(target.height, target.line_size)
        length = min(target.line_size, source.line_size)
        copy[:, :length] = samples[: target.height, :length]
    return part


def rows(plane: av.video.plane.VideoPlane, fmt: VideoFormat) -> np.ndarray:
    """Return the samples (h, w) of a plane of a planar format, which may be written to."""
    kind = np.dtype(np.uint8 if fmt.components[0].bits == 8 else np.uint16)
    samples = np.frombuffer(memoryview(plane), kind)
    return samples.reshape(plane.height, plane.line_size // kind.itemsize)[:, : plane.width]


def _grown(length: int, step: int) -> int:
    return max(-(-length // step), LEAST) * step if step > 1 else length


def _planar(fmt: VideoFormat) -> str:
    """Return the planar format, without alpha, of the same depth and chroma sampling."""
    kind = {(1, 1): "444", (1, 2): "440", (2, 1): "422", (2, 2): "420", (4, 1): "411", (4, 4): "410"}[subsampling(fmt)]
    depth = fmt.components[0].bits
    return f"yuv{kind}p" if depth == 8 else f"yuv{kind}p{depth}le"
