"""Write what ffmpeg's muxer leaves out of QuickTime and MP4: tags of any name beside the customary ones, a time.

If tags of any name are allowed, ffmpeg leaves out the customary (iTunes) form, which players show; and it writes
`creation_time` as a tag too, and players then show it twice.
"""

import struct
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from vsrcli.errors import OutputError

_EPOCH = datetime(1904, 1, 1, tzinfo=UTC)
_UTF8 = 1  # the kind of a tag's value
_LARGEST_BOX = 1 << 32


def write_creation_time(path: Path, when: str) -> None:
    """Write the ISO 8601 time `when` into the movie header. An unreadable or impossible time is left out.

    Raises OutputError if the file has no movie header.
    """
    try:
        shot = datetime.fromisoformat(when)
    except ValueError:
        return
    shot = shot if shot.tzinfo else shot.replace(tzinfo=UTC)
    seconds = int((shot - _EPOCH).total_seconds())
    with path.open("rb+") as file:
        _, body, _ = _movie(file)  # its first box is the movie header
        file.seek(body)
        head = file.read(12)
        if head[4:8] != b"mvhd":
            raise OutputError(f"the assembled file {path.name} has no movie header")
        wide = head[8] == 1
        if 0 <= seconds < 1 << (64 if wide else 32):
            file.seek(body + 12)
            file.write(struct.pack(">Q" if wide else ">I", seconds))


def write_tags(path: Path, tags: Mapping[str, str]) -> None:
    """Add tags of any name to the movie, in QuickTime's form (metadata keys, as Apple's cameras write them).

    The movie must be the last box, as ffmpeg writes it. Raises OutputError if it is not, or would become too large.
    """
    handler = _full_box(b"hdlr", bytes(4) + b"mdta" + bytes(13))
    keys = b"".join(_box(b"mdta", key.encode()) for key in tags)
    values = (_box(b"data", struct.pack(">II", _UTF8, 0) + value.encode()) for value in tags.values())
    items = b"".join(_box(struct.pack(">I", number), value) for number, value in enumerate(values, 1))
    named = _full_box(b"keys", struct.pack(">I", len(tags)) + keys)
    added = _full_box(b"meta", handler + named + _box(b"ilst", items))
    with path.open("rb+") as file:
        place, body, size = _movie(file)
        large = body - place > 8
        file.seek(0, 2)
        if file.tell() != place + size or (size + len(added) >= _LARGEST_BOX and not large):
            raise OutputError(f"the assembled file {path.name} has no room for tags")
        file.write(added)
        file.seek(place + 8 if large else place)
        file.write(struct.pack(">Q" if large else ">I", size + len(added)))


def _movie(file: BinaryIO) -> tuple[int, int, int]:
    """Return the place of the movie's box, of what is in it, and its size. Raises OutputError if there is none."""
    end = file.seek(0, 2)
    place = 0
    while place + 16 <= end:
        file.seek(place)
        size, kind, large = struct.unpack(">I4sQ", file.read(16))
        header = 16 if size == 1 else 8
        size = large if size == 1 else size or end - place
        if kind == b"moov":
            return place, place + header, size
        place += max(size, 8)
    raise OutputError(f"the assembled file {Path(file.name).name} has no movie header")


def _box(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(body), kind) + body


def _full_box(kind: bytes, body: bytes) -> bytes:
    return _box(kind, bytes(4) + body)
