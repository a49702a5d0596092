"""Name properties of a picture that an output cannot hold: captions, 3D and sphere marks, dynamic HDR."""

import re
import struct
from typing import Any

import av

CAPTIONS = "closed captions (CEA-608/708) inside the picture"
_NAMES = {
    "A53_CC": CAPTIONS,
    "SPHERICAL": "the mark of a spherical (360 degree) picture",
    "STEREO3D": "the mark of how two pictures for 3D are packed into one",
    "DOVI_METADATA": "Dolby Vision",
    "DYNAMIC_HDR_PLUS": "HDR10+",
    "DYNAMIC_HDR_VIVID": "HDR Vivid",
    "AMBIENT_VIEWING_ENVIRONMENT": "the brightness of the surroundings that HDR is meant for (amve)",
    "ICC_PROFILE": "a colour profile (ICC) of a video",
    "AFD": "the active format description (AFD) of a broadcast",
}
_DOLBY = _NAMES["DOVI_METADATA"]
_PROFILE = re.compile(r"DOVI configuration record: .*?profile: (\d+)")
_OWN_COLOURS = 5  # the profile whose picture is right through Dolby Vision alone


def carried(picture: av.VideoFrame) -> tuple[str, ...]:
    """Return the names of properties of a decoded picture that outputs cannot hold; none if PyAV cannot read them."""
    try:
        container: Any = picture.side_data  # PyAV's stub has it as a dictionary
        found = {data.type.name: bytes(data) for data in container}
    except ValueError:  # PyAV has no name for a kind of side data, such as FFmpeg 8's EXIF
        return ()
    if "DOVI_RPU_BUFFER" in found:
        found["DOVI_METADATA"] = b""
    if "STEREO3D" in found and not struct.unpack_from("=i", found["STEREO3D"])[0]:  # AV_STEREO3D_2D
        del found["STEREO3D"]
    return tuple(name for kind, name in _NAMES.items() if kind in found)


def dolby_vision(told: str) -> str | None:
    """Return the name of the Dolby Vision that a container declares, by `header_text`; None if there is none."""
    profile = _PROFILE.search(told)
    if profile is None:
        return None
    wrong = ", without which its colours are wrong" if int(profile[1]) == _OWN_COLOURS else ""
    return f"{_DOLBY} profile {profile[1]}{wrong}"


def unkept(told: str, picture: av.VideoFrame, codec: str, bit_depth: int) -> tuple[str, ...]:
    """Return the names of all properties of a file that outputs cannot hold (captions: not all outputs).

    They are in its first `picture` and in its container, by the `header_text` that was `told` of it.
    """
    names = carried(picture)
    declared = dolby_vision(told) if codec in ("hevc", "av1") and bit_depth > 8 else None
    if declared is not None:
        names = (*(name for name in names if name != _DOLBY), declared)
    return names


def left_out(name: str) -> str:
    """Return the line for such a property."""
    able = "only H.264 and HEVC hold" if name == CAPTIONS else "no output holds"
    return f"{able} {name}: left out"
