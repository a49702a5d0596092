"""Write the field of AVI that ffmpeg's muxer leaves at zero: the start of the picture."""

import struct
from pathlib import Path

from vsrcli.errors import OutputError

_HEADER = 1 << 16
_START = 28  # bytes into the stream header (AVIStreamHeader.dwStart)


def write_start(path: Path, frames: int) -> None:
    """Set the start of an AVI file's picture to `frames` frames after its sound.

    AVI has no timestamps; a frame's time is its position. Empty positions before the first frame do not work: ffmpeg
    writes them after it. Raises OutputError if the file has no header of a video stream.
    """
    with path.open("rb+") as file:
        head = file.read(_HEADER)
        place = head.find(b"strh")
        while place >= 0 and head[place + 8 : place + 12] != b"vids":
            place = head.find(b"strh", place + 4)
        if place < 0:
            raise OutputError(f"the assembled file {path.name} has no header of a video stream")
        file.seek(place + 8 + _START)
        file.write(struct.pack("<I", frames))
