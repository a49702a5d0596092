"""Write a result as it is made, into a pipe or a file, with the source's sound and subtitles as they are."""

import errno
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import av
from av.error import FFmpegError
from av.stream import Stream

from vsrcli.errors import OutputError, unwritable
from vsrcli.frame import Frame
from vsrcli.media.containers import TIMECODE, open_container
from vsrcli.media.info import VideoInfo
from vsrcli.media.write.encode import SegmentWriter, output_colour, picture_of
from vsrcli.media.write.encode_settings import EncodeSettings
from vsrcli.media.write.live_streams import Beside
from vsrcli.media.write.mux_tags import STALE, video_tags
from vsrcli.media.write.timecode import first_code
from vsrcli.media.write.y4m import constant, y4m_frame
from vsrcli.media.write.y4m_file import header_of

Warn = Callable[[str], None]
_INTERLEAVED = str(2_000_000)  # microseconds that the muxer waits for a stream that lags


class ReaderGoneError(OutputError):
    """Nobody reads the pipe any more: what is written there is no longer wanted."""


class Outlet:
    """A pipe or file to which bytes are written in order. Raises ReaderGoneError once nobody reads them.

    `name` is for messages.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file, self.name, self.gone = file, name, False

    @property
    def file(self) -> BinaryIO:
        """The file itself."""
        return self._file

    def write(self, data: bytes) -> int:
        """Write all of the bytes."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            # Windows tells EINVAL of a pipe without a reader
            self.gone = error.errno == errno.EPIPE or (os.name == "nt" and error.errno == errno.EINVAL)
            raise
        return len(data)

    def close(self) -> None:
        """Flush and close the file."""
        self._file.close()


class FileOutlet(Outlet):
    """A file, in which a muxer goes back to write the length and the index."""

    def seek(self, place: int, whence: int = 0) -> int:
        """Move to a place."""
        return self._file.seek(place, whence)

    def tell(self) -> int:
        """Return the place."""
        return self._file.tell()


class LiveWriter(Protocol):
    """Writer of frames that are seen while others are being made."""

    def write(self, frame: Frame) -> None:
        """Write one frame of levels. Raises OutputError."""

    def close(self) -> None:
        """Write what is left, and the end."""


class Y4mWriter:
    """Writer of uncompressed frames at one rate, the times of which are not kept."""

    def __init__(self, outlet: Outlet, info: VideoInfo, settings: EncodeSettings, warn: Warn) -> None:
        self._outlet, self._info, self._settings, self._warn = outlet, info, settings, warn
        self._before: int | None = None
        self._colour = output_colour(info, settings)
        self._begun = self._uneven = False

    def write(self, frame: Frame) -> None:
        """Write one frame of levels. Raises OutputError."""
        if self._before is not None and not self._uneven:
            step = (frame.pts - self._before) * self._info.time_base
            if not constant(iter([step]), self._info.rate):
                self._uneven = True
                when = float(frame.pts * self._info.time_base) - self._info.start_time
                self._warn(f"y4m knows only a constant frame rate, and here it changes at {when:.2f} s: times move")
        self._before = frame.pts
        try:
            if not self._begun:
                self._begun = True
                self._outlet.write(header_of(self._info, self._settings))
            for part in y4m_frame(picture_of(frame, self._info, self._settings, self._colour)):
                self._outlet.write(part)
        except OSError as error:
            raise _failure(self._outlet, error) from None

    def close(self) -> None:
        """Write nothing: the format has no end."""


class MuxWriter(SegmentWriter):
    """Writer of encoded frames with the source's other streams, in any container that needs no way back.

    A result that is a part of its source (`part`) begins at 0.
    """

    def __init__(
        self,
        outlet: Outlet,
        info: VideoInfo,
        settings: EncodeSettings,
        muxer: str,
        beside: Beside,
        labels: "Labels",
        *,
        part: bool,
    ) -> None:
        self._outlet, self._written, self._beside, self._labels, self._part = outlet, muxer, beside, labels, part
        self._origin: int | None = None if part else 0
        self._last: dict[int, int] = {}
        self._others: dict[int, Stream] = {}
        if settings.codec == "rawvideo":
            settings = replace(settings, encoder="rawvideo")
        if not settings.tagged:
            info = replace(info, colour=replace(info.colour, range=1))  # no tag says another
        try:
            super().__init__(Path(outlet.name), info, settings)
        except OutputError as error:
            raise _failure(outlet, error) from None

    def _mux(self, packet: "av.Packet[av.VideoStream]") -> None:
        """Write a packet at its own time."""
        self._container.mux(packet)

    def _open(self) -> av.container.OutputContainer:
        options = {"max_interleave_delta": _INTERLEAVED, "flush_packets": "1"}
        if self._written in ("mp4", "mov"):
            options["movflags"] = "+use_metadata_tags"
        container = av.open(self._outlet, "w", format=self._written, container_options=options)
        container.metadata.update(self._labels.tags)
        container.set_chapters(list(self._labels.chapters))
        return container

    def _open_stream(self) -> av.VideoStream:
        stream = super()._open_stream()
        stream.metadata.update(self._labels.picture)
        if self._info.rotation:
            stream.set_display_matrix(self._info.rotation)
        for source in self._beside.streams():
            made = self._container.add_stream_from_template(source, opaque=True)
            made.metadata.update({k: v for k, v in source.metadata.items() if k.lower() in ("language", "title")})
            self._others[source.index] = made
        return stream

    def write(self, frame: Frame) -> None:
        """Encode one frame of levels, and copy what the other streams have up to its time. Raises OutputError."""
        if self._origin is None:
            self._origin = frame.pts
        self._copy(until=(frame.pts + frame.duration) * self._info.time_base)
        super().write(replace(frame, pts=frame.pts - self._origin))

    def _copy(self, until: Fraction | None) -> None:
        """Copy the other streams' packets that come before a time of the source; None: all."""
        begin = (self._origin or 0) * self._info.time_base
        for packet in self._beside.packets(until):
            stream, number, tick = self._others.get(packet.stream_index), packet.stream_index, packet.time_base
            if stream is None or packet.dts is None or packet.pts is None or not tick:
                continue
            time = packet.pts * tick
            if self._part and (time < begin or (self._beside.end is not None and time >= self._beside.end)):
                continue
            shift = round(begin / tick) if self._part else 0
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            if packet.dts <= self._last.get(number, packet.dts - 1):  # where the source's clock jumps back
                continue
            self._last[number] = packet.dts
            packet.stream = stream
            try:
                self._container.mux(packet)
            except (FFmpegError, OSError, ValueError) as error:
                raise _failure(self._outlet, error) from None

    def _encode(self, frame: av.VideoFrame | None) -> None:
        try:
            super()._encode(frame)
        except OutputError as error:
            raise _failure(self._outlet, error) from None

    def _finish(self) -> None:
        try:
            if not self._outlet.gone:
                self._copy(until=None)
            super()._finish()
        except OutputError as error:
            raise _failure(self._outlet, error) from None


def _failure(outlet: Outlet, error: Exception) -> OutputError:
    if isinstance(error, ReaderGoneError):
        return error
    if outlet.gone:
        return ReaderGoneError(f"{outlet.name} is read no more")
    if isinstance(error, OutputError):
        return error
    return unwritable(outlet.name, error)


@dataclass(frozen=True)
class Labels:
    """What a result is labelled with: tags of the whole and of its picture, chapters as PyAV takes them."""

    tags: Mapping[str, str] = field(default_factory=dict)
    picture: Mapping[str, str] = field(default_factory=dict)
    chapters: Sequence[Any] = ()


def labels_of(info: VideoInfo, path: Path, first: int, *, part: bool) -> Labels:
    """Return the labels of a result whose first frame has the pts `first`, from those of the source at `path`.

    `info` describes the result's frames. A part has no chapters, whose times are those of the whole.
    """
    if info.images:
        return Labels()
    with open_container(path) as source:
        stream = source.streams[info.stream_index]
        offset = first * info.time_base - Fraction(info.start_time) if part else Fraction(0)
        code = first_code(info, stream, offset)
        whole = {key: value for key, value in source.metadata.items() if key.lower() not in STALE}
        chapters = [] if part else [_slowed(chapter, info.slow) for chapter in source.chapters()]
        return Labels(_coded(whole, code), _coded(video_tags(stream), code), chapters)


def _slowed(chapter: Any, slow: Fraction) -> dict[str, Any]:
    return {**chapter, **{end: round(chapter[end] * slow) for end in ("start", "end")}}


def _coded(tags: Mapping[str, str], code: str | None) -> dict[str, str]:
    """Return tags with another timecode, where there is one."""
    return {key: code if code and key.lower() == TIMECODE else value for key, value in tags.items()}
