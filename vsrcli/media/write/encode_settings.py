"""The settings of an encoder, and the private options that FFmpeg takes for them."""

import re
from dataclasses import dataclass, field

import numpy as np

from vsrcli.media.info import VideoInfo
from vsrcli.media.write.encoders import is_foreign, is_hardware, quality_options, with_options
from vsrcli.media.write.profiles import PROFILES, ffmpeg_profile

HDR_NAMES = {
    "h264": ("mastering-display", "cll"),
    "hevc": ("master-display", "max-cll"),
    "av1": ("mastering-display", "content-light"),
}
X264_REPEATABLE = "asm=avx2,fma3,bmi2,lzcnt"
"""Used on machines with AVX-512, where x264 165 is not deterministic on narrow pictures (its macroblock tree reads
uninitialised memory), so that a resumed job would differ from an uninterrupted one."""


@dataclass(frozen=True)
class EncodeSettings:
    """Settings of the encoder. `codec` is vsr's name (h264, ...), `encoder` ffmpeg's (libx264, ...).

    `width` and `height` are those of the output picture. `crf` and `preset` are in the encoder's own scale (None where
    it has none; for ProRes and DNxHR the preset is the profile). `b_frames` False keeps coding order equal to showing
    order. `inner` is the size of what black borders surround, None without borders. `tagged` says that
    the result tells its colours.
    `bitrate` is the mean in bits a second that takes the place of a crf. `tune` and `options` (FFmpeg's names) are the
    caller's own. `notes` are one-line warnings about what had to differ from what was asked or from the source.
    """

    codec: str
    encoder: str
    crf: float | None
    preset: str | None
    pix_fmt: str
    width: int
    height: int
    b_frames: bool = True
    tune: str | None = None
    options: tuple[tuple[str, str], ...] = ()
    bitrate: int | None = None
    inner: tuple[int, int] | None = None
    tagged: bool = True
    notes: tuple[str, ...] = field(default=(), compare=False)

    @property
    def name(self) -> str:
        """The name that stands for the codec and its encoder: vsr's own, or FFmpeg's for another encoder."""
        return self.encoder if is_foreign(self.codec, self.encoder) else self.codec


X265_SMALL = 64
"""Side in pixels below which x265 runs without assembler, whose 10-bit parts write past the end of some such pictures
(48x32) and end the process."""


def encoder_options(info: VideoInfo, settings: EncodeSettings) -> dict[str, str]:
    """Return the encoder's private options (ffmpeg's names) for these settings, including HDR metadata."""
    if is_foreign(settings.codec, settings.encoder):
        return with_options(_foreign_options(settings), dict(settings.options))
    options: dict[str, str] = {}
    if settings.crf is not None:
        options["crf"] = f"{settings.crf:g}"
    if settings.preset is not None:
        profiled = settings.codec in PROFILES
        name = "profile" if profiled else {"vp9": "cpu-used"}.get(settings.codec, "preset")
        options[name] = ffmpeg_profile(settings.codec, settings.preset) if profiled else settings.preset
    if settings.tune is not None and settings.codec != "av1":
        options["tune"] = settings.tune
    if not settings.b_frames:
        options["bf"] = "0"
    if info.colour.chroma_location:
        options["chroma_sample_location"] = str(info.colour.chroma_location)
    lossless = {name: {"level": "3"} for name in ("ffv1", "gif", "apng", "rawvideo")}
    options |= ({"vp9": {"row-mt": "1", "b": "0"}} | lossless).get(settings.codec, {}) | _rate_options(settings)
    hdr = _hdr_parameters(info, settings.codec)
    if settings.codec == "hevc":
        alike = ["info=0"] if settings.bitrate is not None else []  # else the headers tell each segment's rate
        small = ["asm=0"] if min(settings.width, settings.height) < X265_SMALL else []
        options["x265-params"] = ":".join(["log-level=error", *alike, *small, *hdr])
    elif settings.codec == "h264":
        options |= x264_parameters(hdr)
    elif settings.codec == "av1" and (hdr or settings.tune is not None):
        options["svtav1-params"] = ":".join([*([f"tune={settings.tune}"] if settings.tune is not None else []), *hdr])
    return with_options(options, dict(settings.options))


def _rate_options(settings: EncodeSettings) -> dict[str, str]:
    """Return FFmpeg's options for a mean rate, with a buffer of a second where that is understood."""
    if settings.bitrate is None:
        return {}
    options = {"b": str(settings.bitrate)}
    if settings.codec in ("h264", "hevc"):
        options |= {"maxrate": str(settings.bitrate * 3 // 2), "bufsize": str(settings.bitrate)}
    return options | ({"rc": "vbr"} if settings.encoder.endswith("_nvenc") else {})


def _foreign_options(settings: EncodeSettings) -> dict[str, str]:
    """Return the options for an encoder that vsr knows only by its name."""
    encoder = settings.encoder
    options = {} if settings.crf is None else quality_options(encoder, settings.crf)
    options |= _rate_options(settings)
    if not is_hardware(encoder):
        options["strict"] = "experimental"
        if not settings.b_frames:
            options["bf"] = "0"
    if settings.preset is not None:
        options["preset"] = settings.preset
    if settings.tune is not None:
        options["tune"] = settings.tune
    return options


def x264_parameters(more: list[str]) -> dict[str, str]:
    """Return libx264's option for x264's own parameters: `more`, and those that make it deterministic on this CPU."""
    parameters = [X264_REPEATABLE] * _has_avx512() + more
    return {"x264-params": ":".join(parameters)} if parameters else {}


def _has_avx512() -> bool:
    return not {"X86_V4", "AVX512_SKX"}.isdisjoint(np.show_config(mode="dicts")["SIMD Extensions"]["found"])


def _hdr_parameters(info: VideoInfo, codec: str) -> list[str]:
    """Return HDR metadata as parameters of the encoder's library; none if it supports none."""
    if codec not in HDR_NAMES:
        return []
    display, light = HDR_NAMES[codec]
    parameters = []
    if info.mastering_display:
        value = info.mastering_display
        parameters.append(f"{display}={_plain_units(value) if codec == 'av1' else value}")
    if info.content_light:
        parameters.append(f"{light}={info.content_light[0]},{info.content_light[1]}")
    return parameters


def _plain_units(mastering_display: str) -> str:
    """Convert x265's integers (0.00002 of chromaticity, 0.0001 cd/m2) to SVT-AV1's decimal numbers."""
    colours, luminances = mastering_display.split("L")
    colours = re.sub(r"\d+", lambda number: f"{int(number[0]) / 50000:.5f}", colours)
    return colours + "L" + re.sub(r"\d+", lambda number: f"{int(number[0]) / 10000:.4f}", luminances)
