"""Streams of a source that are copied into a pipe beside its picture as it is made: sound and subtitles."""

import contextlib
import io
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import av
from av.error import FFmpegError
from av.stream import Stream

from vsrcli.errors import Reason
from vsrcli.media.containers import CannotHoldError, container_of, describe, open_container, place_streams
from vsrcli.media.info import OtherStream, VideoInfo
from vsrcli.media.opening import demux

_COPIED = ("audio", "subtitle")


class Beside(Protocol):
    """The streams of a source that are copied beside its picture. `end`: where a part ends, in seconds of its clock."""

    end: Fraction | None

    def streams(self) -> Sequence[Stream]:
        """Return the streams."""

    def packets(self, until: Fraction | None) -> "Iterator[av.Packet[Stream]]":
        """Yield their next packets, up to a time of the source's clock; None: all that are there."""


class _Kept:
    """Those streams of a file that are kept. `end` is as for `Beside`."""

    def __init__(self, path: Path, kept: Sequence[int], end: Fraction | None) -> None:
        self.end = end
        self._container = open_container(path) if kept else None
        self._streams = [self._container.streams[index] for index in kept] if self._container else []

    def streams(self) -> Sequence[Stream]:
        """Return the streams."""
        return self._streams

    def close(self) -> None:
        """Release the file."""
        if self._container is not None:
            self._container.close()


class FromFile(_Kept):
    """Other streams of a file, which is opened once more for them."""

    def __init__(self, info: VideoInfo, kept: Sequence[int], end: Fraction | None) -> None:
        super().__init__(info.path, kept, end)
        self._rest = self._read()
        self._next: av.Packet[Stream] | None = None

    def _read(self) -> "Iterator[av.Packet[Stream]]":
        if self._container is None:
            return
        try:
            yield from (packet for packet in demux(self._container, *self._streams) if packet.size)
        except FFmpegError:  # the picture's reader tells of damage
            return

    def packets(self, until: Fraction | None) -> "Iterator[av.Packet[Stream]]":
        """Yield their next packets, up to a time of the source's clock; None: all that are there."""
        while (packet := self._next or next(self._rest, None)) is not None:
            self._next = packet
            if until is not None and _time(packet) > until:
                return
            self._next = None
            yield packet


class FromOnce(_Kept):
    """Other streams of a source that is read once: they come with its picture. The file `head` has its beginning."""

    def __init__(self, info: VideoInfo, kept: Sequence[int], end: Fraction | None, head: Path) -> None:
        super().__init__(head, kept, end)
        assert info.once is not None
        self._once = info.once
        self._once.kept = tuple(kept)

    def packets(self, until: Fraction | None) -> "Iterator[av.Packet[Stream]]":
        """Yield their next packets, up to a time of the source's clock; None: all that are there."""
        others = self._once.others
        while others and (until is None or _time(others[0]) <= until):
            yield others.popleft()


def _time(packet: "av.Packet[Stream]") -> Fraction:
    stamp = packet.dts if packet.dts is not None else packet.pts
    return Fraction(0) if stamp is None or not packet.time_base else stamp * Fraction(packet.time_base)


def kept_streams(info: VideoInfo, output: Path) -> tuple[list[OtherStream], dict[str, str]]:
    """Return the streams that are copied into `output` while it is written, and what is to be said instead of notes.

    Raises CannotHoldError if its container cannot hold the sound as it is.
    """
    kept: list[OtherStream] = []
    instead: dict[str, str] = {}
    placed = [] if info.images else place_streams(info, output)
    known = _known(info.path, container_of(output).muxer, [one.stream.index for one in placed if one.codec])
    for placement in placed:
        stream, note = placement.stream, placement.note or ""
        if placement.codec == "copy" and stream.kind in _COPIED and stream.index in known:
            kept.append(stream)
        elif placement.codec is not None and stream.kind == "audio" and info.slow == 1:
            message = f"no sound is converted from or into a pipe, and {output.suffix} cannot hold {describe(stream)}"
            if stream.wanted is not None:
                message = f"no sound is converted from or into a pipe, and {describe(stream)} would be"
                raise CannotHoldError(message, Reason.SOUND_IN_PIPE)
            held = stream.codec in container_of(Path("NAME.mkv")).audio
            raise CannotHoldError(message, Reason.NEEDS_CONTAINER if held else Reason.SOUND_OF_PIPE, output="NAME.mkv")
        elif placement.codec is not None:
            said = f"{describe(stream)} is left out: pipes take only sound and subtitles as they are"
            instead[note or said] = said
    return kept, instead


def _known(path: Path, muxer: str, indices: Sequence[int]) -> set[int]:
    """Return the numbers of those streams that a muxer takes from memory."""
    found = set()
    if indices:
        with open_container(path) as source, av.open(io.BytesIO(), "w", format=muxer) as nowhere:
            for index in indices:
                with contextlib.suppress(ValueError, AttributeError):
                    nowhere.add_stream_from_template(source.streams[index], opaque=True)
                    found.add(index)
    return found
