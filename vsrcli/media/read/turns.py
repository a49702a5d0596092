"""Decode the picture of a transport stream whose codec changes midway, as where recordings were joined."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import av
from av.codec.context import CodecContext
from av.error import FFmpegError

from vsrcli.media.opening import decode_packet, keep_columns
from vsrcli.media.read.programs import PICTURES, Part, Tables, decoder_of
from vsrcli.words import counted

_BEGINS = {
    "h264": b"\0\0\0\1\x09",
    "hevc": b"\0\0\0\1\x46\1",
    "mpeg2video": b"\0\0\1\xb3",
}
"""What the first picture of a stream begins with in a transport stream: a delimiter, or MPEG-2's header."""
_BEHIND = 1 << 22
"""Bytes before the first packet from which the tables are read: they are repeated ten times a second."""


@dataclass(frozen=True)
class Unread:
    """Packets (of video: pictures) that no output gets, because they are in a stream or codec that begins midway.

    `begin` and `end` are bytes of the file, `first` and `last` times of its clock in seconds, None if nothing tells.
    """

    kind: str
    codec: str
    packets: int
    begin: int
    end: int
    first: float | None
    last: float | None

    @classmethod
    def of(cls, part: Part, kind: str) -> "Unread":
        """Return what describes a part of `kind`, video or audio."""
        return cls(kind, part.codec, part.packets, part.begin, part.end, part.first, part.last)

    def line(self) -> str:
        """Return what to say of it."""
        if self.kind == "video":
            return f"{counted(self.packets, 'frame')} ({self.codec}) in a stream that begins at byte {self.begin}"
        return f"the sound in {self.codec} from byte {self.begin} to {self.end}"


class Turns:
    """The decoder of a stream's packets, which is another one where the file's tables name another codec.

    `tables` are those of what is no file. `told` is called with the names of the codecs before and after a change, and
    the last pts before it.
    """

    def __init__(
        self,
        path: Path,
        stream: av.VideoStream,
        threads: Literal["AUTO", "NONE"],
        told: Callable[[str, str, int | None], None],
        tables: Tables | None = None,
    ) -> None:
        self._path, self._pid, self._threads, self._told = path, stream.id, threads, told
        self.context: av.VideoCodecContext = stream.codec_context
        self._own = self.context
        self._tables = tables
        self._left: list[av.VideoFrame] = []
        self._last: int | None = None

    def packets(self, packets: "Iterable[av.Packet[av.VideoStream]]") -> "Iterator[av.Packet[av.VideoStream]]":
        """Pass the stream's packets on; before each the decoder is made the one of its codec.

        FFmpeg finds where a picture ends by the next one's beginning, by the rules of one codec. So the last packet
        before a change has the first picture after it at its end, and may be in pieces, of which only the first has a
        place in the file.
        """
        held: list[av.Packet[av.VideoStream]] = []
        for packet in packets:
            if held and (packet.pos is not None or not packet.size):
                yield from self._cut(held, packet)
                held = []
            held.append(packet)
        yield from held

    def decode(self, packet: "av.Packet[av.VideoStream]") -> list[av.VideoFrame]:
        """Return the frames that become ready with this packet. Raises FFmpegError if it is damaged."""
        frames = decode_packet(packet) if self.context is self._own else self.context.decode(packet)
        left, self._left = self._left, []
        return left + frames

    def _cut(
        self, held: "Sequence[av.Packet[av.VideoStream]]", after: "av.Packet[av.VideoStream]"
    ) -> "Iterator[av.Packet[av.VideoStream]]":
        """Yield the packets of one place in the file, cut in two if those `after` are of another codec."""
        packet = held[0]
        self._turn(self._codec(packet))
        self._last = packet.pts if self._last is None or packet.pts is None else max(packet.pts, self._last)
        codec, now = self._codec(after), decoder_of(self.context.codec.canonical_name)
        data = b"".join(map(bytes, held)) if codec in _BEGINS and codec != now else b""
        place = data.rfind(_BEGINS[codec]) if data and codec is not None else -1
        part = None if self._tables is None or packet.pos is None else self._tables.begin_after(self._pid, packet.pos)
        if place < 0 or part is None or part.codec != codec:
            yield from held
            return
        if place:
            yield _packet(data[:place], packet, packet.pts, packet.dts)
        self._turn(codec)
        yield _packet(data[place:], packet, part.pts, part.dts)

    def _turn(self, codec: str | None) -> None:
        """Change the decoder, if it is not that of `codec`."""
        before = decoder_of(self.context.codec.canonical_name)
        if codec is None or codec == before:
            return
        with suppress(FFmpegError):
            self._left += self.context.decode(None)
        self._told(before, codec, self._last)
        self.context, self._last = self._made(codec), None

    def _codec(self, packet: "av.Packet[av.VideoStream]") -> str | None:
        """Return the codec of a packet by the tables, as far as they tell and a decoder is there."""
        if packet.pos is None or not packet.size:
            return None
        if self._tables is None:
            self._tables = Tables(self._path, max(0, packet.pos - _BEHIND))
        codec = self._tables.codec_at(self._pid, packet.pos)
        return codec if codec in PICTURES & av.codecs_available else None

    def _made(self, codec: str) -> av.VideoCodecContext:
        if codec == decoder_of(self._own.codec.canonical_name):
            self._own.flush_buffers()
            return self._own
        made = CodecContext.create(codec, "r")
        assert isinstance(made, av.VideoCodecContext)
        made.thread_type = self._threads
        keep_columns(made)
        return made

    def unread(self, labels: Mapping[int, str]) -> list[Unread]:
        """Return what the file has of streams that begin only midway, and of sound in another codec than before.

        `labels` are the codecs of the streams of sound by their numbers.
        """
        if self._tables is None:
            return []
        self._tables.read()
        found = []
        known = any(self._pid in part.listed for part in self._tables.parts)
        for part in self._tables.parts:
            elsewhere = known and part.complete and self._pid not in part.listed
            if part.codec in PICTURES and elsewhere:
                found.append(Unread.of(part, "video"))
            elif part.pid in labels and part.codec != decoder_of(labels[part.pid]):
                found.append(Unread.of(part, "audio"))
        return found

    def pictures(self) -> int:
        """Return how many pictures the stream has by the file's tables and headers, as far as `unread` has read."""
        parts = () if self._tables is None else self._tables.parts
        return sum(part.packets for part in parts if part.pid == self._pid and part.codec in PICTURES)


def _packet(
    data: bytes, like: "av.Packet[av.VideoStream]", pts: int | None, dts: int | None
) -> "av.Packet[av.VideoStream]":
    """Return a packet of the stream of `like` with other data and times."""
    made = cast("av.Packet[av.VideoStream]", av.Packet(data))
    made.stream, made.time_base = like.stream, like.time_base
    made.pts, made.dts, made.duration = pts, dts, like.duration or 0
    made.is_keyframe = True
    return made
