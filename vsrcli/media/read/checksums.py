"""Check the checksums that parts of a video hold: CRC-32 with the highest bit first.

zlib's processes the lowest bit first, so the bits are reversed. Over data and its checksum both give a constant.
"""

import zlib

_BITS_TURNED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_SLICE_FOOTER = 8  # bytes: the slice's size in 3, its error status, its CRC-32
_ZERO = 0xFFFFFFFF  # zlib inverts a checksum at its beginning and its end


def is_right_frame(frame: bytes) -> bool:
    """Return whether all slices of an FFV1 frame end in a correct checksum (RFC 9043, section 4.9.3)."""
    turned, end = frame.translate(_BITS_TURNED), len(frame)
    while end > 0:
        begin = end - _SLICE_FOOTER - int.from_bytes(frame[max(0, end - _SLICE_FOOTER) : end][:3], "big")
        if begin < 0 or zlib.crc32(turned[begin:end], _ZERO) != _ZERO:
            return False
        end = begin
    return True


def is_right_table(table: bytes) -> bool:
    """Return whether a table of a transport stream ends in a correct checksum (ISO/IEC 13818-1, annex A)."""
    return zlib.crc32(table.translate(_BITS_TURNED)) == _ZERO
