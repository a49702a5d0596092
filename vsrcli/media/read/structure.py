"""Check a file's structure: is its end missing, its middle broken, or a checksum wrong?

A demuxer silently skips what it cannot read; the structure shows that there was something. Of most containers headers
are read alone. Matroska may have a checksum in each cluster, which demuxers ignore: most decoders notice nothing of a
flipped bit.
"""

import os
import re
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

_BUFFER = 1024  # bytes read at once: headers lie far apart
_EBML, _SEGMENT, _CLUSTER, _INFO = 0x1A45DFA3, 0x18538067, 0x1F43B675, 0x1549A966
_SUM_HEAD, _TIMESTAMP = b"\xbf\x84", b"\xe7"
_SCALE = re.compile(rb"\x2a\xd7\xb1([\x81-\x88])(.{1,8})", re.DOTALL)
_TICK = 1_000_000  # nanoseconds, unless told
_LARGEST_INFO = 1 << 16
_AT_ONCE = 1 << 20
# SeekHead, Info, Tracks, Cluster, Cues, Attachments, Chapters, Tags: what ends a cluster of unknown size
_TOP = frozenset(
    [0x114D9B74, 0x1549A966, 0x1654AE6B, _CLUSTER, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367, _SEGMENT, _EBML]
)
# Timestamp, SimpleBlock, BlockGroup, PrevSize, Position, SilentTracks, EncryptedBlock, Void, CRC-32
_IN_CLUSTER = frozenset([0xE7, 0xA3, 0xA0, 0xAB, 0xA7, 0x5854, 0xAF, 0xEC, 0xBF])
_RIFF_SLACK = 8  # bytes by which some writers overstate: the header that the size should leave out
_ASF_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_MXF_KEY = b"\x06\x0e\x2b\x34"
_FLV_TAGS = frozenset([8, 9, 18])


@dataclass(frozen=True)
class Structure:
    """The result of a check.

    Number of bytes missing at the file's end, where it is `broken` (None: nowhere), how many clusters have a `wrong`
    checksum, and when the first of them begins, in seconds of the container's clock.
    """

    missing: int = 0
    broken: int | None = None
    wrong: int = 0
    first_wrong: float | None = None


def examine(path: Path, container: str) -> Structure:
    """Check a file of the format that ffmpeg calls `container`; other formats count as intact."""
    walk = next((walk for name, walk in _WALKS.items() if name in container.split(",")), None)
    if walk is None:
        return Structure()
    try:
        with path.open("rb", buffering=_BUFFER) as file:
            return walk(file, os.fstat(file.fileno()).st_size)
    except (OSError, struct.error):
        return Structure()


def _matroska(file: BinaryIO, end: int) -> Structure:
    sums = _Checksums(file)
    found = _matroska_elements(file, end, sums)
    return replace(found, wrong=sums.wrong, first_wrong=sums.first)


class _Checksums:
    """Checks the clusters of a Matroska file that begin with a checksum (RFC 8794, section 11.3.1)."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._scale = file, _TICK
        self.wrong = 0
        self.first: float | None = None

    def read_info(self, body: int, size: int) -> None:
        """Take the clock's tick from the segment's information."""
        self._file.seek(body)
        found = _SCALE.search(self._file.read(min(size, _LARGEST_INFO)))
        if found:
            self._scale = int.from_bytes(found[2][: found[1][0] & 15], "big") or _TICK

    def check(self, body: int, size: int) -> None:
        """Check one cluster. It counts as sound if it has no checksum, or is cut off."""
        self._file.seek(body)
        head = self._file.read(6)
        if head[:2] != _SUM_HEAD or size < 6:
            return
        left, found = size - 6, 0
        begun = self._file.read(min(left, 12))
        found, left = zlib.crc32(begun), left - len(begun)
        while left:
            data = self._file.read(min(left, _AT_ONCE))
            if not data:
                return
            found, left = zlib.crc32(data, found), left - len(data)
        if found.to_bytes(4, "little") != head[2:]:
            self.wrong += 1
            if self.first is None and begun[:1] == _TIMESTAMP and begun[1] & 0xF8 == 0x80:
                self.first = int.from_bytes(begun[2 : 2 + (begun[1] & 7)], "big") * self._scale / 1e9


def _matroska_elements(file: BinaryIO, end: int, sums: _Checksums) -> Structure:
    place, segment_end, cluster_end = 0, None, None
    while place < end:
        if cluster_end is not None and place >= cluster_end:
            cluster_end = None
        head = _element(file, place)
        if head is None:
            return Structure(max(0, (segment_end or 0) - end), place if end - place > 12 else None)
        kind, size, body = head
        inside = cluster_end is not None and not (cluster_end == _UNKNOWN and kind in _TOP)
        if inside and kind not in _IN_CLUSTER:
            return Structure(max(0, (segment_end or 0) - end), place)
        if kind == _SEGMENT:
            segment_end = None if size is None else body + size
            place = body
        elif kind == _CLUSTER:
            cluster_end = _UNKNOWN if size is None else body + size
            if segment_end is not None and size is not None and body + size > segment_end:
                return Structure(max(0, segment_end - end), place)
            if size is not None:
                sums.check(body, size)
            place = body
        elif size is None:
            return Structure(0, place)
        else:
            limit = cluster_end if inside and cluster_end != _UNKNOWN else segment_end
            if limit is not None and kind != _EBML and place < limit < body + size:
                return Structure(max(0, (segment_end or 0) - end), place)
            if segment_end is None and body + size > end:
                return Structure(body + size - end)
            if kind == _INFO:
                sums.read_info(body, size)
            place = body + size
    return Structure(max(0, (segment_end or 0) - end))


_UNKNOWN = 1 << 63


def _element(file: BinaryIO, place: int) -> tuple[int, int | None, int] | None:
    """Return id, size (None: unknown) and start of the body of the EBML element at `place`; None if there is none."""
    file.seek(place)
    head = file.read(12)
    if not head or head[0] < 0x10:
        return None
    width = 9 - head[0].bit_length()
    rest = head[width:]
    if not rest or not rest[0]:
        return None
    length = 9 - rest[0].bit_length()
    if len(rest) < length:
        return None
    size = int.from_bytes(rest[:length], "big") - (1 << 7 * length)
    return int.from_bytes(head[:width], "big"), None if size == (1 << 7 * length) - 1 else size, place + width + length


def _quicktime(file: BinaryIO, end: int) -> Structure:
    place, boxes = 0, set[bytes]()
    while place + 8 <= end:
        file.seek(place)
        head = file.read(16)
        size, kind = struct.unpack_from(">I4s", head)
        if not kind.replace(b"\xa9", b"").isalnum() and kind.strip() == kind:
            break  # some cameras write this after the video
        if size == 1 and len(head) == 16:
            size = int.from_bytes(head[8:], "big")
        if size < 8:
            break
        if kind == b"ftyp" and b"moov" in boxes and b"moof" not in boxes:  # another file follows, which nobody reads
            return Structure(0, place)
        boxes.add(kind)
        place += size
    return Structure(max(0, place - end))


def _riff(file: BinaryIO, end: int) -> Structure:
    place = 0
    while place + 12 <= end:
        file.seek(place)
        kind, size = struct.unpack("<4sI", file.read(8))
        if kind != b"RIFF" or size in (0, 0xFFFFFFFF):
            break
        place += 8 + size + size % 2
    missing = place - end
    return Structure(missing if missing > _RIFF_SLACK else 0)


def _flv(file: BinaryIO, end: int) -> Structure:
    file.seek(5)
    place = int.from_bytes(file.read(4), "big") + 4
    while place + 11 <= end:
        file.seek(place)
        head = file.read(11)
        size = 11 + int.from_bytes(head[1:4], "big")
        if head[0] & 31 not in _FLV_TAGS:
            return Structure(0, place)
        if place + size > end:
            return Structure(place + size - end)
        file.seek(place + size)
        trailer = file.read(4)
        if 0 < len(trailer) < 4:
            return Structure(4 - len(trailer))
        if trailer and int.from_bytes(trailer, "big") != size:
            return Structure(0, place)
        place += size + 4
    return Structure()


def _ogg(file: BinaryIO, end: int) -> Structure:
    place = 0
    numbers: dict[bytes, int] = {}
    while place < end:
        file.seek(place)
        head = file.read(27)
        if not head.startswith(b"OggS"[: len(head)]):
            return Structure(0, place)
        if len(head) < 27:
            return Structure(27 - len(head))
        serial, number = head[14:18], int.from_bytes(head[18:22], "little")
        if number > numbers.get(serial, number - 1) + 1:
            return Structure(0, place)
        numbers[serial] = number
        table = file.read(head[26])
        place += 27 + head[26] + sum(table)
    return Structure(max(0, place - end))


def _asf(file: BinaryIO, end: int) -> Structure:
    """Check the size in the file's properties, unless it was written as it was broadcast."""
    place = file.read(_LARGEST_INFO).find(_ASF_PROPERTIES)
    if place < 0:
        return Structure()
    file.seek(place + 40)
    size, *_, flags = struct.unpack("<6QI", file.read(52))
    return Structure(0 if flags & 1 else max(0, size - end))


def _png(file: BinaryIO, end: int) -> Structure:
    place = 8
    while place + 8 <= end:
        file.seek(place)
        size, kind = struct.unpack(">I4s", file.read(8))
        place += 12 + size
        if kind == b"IEND":
            return Structure(max(0, place - end))
    return Structure(max(0, place - end) + 12)  # at least an end


def _gif(file: BinaryIO, end: int) -> Structure:
    file.seek(10)
    place = 13 + _gif_colours(file.read(1))
    while place < end:
        file.seek(place)
        head = file.read(10)
        if head[:1] == b";":
            return Structure()
        if head[:1] == b"!":
            place += 2
        elif head[:1] == b",":
            place += 11 + _gif_colours(head[9:])
        else:
            return Structure(0, place)
        size = 1
        while size and place < end:
            file.seek(place)
            size = (file.read(1) or b"\0")[0]
            place += 1 + size
    return Structure(max(0, place - end) + 1)  # at least an end


def _gif_colours(flags: bytes) -> int:
    """Return the bytes of a table of colours."""
    return 3 << (flags[0] & 7) + 1 if flags and flags[0] & 0x80 else 0


def _ivf(file: BinaryIO, end: int) -> Structure:
    file.seek(6)
    place = int.from_bytes(file.read(2), "little")
    while place + 12 <= end:
        file.seek(place)
        place += 12 + int.from_bytes(file.read(4), "little")
    return Structure(max(0, place - end) if place >= end else place + 12 - end)


def _mxf(file: BinaryIO, end: int) -> Structure:
    """Check the lengths of keys and values (SMPTE ST 336)."""
    place = 0
    while place + 17 <= end:
        file.seek(place)
        head = file.read(25)
        if head[:4] != _MXF_KEY:
            break
        width = head[16] & 0x7F if head[16] & 0x80 else 0
        place += 17 + width + (int.from_bytes(head[17 : 17 + width], "big") if width else head[16])
    return Structure(max(0, place - end))


_WALKS: dict[str, Callable[[BinaryIO, int], Structure]] = {
    "matroska": _matroska,
    "mov": _quicktime,
    "avi": _riff,
    "flv": _flv,
    "ogg": _ogg,
    "asf": _asf,
    "apng": _png,
    "gif": _gif,
    "ivf": _ivf,
    "mxf": _mxf,
}
