"""Read how coarsely a single picture was quantised, from the tables in it: JPEG and ProRes."""

import struct
from statistics import fmean

_LOW = 15
"""Number of entries of a table, in zigzag order, that are used: the low frequencies, which hold most of a picture's
content."""

_TABLES, _SCAN = 0xDB, 0xDA  # JPEG's markers of quantiser tables, and of what has been quantised

_FLAT = bytes([4]) * 64  # ProRes: the matrix of a frame that brings none


def jpeg_step(data: bytes) -> float | None:
    """Return the mean quantiser step of the luma's low frequencies in a JPEG picture; None without a table."""
    at = 2  # behind the start of the image
    while len(data) >= at + 4 and data[at] == 0xFF and data[at + 1] != _SCAN:
        marker, (length,) = data[at + 1], struct.unpack_from(">H", data, at + 2)
        table, at = at + 4, at + 2 + length
        while marker == _TABLES and table < min(at, len(data)):
            wide, number = data[table] >> 4, data[table] & 15
            size = 128 if wide else 64
            entries = data[table + 1 : table + 1 + size]
            if number == 0 and len(entries) == size:  # the luma's
                return fmean(struct.unpack(">64H" if wide else ">64B", entries)[:_LOW])
            table += 1 + size
    return None


def prores_step(data: bytes) -> float | None:
    """Return the mean quantiser step of the luma's low frequencies in a ProRes frame (SMPTE RDD 36); None if damaged.

    It is the frame's matrix times the mean of its slices' factors.
    """
    if data[4:8] != b"icpf":
        return None
    try:
        (header,) = struct.unpack_from(">H", data, 8)
        matrix = data[28:92] if data[27] & 2 else _FLAT
        picture = 8 + header
        (slices,) = struct.unpack_from(">H", data, picture + 5)
        index = picture + (data[picture] >> 3)
        sizes = struct.unpack_from(f">{slices}H", data, index)
        at, factors = index + 2 * slices, []
        for size in sizes:
            factor = data[at + 1]
            factors.append(factor if factor <= 128 else (factor - 96) * 4)
            at += size
    except (struct.error, IndexError):
        return None
    return fmean(matrix[:_LOW]) * fmean(factors) if factors else None
