"""Open video files; report in one line why a file cannot be opened."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, TypeVar, cast

import av
from av.codec.context import Flags
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Stream

from vsrcli.errors import InputError
from vsrcli.media.animation import animation_of
from vsrcli.media.containers import open_container

_TEXT_DEMUXERS = frozenset({"tty"})  # draws any text as a video
HEAD = 1 << 12
"""Bytes of a file's beginning by which lists of other files are known."""
# Playlists and scripts: ffmpeg would open whatever files they name, so they are refused before it sees them.
_LISTS_BEGIN = (b"#EXTM3U", b"\xef\xbb\xbf#EXTM3U", b"ffconcat", b"# VobSub index file", b"v=0")
_LISTS = (b"<MPD", b"<mpd", b"CompositionPlaylist")
_LIST_DEMUXERS = frozenset({"hls", "concat", "dash", "imf", "sdp", "vobsub", "image2", "lavfi"})
_MOST_LINKS = 40
MOST_TAGS = 5000
"""Tags of a file, or of a stream, that are read: FFmpeg compares each with all before it (20,000 take 5 s), and a job
opens its source a dozen times."""
_STREAMS = re.compile(r"/dev/(stdin|stdout|stderr|fd/.*)|/proc/(.*/)?fd/.*")
S = TypeVar("S", bound=Stream)
WEBP_FIX = "convert it to GIF or APNG first"


class Readable(Protocol):
    """What gives bytes in order."""

    def read(self, size: int) -> bytes:
        """Return some bytes, none at the end."""


def refuse_streams(path: Path) -> None:
    """Raise InputError for what is no file with a name of its own: a pipe, a device, standard input."""
    place = path.absolute()
    for _ in range(_MOST_LINKS):  # step by step: what /dev/stdin leads to may be a file, but is open here alone
        if _STREAMS.match(str(place)):
            raise InputError(f"{path} is a stream of this process, which cannot be read twice: give the file's name")
        if not place.is_symlink():
            break
        place = place.parent / place.readlink()
    if str(path) == "-" and not path.exists():
        raise InputError("standard input cannot be read twice: write it to a file first, and give its name")
    if path.is_fifo() or path.is_socket():
        raise InputError(f"{path} is a pipe, which cannot be read twice: write it to a file first")
    if path.is_char_device() or path.is_block_device():
        raise InputError(f"{path} is a device, not a file")


def open_video(path: Path) -> InputContainer:
    """Open a video file for reading. Raises InputError with one line that says what is wrong."""
    try:
        refuse_streams(path)
        str(path).encode()  # ffmpeg takes names as UTF-8
        with path.open("rb") as file:
            head = file.read(HEAD)
    except UnicodeEncodeError:
        raise InputError(f"{path} has a name that is not UTF-8: rename it") from None
    except FileNotFoundError as error:
        raise InputError(f"{path} does not exist") from error
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    if not head:
        raise InputError(f"{path} is empty (0 bytes)")
    refuse_lists(path, head)
    if animation_of(path) == "WebP":
        raise InputError(f"{path} is an animated WebP: {WEBP_FIX}")
    try:
        container = open_container(path)
    except FFmpegError as error:
        if head[4:8] == b"ftyp":
            raise InputError(f"{path} is cut off or damaged: its index (moov) cannot be read") from error
        raise InputError(f"{path} is not a video, or is damaged beyond reading") from error
    if container.format.name in _LIST_DEMUXERS:
        container.close()
        if container.format.name == "image2":  # which takes an image's name for a pattern of many
            raise InputError(f"{path} is an image of a kind that vsr does not read: convert it to PNG first")
        raise InputError(f"{path} is a list of other files, which vsr does not follow: join them to one file first")
    if container.format.name in _TEXT_DEMUXERS:
        container.close()
        raise InputError(f"{path} is a text, not a video")
    tags = max(len(container.metadata), *(len(stream.metadata) for stream in container.streams), 0)
    if tags > MOST_TAGS:
        container.close()
        raise InputError(
            f"{path} has {tags} tags, and FFmpeg takes seconds at each look into a file with more than {MOST_TAGS}: "
            "remove them first"
        )
    return _whole_columns(container)


def refuse_lists(path: Path, head: bytes) -> None:
    """Raise InputError if the beginning of `path` is that of a list of other files."""
    is_xml = head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
    if (is_xml and any(sign in head for sign in _LISTS)) or head.startswith(_LISTS_BEGIN):
        raise InputError(f"{path} is a list of other files, which vsr does not follow: join them to one file first")


def open_stream(source: Readable) -> InputContainer:
    """Open what is read once, whose beginning has been checked by `refuse_lists`. Raises FFmpegError."""
    options = {"protocol_whitelist": "pipe"}  # no file or address that the data may name
    container = av.open(source, "r", metadata_errors="replace", options=options)
    return _whole_columns(container)


def _whole_columns(container: InputContainer) -> InputContainer:
    """Return a container whose decoders of pictures are as `keep_columns` has them."""
    for stream in container.streams.video:
        if stream.codec_context is not None:
            keep_columns(stream.codec_context)
    return container


def keep_columns(context: av.VideoCodecContext) -> None:
    """Have a decoder leave out columns that are cropped on the left, which would stay, to keep rows aligned."""
    context.flags |= Flags.unaligned


def demux(container: InputContainer, *streams: S) -> "Iterator[av.Packet[S]]":
    """Yield the packets of these streams (none given: of all), then one of each that flushes its decoder.

    Unlike PyAV's own method it goes to the end of files in which further streams begin midway (joined broadcasts, FLV).
    That stumbles over the new ones after it has flushed those that it knows. Raises FFmpegError.
    """
    with contextlib.suppress(IndexError):
        yield from cast("Iterator[av.Packet[S]]", container.demux(*streams))


def decode_packet(packet: "av.Packet[av.VideoStream]") -> list[av.VideoFrame]:
    """Return the frames that become ready with this packet. Raises FFmpegError if it is damaged."""
    return [frame for frame in packet.decode() if isinstance(frame, av.VideoFrame)]
