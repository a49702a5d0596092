"""Follow the tables of a transport stream: which codec each of its streams has, and where that changes.

Where recordings or broadcasts were joined, a stream may go on in another codec or under another number. FFmpeg takes
the codec that is there at the beginning for that of all. Tables: ISO/IEC 13818-1, section 2.4.4.
"""

import os
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vsrcli.media.read.checksums import is_right_table

_SIZES = ((188, 0), (192, 4), (204, 0))
"""Bytes of a packet, and of what stands before it: broadcast, Blu-ray, with error correction."""
_SYNC, _IN_STEP = 0x47, 5
_BLOCK = 1 << 20
_PIDS = 1 << 13
_CLOCK = 90_000  # ticks a second

_TYPES = {
    0x01: "mpeg2video", 0x02: "mpeg2video", 0x10: "mpeg4", 0x1B: "h264", 0x24: "hevc", 0x33: "vvc", 0x42: "cavs",
    0xD2: "avs2", 0xEA: "vc1",
    0x03: "mp2", 0x04: "mp2", 0x0F: "aac", 0x11: "aac_latm", 0x81: "ac3", 0x87: "eac3",
}  # fmt: skip
"""Codecs by the type of a stream, of which one decoder reads all that are named alike."""
_DESCRIPTORS = {0x6A: "ac3", 0x7A: "eac3", 0x7B: "dts"}
_REGISTERED = {b"HEVC": "hevc", b"AC-3": "ac3", b"EAC3": "eac3", b"Opus": "opus"}
_REGISTRATION, _PRIVATE = 0x05, 0x06
PICTURES = frozenset({"mpeg2video", "mpeg4", "h264", "hevc", "vvc", "cavs", "avs2", "vc1"})


def decoder_of(codec: str) -> str:
    """Return the codec of _TYPES that has the same decoder as ffmpeg's `codec`."""
    return {"mpeg1video": "mpeg2video", "mp1": "mp2", "mp3": "mp2"}.get(codec, codec)


@dataclass
class Part:
    """A part of the file in which a stream, number `pid`, has one codec and the tables list the same streams.

    `complete`: the tables of all programs were known. `begin` and `end` are bytes. `packets` begin there (of video:
    pictures), the first one with `pts` and `dts` in ticks of the stream's clock, all between `first` and `last` in
    seconds.
    """

    pid: int
    codec: str
    listed: frozenset[int]
    complete: bool
    begin: int
    pts: int | None
    dts: int | None
    end: int = 0
    packets: int = 0
    first: float | None = None
    last: float | None = None


@dataclass
class Tables:
    """The tables of the file `path` from the byte `place` on, as far as they have been read; None: of what is fed.

    `parts` are those with at least one packet, in order.
    """

    path: Path | None
    place: int = 0
    parts: list[Part] = field(default_factory=list)
    _programs: dict[int, dict[int, str | None]] = field(default_factory=dict)  # by the number of a table's packets
    _changes: dict[int, tuple[list[int], list[str]]] = field(default_factory=dict)
    _sections: dict[int, bytes] = field(default_factory=dict)
    _open: dict[int, Part] = field(default_factory=dict)
    _step: tuple[int, int] | None = None
    _rest: bytes = b""

    def codec_at(self, pid: int, place: int) -> str | None:
        """Return the codec of a stream whose packet begins at the byte `place`; None if nothing tells."""
        self.read(place)
        places, codecs = self._changes.get(pid, ([], []))
        number = bisect_right(places, place)
        return codecs[number - 1] if number else None

    def begin_after(self, pid: int, place: int) -> Part | None:
        """Return the first part of a stream that begins after the byte `place`, as far as has been read."""
        return next((part for part in self.parts if part.pid == pid and part.begin > place), None)

    def read(self, until: int | None = None) -> None:
        """Read the file on to the byte `until` (None: to the end). What cannot be read ends it."""
        if self.path is None:
            return
        try:
            with self.path.open("rb") as file:
                end = os.fstat(file.fileno()).st_size
                while self.place < (end if until is None else min(end, until + 1)):
                    file.seek(self.place)
                    data = file.read(_BLOCK)
                    used = self._block(data)
                    if not used:
                        break
                    self.place += used
        except OSError:
            return

    def feed(self, data: bytes) -> None:
        """Take the next bytes of what is no file."""
        self._rest += data
        while used := self._block(self._rest):
            self.place, self._rest = self.place + used, self._rest[used:]

    def _block(self, data: bytes) -> int:
        """Take packets from the front of `data`, and return how many bytes are done with; 0 at the end."""
        if self._step is None or not _in_step(data, self._step, 0):
            found = _find_step(data)
            if found is None:
                return max(0, len(data) - _IN_STEP * _SIZES[-1][0])
            skipped, self._step = found
            if skipped:
                return skipped
        size, before = self._step
        packets = np.frombuffer(data, np.uint8, len(data) // size * size).reshape(-1, size)[:, before:]
        wrong = np.flatnonzero(packets[:, 0] != _SYNC)
        packets = packets[: wrong[0]] if len(wrong) else packets
        self._packets(packets, size)
        return len(packets) * size

    def _packets(self, packets: np.ndarray, size: int) -> None:
        pids = (packets[:, 1].astype(np.uint16) & 0x1F) << 8 | packets[:, 2]
        begins = packets[:, 1] & 0x40 != 0
        row = 0
        while row < len(packets):
            tables, streams = np.zeros(_PIDS, bool), np.zeros(_PIDS, bool)
            tables[[0, *self._programs]] = True
            streams[list(self._listed)] = True
            rest = pids[row:]
            for found in row + np.flatnonzero(tables[rest] | (streams[rest] & begins[row:])):
                row = int(found) + 1
                pid, place = int(pids[found]), self.place + int(found) * size
                payload = _payload(packets[found].tobytes())
                if not tables[pid]:
                    self._begin(pid, place, payload)
                elif self._table(pid, place, payload, begins=bool(begins[found])):
                    break
            else:
                return

    @property
    def _listed(self) -> frozenset[int]:
        return frozenset(pid for streams in self._programs.values() for pid in streams)

    def _begin(self, pid: int, place: int, payload: bytes) -> None:
        """Count a packet of a stream that begins here."""
        _, codecs = self._changes.get(pid, ([], []))
        if not codecs:
            return
        part = self._open.get(pid)
        pts, dts = _times(payload)
        if part is None:
            part = self._open[pid] = Part(pid, codecs[-1], self._listed, all(self._programs.values()), place, pts, dts)
            self.parts.append(part)
        part.packets, part.end = part.packets + 1, place
        if pts is not None:
            time = pts / _CLOCK
            part.first = time if part.first is None else min(time, part.first)
            part.last = time if part.last is None else max(time, part.last)

    def _table(self, pid: int, place: int, payload: bytes, *, begins: bool) -> bool:
        """Take a packet of a table, and return whether it changes what is listed."""
        before = {number: dict(streams) for number, streams in self._programs.items()}
        if begins and payload:
            self._sections[pid] = payload[1 + payload[0] :]
        elif pid in self._sections:
            self._sections[pid] += payload
        data = self._sections.get(pid, b"")
        while len(data) >= 3 and data[0] != 0xFF:
            length = 3 + (int.from_bytes(data[1:3], "big") & 0xFFF)
            if len(data) < length:
                break
            self._section(pid, data[:length])
            data = data[length:]
        self._sections[pid] = data
        if self._programs == before:
            return False
        for streams in self._programs.values():
            for number, codec in streams.items():
                places, codecs = self._changes.setdefault(number, ([], []))
                if codec is not None and codecs[-1:] != [codec]:
                    places.append(place)
                    codecs.append(codec)
        for part in self._open.values():
            part.end = place
        self._open.clear()
        return True

    def _section(self, pid: int, data: bytes) -> None:
        """Take a whole table; one with a wrong checksum, or that holds only later, is ignored."""
        if len(data) < 12 or not data[5] & 1 or not is_right_table(data):
            return
        if pid == 0 and data[0] == 0:
            entries = [data[at : at + 4] for at in range(8, len(data) - 4, 4)]
            numbers = [int.from_bytes(one[2:], "big") & 0x1FFF for one in entries if any(one[:2])]
            self._programs = {number: self._programs.get(number, {}) for number in numbers}
        elif pid in self._programs and data[0] == 2:
            self._programs[pid] = dict(_streams(data))


def _streams(table: bytes) -> Iterator[tuple[int, str | None]]:
    """Yield the number and codec of each stream that a program's table lists."""
    at = 12 + (int.from_bytes(table[10:12], "big") & 0xFFF)
    while at + 5 <= len(table) - 4:
        length = int.from_bytes(table[at + 3 : at + 5], "big") & 0xFFF
        pid = int.from_bytes(table[at + 1 : at + 3], "big") & 0x1FFF
        yield pid, _codec(table[at], table[at + 5 : at + 5 + length])
        at += 5 + length


def _codec(kind: int, descriptors: bytes) -> str | None:
    if kind != _PRIVATE:
        return _TYPES.get(kind)
    at = 0
    while at + 2 <= len(descriptors):
        tag, length = descriptors[at : at + 2]
        if tag in _DESCRIPTORS:
            return _DESCRIPTORS[tag]
        if tag == _REGISTRATION and (found := _REGISTERED.get(descriptors[at + 2 : at + 6])):
            return found
        at += 2 + length
    return None


def _payload(packet: bytes) -> bytes:
    control = packet[3] >> 4
    if not control & 1:
        return b""
    return packet[5 + packet[4] : 188] if control & 2 else packet[4:188]


def _times(payload: bytes) -> tuple[int | None, int | None]:
    """Return pts and dts in the header of a packet of a stream; None if it has none."""
    if len(payload) < 19 or payload[:3] != b"\0\0\1" or not payload[7] & 0x80:
        return None, None
    pts = _ticks(payload[9:14])
    return pts, _ticks(payload[14:19]) if payload[7] & 0x40 else pts


def _ticks(field: bytes) -> int:
    """Return a time of 33 bits, which marks keep apart."""
    return (
        (field[0] >> 1 & 7) << 30
        | int.from_bytes(field[1:3], "big") >> 1 << 15
        | int.from_bytes(field[3:5], "big") >> 1
    )


def _in_step(data: bytes, step: tuple[int, int], at: int) -> bool:
    size, before = step
    places = range(at + before, min(len(data), at + _IN_STEP * size), size)
    return bool(places) and all(data[place] == _SYNC for place in places)


def _find_step(data: bytes) -> tuple[int, tuple[int, int]] | None:
    """Return where packets begin in `data`, and their kind of _SIZES."""
    place = data.find(_SYNC)
    while place >= 0:
        for step in _SIZES:
            at = place - step[1]
            if at >= 0 and at + _IN_STEP * step[0] <= len(data) and _in_step(data, step, at):
                return at, step
        place = data.find(_SYNC, place + 1)
    return None
