"""Capabilities of containers: what each can hold, and how every other stream is copied, converted or left out."""

from dataclasses import dataclass
from pathlib import Path

import av
from av.container import InputContainer

from vsrcli.errors import Note, Reason, Remark, UsageError
from vsrcli.media.animation import animation_of
from vsrcli.media.info import OtherStream, VideoInfo
from vsrcli.media.write.slow import codec_of
from vsrcli.names import WRITABLE_IMAGES


@dataclass(frozen=True)
class Container:
    """One container format: ffmpeg's muxer name and the codecs (ffmpeg's names) that it can hold.

    `video` lists vsr's own codec names. `text` is the codec to which text subtitles are converted if the container
    cannot hold theirs (None: it holds no text). `lossless` is the codec for PCM and FLAC if it cannot hold them (None:
    no lossless audio), and with `any_audio` for all other sound too. `timecode` means that the tag of this name is
    kept, `colours` that colours are declared where the codec's own stream does not tell them.
    """

    muxer: str
    video: tuple[str, ...]
    audio: frozenset[str] = frozenset()
    subtitles: frozenset[str] = frozenset()
    text: str | None = None
    lossless: str | None = None
    any_audio: bool = False
    covers: frozenset[str] = frozenset()
    data: frozenset[str] = frozenset()
    attachments: bool = False
    chapters: bool = True
    rotation: bool = True
    timecode: bool = False
    colours: bool = True


class CannotHoldError(UsageError):
    """A container cannot hold a part of the source that must not be lost."""


@dataclass(frozen=True)
class Placement:
    """The treatment of one stream: `codec` is "copy", an encoder's name, or None if it is left out (`note` says so)."""

    stream: OtherStream
    codec: str | None
    note: str | None = None


TEXT = frozenset({"subrip", "srt", "mov_text", "webvtt", "text", "ass", "ssa"})
STYLED = frozenset({"ass", "ssa"})
# Sources whose samples fit a 24-bit lossless codec unchanged.
EXACT = frozenset(
    {"pcm_u8", "pcm_s8", "pcm_s16le", "pcm_s16be", "pcm_s24le", "pcm_s24be", "pcm_bluray", "pcm_dvd", "s302m"}
    | {"flac", "alac"}
)
UNNAMED = frozenset({"bin_data", "none", "unknown"})  # names of a text track of chapters in MP4
_TIMELESS = frozenset({"avi", "mpeg", "asf"})  # demuxers of containers that lack the times of some frames
_REORDERED = frozenset({"h264", "hevc"})
TIMECODE, REEL = "timecode", "reel_name"
"""Names of the tags, in lower case."""
_REELS = frozenset({"mov", "matroska", "webm", "nut"})  # muxers with a place for it
LATE = 0.02  # seconds; less is a codec's delay, which is inaudible
PICTURES = frozenset({"mjpeg", "png", "bmp"})
_MPEG_AUDIO = frozenset({"aac", "mp3", "mp2", "ac3", "eac3", "dts"})
SAMPLES = frozenset({"pcm_u8", "pcm_s8"}) | {
    f"pcm_{kind}{order}" for kind in ("s16", "s24", "s32", "f32", "f64") for order in ("le", "be")
}
"""Codecs that are plain samples one after the other, which can be cut anywhere."""
_PCM = SAMPLES | {"pcm_alaw", "pcm_mulaw"}
_EDITED = "pcm_s24le"
"""The samples that editing programs take."""
_QUICKTIME = frozenset({"adpcm_ima_qt", "qdm2", "qdmc", "mace3", "mace6", "qcelp", "gsm", "amr_nb", "amr_wb"})
# What Matroska has a name for, or WAV, whose names it takes besides.
_MATROSKA_AUDIO = (
    (_MPEG_AUDIO | _PCM) - {"pcm_s8", "pcm_f32be", "pcm_f64be"}
    | {"alac", "flac", "opus", "vorbis", "truehd", "mlp", "tta", "wavpack", "mp1", "aac_latm", "speex"}
    | {"wmav1", "wmav2", "wmapro", "wmalossless", "wmavoice", "adpcm_ms", "adpcm_ima_wav", "adpcm_yamaha", "gsm_ms"}
    | {"cook", "sipr", "ra_144", "ra_288", "atrac1", "atrac3", "qdm2", "qdmc", "amr_nb", "amr_wb", "adpcm_swf"}
    | {"truespeech", "imc", "g723_1", "g729", "dvaudio"}
)

_MP4 = Container(
    "mp4",
    ("h264", "hevc", "av1", "vp9"),
    _MPEG_AUDIO | {"alac", "flac", "opus", "vorbis", "truehd"},
    frozenset({"mov_text", "dvd_subtitle"}),
    "mov_text",
    "alac",
    covers=PICTURES,
    timecode=True,
)
_MOV = Container(
    "mov",
    ("h264", "hevc", "prores", "dnxhr"),
    (_MPEG_AUDIO | {"alac"} | _PCM | _QUICKTIME) - {"dts"},
    frozenset({"mov_text", "eia_608"}),
    "mov_text",
    "alac",
    timecode=True,
)
_MKV = Container(
    "matroska",
    ("h264", "hevc", "av1", "vp9", "prores", "dnxhr", "ffv1"),
    _MATROSKA_AUDIO,
    frozenset(
        {"subrip", "srt", "ass", "ssa", "webvtt", "hdmv_pgs_subtitle", "hdmv_text_subtitle", "dvd_subtitle"}
        | {"dvb_subtitle"}
    ),
    "subrip",
    "flac",
    any_audio=True,
    covers=PICTURES,
    attachments=True,
    timecode=True,
)
_WEBM = Container("webm", ("vp9", "av1"), frozenset({"opus", "vorbis"}), frozenset({"webvtt"}), "webvtt", timecode=True)
_TS = Container(
    "mpegts",
    ("h264", "hevc"),
    _MPEG_AUDIO | {"aac_latm", "opus", "pcm_bluray", "s302m"},
    frozenset({"dvb_subtitle", "dvb_teletext", "hdmv_pgs_subtitle"}),
    data=frozenset({"klv", "timed_id3"}),
    chapters=False,
    rotation=False,
)
_AVI = Container(
    "avi",
    ("h264", "ffv1"),
    (_MPEG_AUDIO - {"eac3"})
    | {"pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "pcm_alaw", "pcm_mulaw"}
    | {"adpcm_ms", "adpcm_ima_wav", "adpcm_swf", "adpcm_yamaha", "gsm_ms", "truespeech", "g723_1"}
    | {"wmav1", "wmav2", "wmapro", "wmalossless", "wmavoice"},
    chapters=False,
    rotation=False,
    timecode=True,
)
_GIF = Container("gif", ("gif",), chapters=False, rotation=False)
_APNG = Container("apng", ("apng",), chapters=False, rotation=False)
_Y4M = Container("yuv4mpegpipe", ("rawvideo",), chapters=False, rotation=False, colours=False)

SILENT = frozenset({"gif", "apng", "yuv4mpegpipe"})
"""Muxers of what is a picture without sound by its nature: none is expected."""
_STILL_PNG = "png_pipe"  # a demuxer's name
UNKNOWN = "unknown"
"""The codec of a stream without a known decoder."""

CONTAINERS = {
    ".mp4": _MP4, ".m4v": _MP4, ".mov": _MOV, ".mkv": _MKV, ".webm": _WEBM,
    ".ts": _TS, ".m2ts": _TS, ".mts": _TS, ".m2t": _TS, ".avi": _AVI, ".gif": _GIF, ".apng": _APNG, ".y4m": _Y4M,
}  # fmt: skip
PIPED = {
    ".nut": Container(
        "nut",
        ("rawvideo", "h264", "hevc", "av1", "vp9", "ffv1"),
        _MATROSKA_AUDIO | _PCM,
        rotation=False,
        timecode=True,
        colours=False,
    )
}
"""Containers that vsr writes into pipes alone, beside those of CONTAINERS."""


FILES_ONLY = ("-protocol_whitelist", "file")
"""ffmpeg's input options that keep it from the network; `open_container` does so too."""


def url(path: Path) -> str:
    """Return the path as a name for ffmpeg, with a prefix so that a colon in it is not taken for a protocol."""
    return f"file:{path}"


def open_container(path: Path) -> InputContainer:
    """Open a media file for reading. Raises FFmpegError.

    Only files are opened, whatever the file refers to. Old films have titles that are not UTF-8; unreadable characters
    are replaced.
    """
    container = _open(path, None)
    if container.format.name == _STILL_PNG and animation_of(path) == "PNG":  # its mark is after a large profile
        container.close()
        return _open(path, "apng")
    return container


def _open(path: Path, demuxer: str | None) -> InputContainer:
    return av.open(url(path), format=demuxer, metadata_errors="replace", options={"protocol_whitelist": "file"})


def container_of(output: Path) -> Container:
    """Return the container for a file name's suffix. Raises UsageError if it cannot be written."""
    suffix = output.suffix.lower()
    try:
        return CONTAINERS.get(suffix) or PIPED[suffix]
    except KeyError:
        known = " ".join(CONTAINERS)
        images = " ".join(WRITABLE_IMAGES)
        raise UsageError(
            f"cannot write {output.name}: end the output's name with one of {known}, or for images {images}"
        ) from None


def place_streams(info: VideoInfo, output: Path) -> list[Placement]:
    """Return the treatment of every other stream in `output`. Raises CannotHoldError if sound would be lost."""
    container, suffix = container_of(output), output.suffix.lower()
    family = info.container.split(",")  # ffmpeg has one demuxer for QuickTime and MP4
    same = container.muxer in family and (len(family) == 1 or info.path.suffix.lower() == suffix)
    same = same and container.muxer != "mpegts"  # ffmpeg reads more kinds of sound in it than it can write
    placed = []
    for stream in info.streams:
        placement = _place(stream, container, suffix, info, same=same)
        if placement is not None and placement.codec and stream.kind == "audio" and info.slow != 1:
            asked = stream.codec if placement.codec == "copy" else placement.codec
            codec = codec_of(asked, container.audio, container.lossless)
            note = f"{describe(stream)} is stretched to {float(info.slow):g} times its length at its pitch, as {codec}"
            placement = Placement(stream, codec, Remark(note))
        if placement is not None:
            placed.append(placement)
    return placed


def reel_name(container: av.container.Container) -> str | None:
    """Return the name of the reel that the timecode counts on: QuickTime keeps it in the timecode's track."""
    tags = (tag for stream in container.streams for tag in stream.metadata.items())
    return next((value for key, value in tags if key.lower() == REEL and value), None)


def check_container(info: VideoInfo, output: Path) -> list[str]:
    """Return a line for each part of the source that `output` cannot hold unchanged; call it before a job starts.

    Raises CannotHoldError if sound would be lost: the message names a container that can hold it.
    """
    container = container_of(output)
    notes = [placement.note for placement in place_streams(info, output) if placement.note]
    suffix = output.suffix.lower()
    if container.muxer == "avi":
        notes += [
            Note(
                f"{suffix} cannot hold the late start of {describe(stream)}: "
                f"it will be {stream.start - info.start_time:.3f} s early",
                Reason.LOST_BY_CONTAINER,
                output=f"{output.stem}.mkv",
            )
            for stream in info.streams
            if stream.kind == "audio" and stream.start - info.start_time > LATE
        ]
    if info.chapters and not container.chapters:
        notes.append(f"{suffix} cannot hold chapters: {info.chapters} left out")
    tags = [tag for tag in info.tags if tag != TIMECODE]
    if container.muxer == "mpegts" and tags:
        notes.append(f"{suffix} cannot hold these tags: {', '.join(tags)}")
    if info.timecode is not None and not container.timecode:
        lost = f"{suffix} cannot hold the timecode {info.timecode}: left out"
        notes.append(Note(lost, Reason.LOST_BY_CONTAINER, output=f"{output.stem}.mkv"))
    if info.reel is not None and container.muxer not in _REELS:
        lost = f"{suffix} cannot hold the reel name {info.reel}: left out"
        notes.append(Note(lost, Reason.LOST_BY_CONTAINER, output=f"{output.stem}.mkv"))
    if info.rotation is not None and not container.rotation:
        lost = f"{suffix} cannot hold the rotation mark: the picture will show unrotated"
        notes.append(Note(lost, Reason.LOST_BY_CONTAINER, output=f"{output.stem}.mkv"))
    return notes


def _place(stream: OtherStream, container: Container, suffix: str, info: VideoInfo, *, same: bool) -> Placement | None:
    """Return the treatment of one stream; None for one that the muxer creates itself (chapters' text, a timecode).

    `same` means that the source has this container.
    """
    codec, name = stream.codec, describe(stream)
    if stream.empty:
        return Placement(stream, None, f"{name} is empty, or begins only midway: left out")
    # a stream without a known codec cannot be written
    if codec == UNKNOWN and stream.kind in ("audio", "video", "subtitle"):
        return Placement(stream, None, f"{name} is of a codec that vsr does not know: left out")
    left_out = Placement(stream, None, f"{suffix} cannot hold {name}: left out")
    if stream.kind == "audio":
        return _place_audio(stream, container, suffix, left_out, same=same)
    if stream.kind == "subtitle":
        if codec in container.subtitles:
            return Placement(stream, "copy")
        if codec in TEXT and container.text:
            loss = ", its styling is lost" if codec in STYLED else ""
            note = f"{suffix} cannot hold {name}: converted to {container.text}{loss}"
            return Placement(stream, container.text, note)
        return left_out
    if stream.kind == "attachment":
        return Placement(stream, "copy") if container.attachments else left_out
    if stream.kind == "video":
        timeless = codec in _REORDERED and _TIMELESS & set(info.container.split(","))
        further = () if timeless or container.muxer == "avi" else container.video  # B-frames would lose their order
        held = container.covers if stream.attached_picture else further
        if codec not in held:
            return left_out
        return Placement(
            stream, "copy", None if stream.attached_picture else f"{name} is copied as it is, not upscaled"
        )
    if info.chapters and codec in UNNAMED and stream.packets == info.chapters:
        return None
    if codec == "tmcd" and (container.timecode or info.timecode is not None):
        return None
    return Placement(stream, "copy") if codec in container.data else left_out


def _place_audio(
    stream: OtherStream, container: Container, suffix: str, left_out: Placement, *, same: bool
) -> Placement:
    if container.muxer in SILENT:
        return left_out
    if stream.wanted is not None:
        return _place_wanted(stream, stream.wanted, container, suffix)
    if stream.codec in container.audio:
        return Placement(stream, "copy")
    if container.lossless and (container.any_audio or stream.codec in EXACT):
        how = "its samples rounded to 24 bits" if stream.codec.startswith("pcm_f") else "which is lossless"
        note = f"{suffix} cannot hold {describe(stream)}: converted to {container.lossless}, {how}"
        return Placement(stream, container.lossless, note)
    if same:  # the same container can hold all its streams again
        return Placement(stream, "copy")
    message = f"{suffix} cannot hold {describe(stream)}"
    able = next((name for name in ("aac", "opus") if name in container.audio), None)
    if able is not None:
        raise CannotHoldError(message, Reason.SOUND_NOT_HELD, output="NAME.mkv", audio=able)
    raise CannotHoldError(message, Reason.NEEDS_CONTAINER, output="NAME.mkv")


def _place_wanted(stream: OtherStream, wanted: str, container: Container, suffix: str) -> Placement:
    """Return the treatment of sound for which the caller has chosen a codec, or "none"."""
    if wanted == "none":
        return Placement(stream, None, f"{describe(stream)} is left out, as asked")
    codec = _EDITED if wanted == "pcm" else wanted
    same = stream.codec.startswith("pcm_") if wanted == "pcm" else stream.codec == wanted
    if same and stream.codec in container.audio:
        return Placement(stream, "copy")
    if codec not in container.audio:
        message = f"{suffix} cannot hold {wanted}"
        raise CannotHoldError(message, Reason.NEEDS_CONTAINER, output="NAME.mkv")
    return Placement(stream, codec, f"{describe(stream)} is converted to {codec}, as asked")


def describe(stream: OtherStream) -> str:
    """Return the description of a stream for a message."""
    kind = "cover art" if stream.attached_picture else stream.kind
    language = f", {stream.language}" if stream.language else ""
    return f"stream {stream.index} ({kind}, {stream.codec}{language})"
