"""Closed captions inside the picture (CEA-608 and CEA-708): what a decoder tells of them, and how a stream holds them.

A picture's captions are its `cc_data` (CTA-708): constructs of three bytes, of which each picture has a share of its
own. In H.264 and HEVC they lie in a message (SEI) of user data before the picture (ATSC A/53 part 4, section 6.2.3;
H.264 and H.265, annex D).
"""

from collections import deque
from collections.abc import Iterable, Iterator
from fractions import Fraction

import av

from vsrcli.media.encode_settings import EncodeSettings
from vsrcli.media.encoders import is_foreign
from vsrcli.media.side_data import side_data
from vsrcli.media.timestamps import Timed

_HEAD = b"\xb5\x00\x31GA94\x03"  # ITU-T T.35: the United States, ATSC; its identifier; captions
_SHOWN = 0x40  # process_cc_data_flag, beside the number of constructs
_FILLER = b"\xff"
_CONSTRUCT, _MOST = 3, 31
_REGISTERED = 4  # the message's kind: user data registered by ITU-T T.35
_START = b"\x00\x00\x01"
_NAL = {"h264": b"\x06", "hevc": b"\x4e\x01"}  # the header of a unit with such messages
_END = b"\x80"


def captions_of(picture: av.VideoFrame) -> bytes:
    """Return the captions of a decoded picture; nothing if it has none."""
    return side_data(picture, "A53_CC") or b""


class Shares:
    """Captions of a source's frames on their way to the frames that are made of them.

    Each goes to the first frame that is shown no earlier: where fields become frames, once, and where frames are left
    out, to the next one.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[Fraction, bytes]] = deque()

    def collect(self, frames: Iterable[Timed], time_base: Fraction) -> Iterator[Timed]:
        """Pass frames on, and take their captions."""
        for timed in frames:
            if captions := captions_of(timed.picture):
                self._waiting.append((timed.pts * time_base, captions))
            yield timed

    def until(self, time: Fraction) -> bytes:
        """Return the captions up to a time in seconds that have not been taken."""
        taken = b""
        while self._waiting and self._waiting[0][0] <= time:
            taken += self._waiting.popleft()[1]
        return taken


def holds_captions(settings: EncodeSettings) -> bool:
    """Return whether an output's pictures can hold captions: H.264 and HEVC of vsr's own encoders, with start codes."""
    return settings.codec in _NAL and not is_foreign(settings.codec, settings.encoder)


def with_captions(data: bytes, codec: str, captions: bytes) -> bytes:
    """Return a coded picture of H.264 or HEVC, with start codes, that holds captions too.

    The messages lie just before its first slice. Data without a slice are returned as they are.
    """
    place = next((start for start, kind in _units(data, codec) if _is_slice(kind, codec)), None)
    if place is None:
        return data
    return data[:place] + b"".join(_messages(codec, captions)) + data[place:]


def _units(data: bytes, codec: str) -> Iterator[tuple[int, int]]:
    """Yield (place, kind) of each NAL unit, with the place of its start code."""
    place = data.find(_START)
    while 0 <= place < len(data) - len(_START):
        head = data[place + len(_START)]
        yield place - (place > 0 and data[place - 1] == 0), head & 31 if codec == "h264" else head >> 1 & 63
        place = data.find(_START, place + len(_START))


def _is_slice(kind: int, codec: str) -> bool:
    return 1 <= kind <= 5 if codec == "h264" else kind < 32


def _messages(codec: str, captions: bytes) -> Iterator[bytes]:
    whole = len(captions) - len(captions) % _CONSTRUCT
    for start in range(0, whole, _CONSTRUCT * _MOST):
        part = captions[start : min(whole, start + _CONSTRUCT * _MOST)]
        body = _HEAD + bytes([_SHOWN | len(part) // _CONSTRUCT]) + _FILLER + part + _FILLER
        message = _NAL[codec] + bytes([_REGISTERED, len(body)]) + body + _END
        yield b"\x00" + _START + _guarded(message)


def _guarded(unit: bytes) -> bytes:
    """Return a unit in which nothing looks like a start code (H.264, section 7.4.1: emulation prevention)."""
    out, zeros = bytearray(), 0
    for byte in unit:
        if zeros == 2 and byte <= 3:
            out.append(3)
            zeros = 0
        zeros = zeros + 1 if byte == 0 else 0
        out.append(byte)
    return bytes(out)
