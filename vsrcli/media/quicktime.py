"""Write the creation time of QuickTime and MP4, which ffmpeg's muxer cannot write together with tags of any name.

If tags of any name are allowed, ffmpeg writes `creation_time` as a tag too, and players then show it twice.
"""

import struct
from datetime import UTC, datetime
from pathlib import Path

from vsrcli.errors import OutputError

_EPOCH = datetime(1904, 1, 1, tzinfo=UTC)


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
        end = path.stat().st_size
        place = 0
        while place + 16 <= end:
            file.seek(place)
            size, kind, large = struct.unpack(">I4sQ", file.read(16))
            header = 16 if size == 1 else 8
            size = large if size == 1 else size or end - place
            if kind == b"moov":  # whose first box is the movie header
                file.seek(place + header)
                head = file.read(12)
                if head[4:8] != b"mvhd":
                    break
                wide = head[8] == 1
                if 0 <= seconds < 1 << (64 if wide else 32):
                    file.seek(place + header + 12)
                    file.write(struct.pack(">Q" if wide else ">I", seconds))
                return
            place += max(size, 8)
    raise OutputError(f"the assembled file {path.name} has no movie header")
