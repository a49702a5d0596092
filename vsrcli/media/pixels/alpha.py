"""Transparency: read from decoded pictures, written to those that are encoded, and colours where nothing is seen.

Alpha is straight: colours are not multiplied by it. So a transparent pixel may have any colour, and often has black.
Upscaled, that colour would bleed into the visible edge; it is replaced by those of the visible pixels around it.

VP8 and VP9 have no alpha. WebM and Matroska keep it beside each picture as a second VP8 or VP9 stream, whose luma is
alpha (webmproject.org, "Alpha channel"); decoders of FFmpeg's own do not look there.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Final

import av
import numpy as np
from av.error import FFmpegError
from av.video.reformatter import Interpolation

from vsrcli.frame import largest_level

BESIDE = ("vp8", "vp9")
"""Codecs whose alpha is stored beside the picture."""

_BESIDE_DATA: Final = "matroska_block_additional"
_NUMBER = 8  # bytes of the data's number before it


def holds_alpha(fmt: av.VideoFormat) -> bool:
    """Return whether a format has alpha, itself or in its palette."""
    return fmt.has_palette or has_alpha_plane(fmt)


def has_alpha_plane(fmt: av.VideoFormat) -> bool:
    """Return whether a format has alpha for each pixel."""
    return any(component.is_alpha for component in fmt.components)


def lies_beside(codec: str, tags: Mapping[str, str]) -> bool:
    """Return whether a stream of that codec and with these tags has its alpha beside the pictures."""
    return codec in BESIDE and any(key.lower() == "alpha_mode" and value == "1" for key, value in tags.items())


def alpha_of(picture: av.VideoFrame) -> np.ndarray | None:
    """Return a picture's opacity (h, w), in levels of the type that `to_rgb` returns; None if all of it is opaque."""
    fmt = picture.format
    if isinstance(picture.opaque, np.ndarray):
        return _unless_opaque(picture.opaque)
    if not holds_alpha(fmt):
        return None
    deep = max((component.bits for component in fmt.components), default=8) > 8
    own = [component for component in fmt.components if component.is_alpha]
    shared = not own or sum(other.plane == own[0].plane for other in fmt.components) > 1
    if shared or fmt.is_big_endian or own[0].bits not in range(8, 17):
        packed: np.ndarray = picture.reformat(format="rgba64le" if deep else "rgba").to_ndarray()
        return _unless_opaque(np.ascontiguousarray(packed[..., 3]))
    codes = _samples(picture)
    bits = own[0].bits
    if bits in (8, 16):
        return _unless_opaque(codes.copy())
    table = np.rint(np.arange(1 << bits) * (65535 / ((1 << bits) - 1))).astype(np.uint16)
    return _unless_opaque(table[np.minimum(codes, len(table) - 1)])


def with_alpha(picture: av.VideoFrame, alpha: np.ndarray | None) -> av.VideoFrame:
    """Put opacity (h, w; levels) into a picture of a format with alpha, and return it; None: all of it is opaque.

    A picture of another format is returned as it is. Opacity of another size is scaled with Lanczos.
    """
    fmt = picture.format
    if not has_alpha_plane(fmt):
        return picture
    samples = _samples(picture)
    top = (1 << next(component.bits for component in fmt.components if component.is_alpha)) - 1
    if alpha is None:
        samples[:] = top
        return picture
    alpha = scaled_alpha(alpha, (picture.width, picture.height))
    white = largest_level(alpha)
    samples[:] = alpha if white == top else np.rint(alpha.astype(np.float32) * np.float32(top / white))
    return picture


def scaled_alpha(alpha: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return opacity (h, w) scaled to `size` (w, h) with Lanczos: itself if it has that size."""
    if alpha.shape == size[::-1]:
        return alpha
    frame = av.VideoFrame.from_ndarray(
        np.ascontiguousarray(alpha), format="gray" if alpha.itemsize == 1 else "gray16le"
    )
    scaled = frame.reformat(width=size[0], height=size[1], interpolation=Interpolation.LANCZOS)
    return scaled.to_ndarray()


def filled(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Return a picture (h, w, 3) in which wholly transparent pixels have the colours of the visible ones around them.

    The picture is halved, each time with the means of what is visible, until there is something everywhere; then the
    gaps are filled from the smallest picture on. All other pixels are as they were.
    """
    gaps = alpha == 0
    if not gaps.any() or gaps.all():
        return rgb
    weight = alpha.astype(np.float32) / largest_level(alpha)
    levels = [(rgb.astype(np.float32) * weight[..., None], weight)]
    while not levels[-1][1].all():
        colour, weight = levels[-1]
        levels.append((_halved(colour), _halved(weight[..., None])[..., 0]))
    colour, weight = levels.pop()
    whole = colour / weight[..., None]
    while levels:
        colour, weight = levels.pop()
        h, w = weight.shape
        empty = weight == 0
        large = _smooth(whole.repeat(2, 0).repeat(2, 1)[:h, :w])
        whole = np.where(empty[..., None], large, colour / np.where(empty, 1, weight)[..., None])
    made = rgb.copy()
    made[gaps] = np.rint(whole[gaps]).astype(rgb.dtype)
    return made


class BesideDecoder:
    """Decodes the alpha that lies beside the pictures of a VP8 or VP9 stream, and gives each picture its own."""

    def __init__(self, codec: str) -> None:
        codec_context = av.CodecContext.create(codec, "r")
        assert isinstance(codec_context, av.VideoCodecContext)
        self._codec = codec_context
        self._codec.thread_count = 1  # so that each packet gives its picture at once
        self._known: dict[int | None, np.ndarray] = {}

    def take(self, packet: "av.Packet[av.VideoStream]") -> None:
        """Decode what lies beside one packet. Damaged data leaves the picture opaque."""
        if not packet.has_sidedata(_BESIDE_DATA):
            return
        data = av.Packet(bytes(packet.get_sidedata(_BESIDE_DATA))[_NUMBER:])
        data.pts = packet.pts
        with suppress(FFmpegError):
            for picture in self._codec.decode(data):
                plane = picture.planes[0]
                rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
                self._known[picture.pts] = rows[:, : plane.width].copy()

    def give(self, picture: av.VideoFrame) -> None:
        """Add its alpha to a picture, where `alpha_of` looks for it."""
        alpha = self._known.pop(picture.pts, None)
        if alpha is not None and alpha.shape == (picture.height, picture.width):
            picture.opaque = alpha


def _unless_opaque(alpha: np.ndarray) -> np.ndarray | None:
    return None if int(alpha.min()) == largest_level(alpha) else alpha


def _samples(picture: av.VideoFrame) -> np.ndarray:
    """Return the alpha samples (h, w) of a picture with them, which may be written to."""
    fmt = picture.format
    own = next(component for component in fmt.components if component.is_alpha)
    together = sum(other.plane == own.plane for other in fmt.components)
    offset = 0 if together == 1 or fmt.name.startswith("a") else together - 1
    plane = picture.planes[own.plane]
    kind = np.dtype(np.uint8 if own.bits == 8 else ">u2" if fmt.is_big_endian else "<u2")
    rows = np.frombuffer(memoryview(plane), kind).reshape(picture.height, plane.line_size // kind.itemsize)
    return rows[:, offset : offset + picture.width * together : together]


def _halved(x: np.ndarray) -> np.ndarray:
    """Return the sums of 2x2 pixels of (h, w, c); a missing row or column counts as nothing."""
    h, w = x.shape[:2]
    even = np.pad(x, [(0, h % 2), (0, w % 2), (0, 0)])
    sums: np.ndarray = even.reshape((h + 1) // 2, 2, (w + 1) // 2, 2, -1).sum((1, 3))
    return sums


def _smooth(x: np.ndarray) -> np.ndarray:
    """Return the means of 3x3 pixels of (h, w, c)."""
    for axis in (0, 1):
        rows = np.pad(x, [(1, 1) if side == axis else (0, 0) for side in range(3)], "edge")
        before, here, after = (np.take(rows, range(i, i + x.shape[axis]), axis) for i in range(3))
        x = (before + here + after) / np.float32(3)
    return x
