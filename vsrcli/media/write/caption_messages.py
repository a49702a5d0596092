"""Closed captions in a coded picture: messages (SEI) of user data before it, in H.264 and HEVC.

ATSC A/53 part 4, section 6.2.3; H.264 and H.265, annex D. The captions are `cc_data` (CTA-708), as in
`media/read/captions.py`.
"""

from collections.abc import Iterator

from vsrcli.media.write.encode_settings import EncodeSettings
from vsrcli.media.write.encoders import is_foreign

_HEAD = b"\xb5\x00\x31GA94\x03"  # ITU-T T.35: the United States, ATSC; its identifier; captions
_SHOWN = 0x40  # process_cc_data_flag, beside the number of constructs
_FILLER = b"\xff"
_CONSTRUCT, _MOST = 3, 31
_REGISTERED = 4  # the message's kind: user data registered by ITU-T T.35
_START = b"\x00\x00\x01"
_NAL = {"h264": b"\x06", "hevc": b"\x4e\x01"}  # the header of a unit with such messages
_END = b"\x80"


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
