"""The tag by which vsr's results declare how they were made, and from which time of their source."""

import re
from collections.abc import Iterator
from pathlib import Path

from vsrcli.errors import InputError
from vsrcli.media.opening import open_video
from vsrcli.media.write.mux_tags import MADE_PLACES

MADE_BY_VSR = "upscaled by vsr"
"""First words of the tag of every result."""
_SYNC, _SDT, _LOOKED_AT = 0x47, 0x11, 1 << 20
_SENT = re.compile(rb"upscaled by vsr[ -~]*")
_FROM = re.compile(r"from (\d{1,9}(?:\.\d{1,9})?) s")


def made_text(version: str, model: str, weights: str, precision: str, *, start: float | None = None) -> str:
    """Return the tag of a result.

    `weights` is their digest, `precision` fp32, fp16, bf16 or int8. `start` is when its first frame is shown in the
    first source, in seconds, if it is cut.
    """
    text = f"{MADE_BY_VSR} {version}, {model}, weights {weights[:16]}, {precision}"
    return text if start is None else f"{text}, from {start:.6f} s"


def made_tags(path: Path) -> list[str]:
    """Return a video's tags about its making; none if vsr did not make it, or it is no video."""
    try:
        with open_video(path) as container:
            if container.format.name == "mpegts":
                return provider_texts(path)
            tags = container.metadata.items()
            return [value for key, value in tags if key.lower() in MADE_PLACES and MADE_BY_VSR in value]
    except InputError:
        return []


def offset_in_source(path: Path) -> float | None:
    """Return when a result's first frame is shown in the first of its sources, in seconds; None where it is not cut.

    A part of a part counts from the whole. Where each making has added its own line to the tag, the last one tells.
    """
    found = [seconds for text in made_tags(path) for seconds in _FROM.findall(text)]
    return float(found[-1]) if found else None


def provider_texts(path: Path) -> list[str]:
    """Return what a transport stream's service description (EN 300 468, table 5.2.3) holds of vsr, in its first MiB.

    FFmpeg reads it, but PyAV shows none of it.
    """
    with path.open("rb") as file:
        data = file.read(_LOOKED_AT)
    table = b"".join(_payloads(data, _SDT))
    return [found.decode("ascii") for found in dict.fromkeys(_SENT.findall(table))]


def _payloads(data: bytes, wanted: int) -> Iterator[bytes]:
    """Yield the payloads of a transport stream's packets of one PID; those of M2TS have 4 bytes before them."""
    size, start = (192, 4) if len(data) > 196 and data[4] == data[196] == _SYNC else (188, 0)
    for place in range(start, len(data) - 187, size):
        packet = data[place : place + 188]
        if packet[0] == _SYNC and (packet[1] & 0x1F) << 8 | packet[2] == wanted:
            field = packet[3] >> 4 & 3  # 1: payload alone, 3: behind an adaptation field
            yield packet[4:] if field == 1 else packet[5 + packet[4] :] if field == 3 else b""
