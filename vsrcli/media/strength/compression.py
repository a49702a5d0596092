"""Measure how strongly a source is compressed, on one scale for all codecs, at a few places in it."""

import math
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Literal

import av

from vsrcli.errors import InputError
from vsrcli.media.info import VideoInfo
from vsrcli.media.strength.intra import jpeg_step, prores_step
from vsrcli.media.strength.noise import measure_noise
from vsrcli.media.strength.quantisers import (
    BLOCKS,
    HEADERS,
    PLACES,
    bits_per_pixel,
    block_quantisers,
    header_quantisers,
    packet_quantisers,
)

Found = Literal["codec", "quantisers", "bit rate", "nothing"]

_TITLES = {
    "h264": "H.264", "hevc": "HEVC", "vvc": "VVC", "av1": "AV1", "vp9": "VP9", "vp8": "VP8", "mpeg1video": "MPEG-1",
    "mpeg2video": "MPEG-2", "mpeg4": "MPEG-4", "mjpeg": "Motion JPEG", "prores": "ProRes", "dnxhd": "DNxHD",
    "dvvideo": "DV", "vc1": "VC-1", "theora": "Theora", "rawvideo": "raw",
}  # fmt: skip
_IMAGE_TITLES = {"mjpeg": "JPEG", "webp": "WebP"}
_PALETTES = frozenset({"gif"})  # FFmpeg calls it lossless, but converting a video to it loses most colours
_INTRA = frozenset({"dnxhd", "dvvideo", "mjpeg", "prores", "cfhd", "jpeg2000", "webp", "hap"})

NOISE_UNTIL = 26.0
"""CRF of libx264 above which noise is not measured."""
_WORST = 51.0
_LOSSY, _LOSSLESS = 1 << 1, 1 << 2  # FFmpeg's AV_CODEC_PROP_*; PyAV's own names refuse numbers with other bits set

# From a codec's own numbers to the CRF of libx264 (preset medium) that has the same PSNR-Y: (number, CRF), medians over
# six scenes (lawn, street, calendar, bee, drawn, still) of 30 frames in 640x360 and 320x180. The scenes differ by 1 CRF
# for H.264 (by 3 with its presets), HEVC and VP9, 4 for AV1 and 5 for the others, whose loops have no filter.
_LINEAR: dict[str, tuple[tuple[float, float], ...]] = {
    "h264": ((0, 0), (10, 5), (15, 10), (20, 15), (23, 18), (28, 23), (33, 28), (40, 35), (45, 40), (49, 45)),
    "hevc": ((4, 2), (8, 5), (13, 7), (18, 11), (23, 16), (28, 20), (33, 25), (38, 29), (43, 34), (48, 39)),
    "vp9": ((0, 0), (12, 6), (39, 13), (65, 16), (96, 20), (130, 24), (163, 28), (196, 32), (228, 37)),
    "av1": ((0, 0), (13, 8), (40, 15), (68, 18), (98, 21), (130, 24), (160, 26), (190, 28), (226, 33)),
    "vp8": ((0, 8), (4, 10), (12, 16), (25, 22), (39, 25), (59, 30), (88, 35), (118, 40)),
}
# These by the logarithm of the number, a quantiser step. Bits a pixel are only a guess: 6 CRF off (standard deviation).
_LOGARITHMIC: dict[str, tuple[tuple[float, float], ...]] = {
    "mpeg": ((4, 15), (6, 19), (8, 21), (12, 25), (16, 28), (24, 32), (36, 36), (62, 40)),
    "jpeg": ((5, 18), (8, 22), (10, 24), (15, 28), (20, 30), (30, 33), (44, 35), (76, 39)),
    "prores": ((18, 11), (35, 17), (64, 23), (273, 34)),
    "bits": ((0.01, 43), (1.0, 14)),
    "intra bits": ((1.0, 31), (8.0, 12)),
}


@dataclass(frozen=True)
class Compression:
    """Strength of a source's compression.

    `crf` is that of libx264 with a similar loss, 0 to 51, or None if it cannot be measured. `found` is the basis of the
    measurement: the codec alone, its quantisers, or the bits per pixel (a rough guess). `noise` is the standard
    deviation of the noise that is left, in levels of 8 bits; 0 where it is not measured, since compression that is
    stronger than NOISE_UNTIL hides it.
    """

    title: str
    lossless: bool
    crf: float | None
    found: Found
    noise: float = 0.0

    def __str__(self) -> str:
        """Return "H.264, about CRF 28" or "HEVC, like H.264 at CRF 24": other encoders' CRFs have other scales."""
        if self.lossless or self.crf is None:
            return self.title
        return f"{self.title}, {'about' if self.title == 'H.264' else 'like H.264 at'} CRF {self.crf:.0f}"


def measure_compression(info: VideoInfo) -> Compression:
    """Measure how strongly a source is compressed, in a few seconds at most; the result is deterministic.

    Damage is skipped. Raises InputError if the source cannot be opened.
    """
    found = _measured(info)
    hidden = found.crf is None or found.crf > NOISE_UNTIL
    return found if hidden else replace(found, noise=measure_noise(info))


def _measured(info: VideoInfo) -> Compression:
    title = _title(info)
    if _is_lossless(info):
        return Compression(title, True, 0.0, "codec")
    scale, values, bypassed = _quantisers(info)
    if values:
        mean = fmean(values)
        if max(values) <= 0 or (bypassed and max(values) <= 4):  # x265 writes QP 4 where all blocks bypass it
            return Compression(title, True, 0.0, "quantisers")
        return Compression(title, False, _on_scale(scale, mean), "quantisers")
    bits = _image_bits(info) if info.images else bits_per_pixel(info)
    if not bits or info.codec in _PALETTES:
        return Compression(title, False, None, "nothing")
    return Compression(title, False, _on_scale("intra bits" if info.codec in _INTRA else "bits", bits), "bit rate")


def _title(info: VideoInfo) -> str:
    if info.images:
        return f"{_IMAGE_TITLES.get(info.codec, info.codec.upper())} images"
    return _TITLES.get(info.codec, info.codec.upper())


def _is_lossless(info: VideoInfo) -> bool:
    """Return whether the codec is lossless, whatever its quantisers."""
    if info.images and info.codec == "webp":
        return all(b"VP8L" in _read(path)[:64] for path in _chosen(info))
    try:
        properties = int(av.codec.Codec(info.codec, "r").properties)
    except ValueError:  # there is no decoder of that name
        return False
    lossless = properties & _LOSSLESS and not properties & _LOSSY
    return bool(lossless) and info.codec not in _PALETTES


def _quantisers(info: VideoInfo) -> tuple[str, list[float], bool]:
    """Return the scale's name, the numbers on it, and whether blocks may bypass them."""
    codec = info.codec
    if info.images:
        steps = [jpeg_step(_read(path)) for path in _chosen(info)] if codec == "mjpeg" else []
        return "jpeg", [step for step in steps if step is not None], False
    if codec in BLOCKS:
        offset = 6 * (info.bit_depth - 8)  # H.264's QP counts from lower with more bits, in FFmpeg from 0
        return ("h264" if codec == "h264" else "mpeg"), [q - offset for q in block_quantisers(info)], False
    if codec in HEADERS:
        values, bypassed = header_quantisers(info)
        return {"vvc": "hevc"}.get(codec, codec), values, bypassed
    if codec in ("mjpeg", "prores"):
        parse = jpeg_step if codec == "mjpeg" else prores_step
        return {"mjpeg": "jpeg"}.get(codec, codec), packet_quantisers(info, parse), False
    return "", [], False


def _on_scale(name: str, value: float) -> float:
    """Return the CRF for a codec's number; beyond the measured range the last segment is extrapolated."""
    logarithmic = name in _LOGARITHMIC
    anchors = [(math.log2(n) if logarithmic else n, crf) for n, crf in (_LOGARITHMIC if logarithmic else _LINEAR)[name]]
    at = math.log2(max(value, 1e-6)) if logarithmic else value
    (n, crf), (n_after, crf_after) = next(
        (pair for pair in pairwise(anchors) if at <= pair[1][0]), (anchors[-2], anchors[-1])
    )
    return min(max(crf + (crf_after - crf) * (at - n) / (n_after - n), 0.0), _WORST)


def _chosen(info: VideoInfo) -> tuple[Path, ...]:
    """Return a few images of a sequence, evenly spaced."""
    return info.images[:: max(1, len(info.images) // PLACES)]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error


def _image_bits(info: VideoInfo) -> float:
    return fmean(8 * len(_read(path)) for path in _chosen(info)) / (info.width * info.height)
