"""Profiles of the codecs for editing, ProRes and DNxHR: each is a preset, and decides about chroma, depth and alpha."""

from collections.abc import Mapping

_HALVED, _FULL = ("yuv422p10le",), ("yuv444p10le", "yuva444p10le")
PROFILES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "prores": dict.fromkeys(("proxy", "lt", "standard", "hq"), _HALVED) | dict.fromkeys(("4444", "4444xq"), _FULL),
    "dnxhr": dict.fromkeys(("lb", "sq", "hq"), ("yuv422p",))
    | {"hqx": ("yuv422p10le",), "444": ("yuv444p10le", "gbrp10le")},
}
"""The pixel formats of each profile, by vsr's names for codec and preset."""
_USUAL = "hq"
_PREFIX = {"dnxhr": "dnxhr_"}
"""What FFmpeg's names of the profiles of a codec begin with."""


def read_profile(codec: str, asked: str | None) -> str | None:
    """Return vsr's name for a preset that may be given by FFmpeg's (dnxhr_hq); other texts as they are."""
    return asked if asked is None else asked.removeprefix(_PREFIX.get(codec, ""))


def ffmpeg_profile(codec: str, preset: str) -> str:
    """Return FFmpeg's name for a profile."""
    return _PREFIX.get(codec, "") + preset


def usual_profile(codec: str, pix_fmt: str) -> str:
    """Return the profile that is taken for a pixel format if none is asked for: hq, or the first that has it."""
    able = [name for name, formats in PROFILES[codec].items() if pix_fmt in formats]
    return _USUAL if _USUAL in able or not able else able[0]


def profile_like(codec: str, part: str) -> str | None:
    """Return the first profile with a pixel format that has `part` in its name ("444", "10", "yuva"), if any."""
    found = (name for name, formats in PROFILES[codec].items() if any(part in one for one in formats))
    return next(found, None)
