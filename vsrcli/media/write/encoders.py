"""Video encoders by name: vsr's own codecs, their other names, and every encoder that this build of FFmpeg has."""

import difflib
import io
from collections.abc import Iterable, Mapping
from functools import lru_cache

import av
from av.error import FFmpegError

from vsrcli.errors import UsageError
from vsrcli.media.containers import Container
from vsrcli.media.write.profiles import PROFILES

ENCODERS = {
    "h264": "libx264",
    "hevc": "libx265",
    "av1": "libsvtav1",
    "vp9": "libvpx-vp9",
    "prores": "prores_ks",
    "dnxhr": "dnxhd",
    "ffv1": "ffv1",
    "gif": "ffv1",  # segments stay lossless; the palette is made over the whole film at the end
    "apng": "ffv1",  # one picture depends on all before it, across segments
    "rawvideo": "ffv1",  # a third of the space; the file is written from them at the end
}
SYNONYMS = {
    "h265": "hevc", "x265": "hevc", "h.265": "hevc", "x264": "h264", "avc": "h264", "h.264": "h264", "dnxhd": "dnxhr",
}  # fmt: skip
INNER = ("gif", "apng", "rawvideo")
"""Names of codecs that a container brings with it: nobody asks for them."""
HARDWARE = ("_nvenc", "_qsv", "_amf", "_videotoolbox", "_vaapi", "_v4l2m2m", "_mf", "_vulkan", "_d3d12va", "_omx")
"""Endings of the names of encoders that need a device."""
_ON_DEVICES = (*"h264 hevc av1 vp9 prores ffv1 vp8 h263 mjpeg mpeg2 mpeg4".split(),)  # noqa: SIM905
"""What their names begin with. Which of them there are differs from system to system."""
TUNES: Mapping[str, tuple[str, ...]] = {
    "libx264": ("film", "animation", "grain", "stillimage", "psnr", "ssim", "fastdecode", "zerolatency"),
    "libx265": ("animation", "grain", "psnr", "ssim", "fastdecode", "zerolatency"),
    "libsvtav1": ("0", "1", "2"),
}
"""Tunes of encoders whose tunes are fixed; other encoders are asked by trial."""
OWN_PARAMETERS = {
    "libx264": "x264-params",
    "libx264rgb": "x264-params",
    "libx265": "x265-params",
    "libsvtav1": "svtav1-params",
    "libaom-av1": "aom-params",
    "librav1e": "rav1e-params",
    "libvvenc": "vvenc-params",
}
"""FFmpeg's option of an encoder that takes the parameters of its library."""
_TRANSPORT = frozenset({"mpeg1video", "mpeg4"})  # MPEG-TS has a mark for them, of which FFmpeg tells nothing
_LAMBDA = 118  # FFmpeg's unit of a quantiser
_BY_QUANTISER = frozenset(
    {"mpeg4", "mpeg2video", "mpeg1video", "msmpeg4", "msmpeg4v2", "wmv1", "wmv2", "flv", "h263", "h263p", "mjpeg"}
    | {"libxvid", "libtheora", "h261", "snow", "rv10", "rv20"}
)


class EncoderFailsError(UsageError):
    """An encoder exists, but not in this build of FFmpeg, or encodes no frame on this machine or with these options."""


@lru_cache
def all_encoders() -> Mapping[str, str]:
    """Return FFmpeg's video encoders as PyAV has them: name and codec."""
    found = {}
    for name in av.codecs_available:
        try:
            codec = av.Codec(name, "w")
        except (FFmpegError, ValueError):
            continue
        if codec.type == "video" and codec.name == name:
            found[name] = codec.canonical_name
    return found


def resolve(asked: str) -> tuple[str, str]:
    """Return (codec, encoder) for a name: a codec of vsr's, another name for one, or an encoder of FFmpeg's.

    Raises EncoderFailsError for an encoder that FFmpeg has on other systems, UsageError for any other name.
    """
    name = asked.strip().lower()
    name = SYNONYMS.get(name, name)
    if name in ENCODERS:
        return name, ENCODERS[name]
    known = all_encoders()
    if name in known:
        return known[name], name
    if any(name == begin + end for begin in _ON_DEVICES for end in HARDWARE):
        raise EncoderFailsError(f"{name} is not in this build of FFmpeg")
    names = [*(own for own in ENCODERS if own not in INNER), *SYNONYMS, *known]
    near = difflib.get_close_matches(name, names, 3, 0.7) or [one for one in names if name and name in one][:3]
    advice = (
        f"did you mean {' or '.join(near)}?"
        if near
        else f"choose one of {', '.join(n for n in ENCODERS if n not in INNER)}"
    )
    raise UsageError(f"unknown codec {asked}: {advice}")


def is_foreign(codec: str, encoder: str) -> bool:
    """Return whether an encoder is not the one that vsr itself takes for its codec."""
    return ENCODERS.get(codec) != encoder


def is_hardware(encoder: str) -> bool:
    """Return whether an encoder needs a device."""
    return encoder.endswith(HARDWARE)


def software_for(asked: str) -> str | None:
    """Return the codec of vsr's that takes the place of an encoder that needs a device; None if none does."""
    name = asked.strip().lower()
    codec = name.rpartition("_")[0]
    return codec if is_hardware(name) and codec in ENCODERS and codec not in INNER else None


def holds(container: Container, codec: str) -> bool:
    """Return whether a container can hold a codec: by vsr's own list, and where that is silent, FFmpeg's."""
    if codec in container.video:
        return True
    if codec in ENCODERS:
        return False
    return codec in _supported(container.muxer) or (container.muxer == "mpegts" and codec in _TRANSPORT)


@lru_cache
def _supported(muxer: str) -> frozenset[str]:
    if muxer in ("gif", "apng"):
        return frozenset()
    return frozenset(av.open(io.BytesIO(), "w", format=muxer).supported_codecs)


def segment_muxer(codec: str, pix_fmt: str = "") -> str:
    """Return the format of a segment: NUT, which takes any clock, or QuickTime for what NUT does not know.

    VP9 with alpha beside it is in Matroska, whose milliseconds are taken for ticks of the clock.
    """
    if codec == "vp9" and pix_fmt.startswith("yuva"):
        return "matroska"
    in_nut = codec in ENCODERS or codec in _supported("nut")
    return "nut" if in_nut and codec not in PROFILES else "mov"


def reorders_safely(codec: str) -> bool:
    """Return whether frames of a codec may be stored in another order than they are shown in."""
    return codec in ENCODERS or codec == "mpeg4"


def quality(encoder: str) -> tuple[float | None, float | None]:
    """Return the default and the largest (worst) crf of an encoder in its own scale; None where it has none."""
    if encoder in _BY_QUANTISER:
        return 2, 31
    if encoder == "libx264rgb":
        return 16, 51
    if encoder == "libvpx":
        return 6, 63
    if encoder.endswith("_videotoolbox"):
        return 65, 100
    if encoder.endswith(("_nvenc", "_qsv", "_amf", "_vaapi")):
        return 20, 51
    return None, None


def quality_options(encoder: str, crf: float) -> dict[str, str]:
    """Return FFmpeg's private options for a crf in an encoder's own scale."""
    text = f"{crf:g}"
    if encoder in _BY_QUANTISER or encoder.endswith("_videotoolbox"):
        return {"flags": "+qscale", "global_quality": str(round(crf * _LAMBDA))}
    if encoder.endswith("_nvenc"):
        return {"rc": "vbr", "cq": text, "b": "0"}
    if encoder.endswith("_qsv"):
        return {"global_quality": str(round(crf))}
    if encoder.endswith("_amf"):
        return {"rc": "cqp", "qp_i": str(round(crf)), "qp_p": str(round(crf))}
    if encoder.endswith("_vaapi"):
        return {"rc_mode": "CQP", "qp": str(round(crf))}
    return {"crf": text} | ({"b": "200M"} if encoder == "libvpx" else {})


def read_options(asked: Iterable[str]) -> dict[str, str]:
    """Return a mapping of texts like "key=value"; lists of parameters are joined. Raises UsageError for other texts."""
    options: dict[str, str] = {}
    for text in asked:
        key, sign, value = text.partition("=")
        if not (key.strip() and sign):
            raise UsageError(f"not an option of an encoder: {text} (write it like key=value)")
        options = with_options(options, {key.strip(): value})
    return options


def with_options(options: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """Return an encoder's options with those of the caller; lists of parameters are joined, all else is replaced."""
    lists = {key: f"{options[key]}:{more[key]}" for key in more if key.endswith("-params") and options.get(key)}
    return dict(options) | dict(more) | lists
