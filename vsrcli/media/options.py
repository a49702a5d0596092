"""Options of reading a source and of encoding a result. This module imports no PyAV."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from vsrcli.errors import UsageError
from vsrcli.records import Record, option

_LONGEST = 1e9  # seconds, about 30 years

Codec = Literal["h264", "hevc", "av1", "vp9", "prores", "dnxhr", "ffv1"]
Audio = Literal["copy", "aac", "flac", "opus", "pcm", "none"]
Deinterlace = Literal["auto", "on", "woven", "double", "off"]


@dataclass(frozen=True)
class EncodingOptions(Record):
    """Encoding of a result; None leaves the choice to vsr.

    `codec` may also be any video encoder of FFmpeg, by its name there. `crf`, `preset`, `tune` and `encoder_opt`
    (texts like "key=value") are in the encoder's own terms. `bitrate` is the picture's mean, in bits a second, instead
    of a `crf`; `target_size` is about the result's size in bytes, from which that follows. `audio` is the codec to
    which other sound is converted; "copy" keeps it, "none" leaves it out.
    """

    codec: Codec | str | None = option(None, kept="resolved")
    crf: float | None = option(None, kept="resolved")
    bitrate: int | None = option(None, least=1000, unit="amount", kept="resolved")
    target_size: int | None = option(None, least=1000, unit="amount", kept="no")  # the bitrate tells it
    preset: str | None = option(None, kept="resolved")
    tune: str | None = option(None)
    encoder_opt: tuple[str, ...] = option((), noun="list of encoder options")
    pix_fmt: str | None = option(None, kept="resolved")
    audio: Audio = option("copy", kept="no")  # no frame depends on it


@dataclass(frozen=True)
class SpanOptions(Record):
    """The part of a source to read: from `start` to `end`, in seconds; None: its own.

    `rate` is the frame rate of an image sequence; None: 25. `deinterlace` "woven" is for frames that are woven of two
    fields, "auto" for those too, in sources that declare it or show it; "double" makes a frame of each field.
    `detelecine` takes film out of 3:2 pulldown. `hwaccel` is FFmpeg's name of the interface to a device that decodes
    ("cuda", "vaapi:/dev/dri/renderD128"); None: the CPU does.
    """

    start: float | None = option(None, least=0, most=_LONGEST, unit="seconds")
    end: float | None = option(None, least=0, most=_LONGEST, unit="seconds")
    rate: Fraction | None = option(None, above=0, noun="frame rate", unit="rate", kept="resolved")
    deinterlace: Deinterlace = option("auto")
    detelecine: bool = option(False)
    hwaccel: str | None = option(None, noun="hardware decoder")


def read_crop(text: str) -> tuple[int, int, int, int] | None:
    """Return (width, height, x, y) of a text like "640:360:0:60", as ffmpeg's filter takes it; None for "auto".

    Raises UsageError for any other text.
    """
    if text.strip().lower() == "auto":
        return None
    parts = text.split(":")
    if len(parts) != 4 or not all(part.isascii() and part.isdecimal() and len(part) < 6 for part in parts):
        raise UsageError(f"not a crop: {text} (write it like 640:360:0:60 for width, height, x and y, or auto)")
    width, height, x, y = map(int, parts)
    return width, height, x, y
