"""Stretch sound, subtitles and chapters of a video in slow motion.

The sound goes through FFmpeg's atempo, which changes its length and not its pitch, and so must be encoded anew.
"""

from collections.abc import Collection, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from vsrcli.media.info import VideoInfo
from vsrcli.media.write.ffmetadata import metadata_input, tag_lines

ENCODERS = {
    "aac": "aac", "mp3": "libmp3lame", "opus": "libopus", "vorbis": "libvorbis", "ac3": "ac3", "eac3": "eac3",
    "mp2": "mp2", "flac": "flac", "alac": "alac", "pcm_u8": "pcm_u8",
    **{name: name for kind in ("s16", "s24", "s32", "f32") for name in (f"pcm_{kind}le", f"pcm_{kind}be")},
}  # fmt: skip
"""FFmpeg's encoder for each codec of sound that it writes well."""
OPUS_LAYOUTS = "aformat=channel_layouts=7.1|5.1|quad|3.0|stereo|mono"
"""The filter for libopus, which takes no other orders of channels."""
_RATES = {"aac": "192k", "mp3": "192k", "opus": "160k", "ac3": "448k", "eac3": "448k", "mp2": "256k"}
FILL_PAUSES = "aresample=async=1"
FROM_ZERO = "atrim=start=0"
"""Filter for sound of a part: a seek leads to before it, and ffmpeg measures the part from what it decodes first."""
_SLOWEST = Fraction(1, 2)  # lowest tempo of one atempo filter


def codec_of(codec: str, held: Collection[str], lossless: str | None) -> str:
    """Return which codec stretched sound gets: its own, or the nearest that the container, which has `held`, takes."""
    for candidate in (codec, lossless, "aac", "opus"):
        if candidate in ENCODERS and (candidate in held or candidate == lossless):
            return candidate
    return "pcm_s16le"


def sound_arguments(number: int, codec: str, slow: Fraction, *, preview: bool = False) -> list[str]:
    """Return ffmpeg's arguments that stretch the sound that is stream `number` of the output, and encode it.

    In a `preview` it begins at 0.
    """
    rate = [f"-b:{number}", _RATES[codec]] if codec in _RATES else []
    filters = [*([FROM_ZERO] if preview else []), stretch_filter(slow), *([OPUS_LAYOUTS] if codec == "opus" else [])]
    return [f"-filter:{number}", ",".join(filters), f"-c:{number}", ENCODERS[codec], *rate]


def stretch_filter(slow: Fraction) -> str:
    """Return filters for sound whose times, but not samples, are stretched already.

    atempo looks at the first time alone, so that what comes behind a pause would be early: pauses are filled with
    silence first, at the times before the stretching.
    """
    own = f"asetpts=PTS*{slow.denominator}/{slow.numerator}"
    start = f"asetpts=PTS+STARTPTS*({slow.numerator}/{slow.denominator}-1)"
    return ",".join([own, FILL_PAUSES, tempo_filter(1 / slow), start])


def tempo_filter(tempo: Fraction) -> str:
    """Return a chain of FFmpeg's atempo; one of them goes down to half."""
    parts = []
    while tempo < _SLOWEST:
        parts.append(_SLOWEST)
        tempo /= _SLOWEST
    return ",".join(f"atempo={float(part):.9g}" for part in (*parts, tempo))


def chapter_arguments(info: VideoInfo, chapters: Sequence[Any], folder: Path) -> list[str]:
    """Write the chapters with stretched times to a file in `folder`; return ffmpeg's arguments for that input."""
    lines: list[str] = []
    for chapter in chapters:
        base = Fraction(str(chapter["time_base"])) * info.slow
        lines += ["[CHAPTER]", f"TIMEBASE={base.numerator}/{base.denominator}"]
        lines += [f"START={chapter['start']}", f"END={chapter['end']}"]
        lines += tag_lines({key: str(value) for key, value in chapter["metadata"].items()})
    return metadata_input(lines, folder / "chapters.txt")
