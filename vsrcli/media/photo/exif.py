"""EXIF (CIPA DC-008), a TIFF structure: the orientation of a picture, and the fields that depend on its size.

Offsets and counts in it are untrusted: nothing is read or written outside the data.
"""

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

ORIENTATION = 0x0112
HEADERS = (b"II*\0", b"MM\0*")
_EXIF_IFD, _GPS_IFD, _INTEROP_IFD = 0x8769, 0x8825, 0xA005
_MAKER_NOTE = 0x927C  # its offsets are relative to its old position
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_SHORT, _LONG, _RATIONAL, _FOLDER = 3, 4, 5, 13
_MOST_ENTRIES = 4096
_LARGEST_FOLDER = 4 << 20  # bytes of all its values, which may overlap
# ImageWidth, PixelXDimension, RelatedImageWidth; and the same for the height: by folder, tag and axis
_LENGTHS = {
    (0, 0x0100): 0, (0, 0x0101): 1, (_EXIF_IFD, 0xA002): 0, (_EXIF_IFD, 0xA003): 1,
    (_INTEROP_IFD, 0x1001): 0, (_INTEROP_IFD, 0x1002): 1,
}  # fmt: skip
_SUBJECTS = (0x9214, 0xA214)  # x and y in pixels, then a diameter, or a width and height
_FOCAL_PLANE = {0xA20E: 0, 0xA20F: 1}  # pixels for each unit of the sensor
# What of a TIFF file's own folder is about the picture and not about how it is stored: description, make, model,
# orientation, resolution and its unit, software, date, artist, host, rating, copyright
_ABOUT = frozenset(
    [0x010E, 0x010F, 0x0110, ORIENTATION, 0x011A, 0x011B, 0x0128, 0x0131, 0x0132, 0x013B, 0x013C, 0x4746, 0x8298]
)
# a, b, c, d of the display matrix (x' = ax + cy, y' = bx + dy) for the orientations from 1 on
_TURNS = (
    (1, 0, 0, 1), (-1, 0, 0, 1), (-1, 0, 0, -1), (1, 0, 0, -1),
    (0, 1, 1, 0), (0, 1, -1, 0), (0, -1, -1, 0), (0, -1, 1, 0),
)  # fmt: skip
_ONE, _MOST = 1 << 16, (1 << 32) - 1

Take = Callable[[int, int], bytes]
"""Returns up to that many bytes from a position on."""


@dataclass(frozen=True)
class Entry:
    """One field: its value's type, number of items, and the position and bytes of the value."""

    tag: int
    kind: int
    count: int
    place: int
    value: bytes


class Tiff:
    """A TIFF structure that is read by `take`. Raises ValueError where it is damaged."""

    def __init__(self, take: Take) -> None:
        head = take(0, 8)
        if len(head) < 8 or head[:4] not in HEADERS:
            raise ValueError("not a TIFF structure")
        self._take = take
        self.order = "<" if head[:2] == b"II" else ">"
        (self.first,) = struct.unpack(f"{self.order}I", head[4:])

    def folder(self, place: int) -> tuple[list[Entry], int, int]:
        """Return the fields of the folder at `place`, its end, and the position of the next folder (0: none)."""
        (count,) = struct.unpack(f"{self.order}H", self._exactly(place, 2))
        if not 0 < count <= _MOST_ENTRIES:
            raise ValueError("no folder of fields")
        table = self._exactly(place + 2, 12 * count)
        following = self._take(place + 2 + 12 * count, 4)
        entries, total = [], 0
        for offset in range(0, len(table), 12):
            tag, kind, items = struct.unpack_from(f"{self.order}HHI", table, offset)
            size = _SIZES.get(kind, 0) * items
            if not 0 < size <= _LARGEST_FOLDER:
                continue
            at = place + 2 + offset + 8
            if size > 4:
                (at,) = struct.unpack_from(f"{self.order}I", table, offset + 8)
            value = self._take(at, size)
            total += len(value)
            if total > _LARGEST_FOLDER:
                raise ValueError("a folder of too much")
            if len(value) == size:
                entries.append(Entry(tag, kind, items, at, value))
        after = struct.unpack(f"{self.order}I", following)[0] if len(following) == 4 else 0
        return entries, place + 2 + 12 * count + len(following), after

    def number(self, entries: Iterable[Entry], tag: int) -> int | None:
        """Return the first whole number of a field; None if it has none."""
        for entry in entries:
            if entry.tag == tag and entry.kind in (_SHORT, _LONG, _FOLDER):
                form, size = ("H", 2) if entry.kind == _SHORT else ("I", 4)
                return int(struct.unpack(self.order + form, entry.value[:size])[0])
        return None

    def inner(self, entries: Iterable[Entry], tag: int) -> tuple[list[Entry], tuple[int, int]]:
        """Return the fields of the folder to which a field points, its start and end; none if missing or damaged."""
        place = self.number(entries, tag)
        if place is None:
            return [], (0, 0)
        try:
            found, end, _ = self.folder(place)
        except ValueError:
            return [], (0, 0)
        return found, (place, end)

    def _exactly(self, place: int, size: int) -> bytes:
        data = self._take(place, size)
        if len(data) != size:
            raise ValueError("cut off")
        return data


def from_bytes(data: bytes) -> Take:
    """Return a function that reads from bytes."""
    return lambda place, size: bytes(data[place : place + size])


def orientation(data: bytes) -> int:
    """Return the orientation of the picture: 1 to 8; 1 (upright) if there is no valid one."""
    try:
        tiff = Tiff(from_bytes(data))
        found = tiff.number(tiff.folder(tiff.first)[0], ORIENTATION)
    except ValueError:
        return 1
    return found if found is not None and 1 <= found <= 8 else 1


def says_more_than_orientation(data: bytes) -> bool:
    """Return whether there is any other field in it."""
    try:
        tiff = Tiff(from_bytes(data))
        return any(entry.tag != ORIENTATION for entry in tiff.folder(tiff.first)[0])
    except ValueError:
        return False


def display_matrix(number: int) -> tuple[int, ...] | None:
    """Return the display matrix (9 integers) of an orientation; None for 1."""
    a, b, c, d = (_ONE * part for part in _TURNS[number - 1])
    return None if number == 1 else (a, b, 0, c, d, 0, 0, 0, 1 << 30)


def nearest_orientation(matrix: tuple[int, ...] | None) -> int | None:
    """Return the orientation of a display matrix, whatever its scale; None if it is not by quarter turns."""
    if matrix is None:
        return 1
    a, b, _, c, d = matrix[:5]
    signs = tuple((part > 0) - (part < 0) for part in (a, b, c, d))
    return _TURNS.index(signs) + 1 if signs in _TURNS else None


def of_orientation(number: int) -> bytes:
    """Return EXIF with only an orientation; empty for 1."""
    return b"" if number == 1 else build(">", [Entry(ORIENTATION, _SHORT, 1, 0, struct.pack(">H", number))], {})


def of_tiff(take: Take) -> bytes:
    """Return as EXIF the fields of a TIFF file about its picture, not about its storage. Raises ValueError."""
    tiff = Tiff(take)
    entries = tiff.folder(tiff.first)[0]
    inner, _ = tiff.inner(entries, _EXIF_IFD)
    place, _ = tiff.inner(entries, _GPS_IFD)
    pointers = (_EXIF_IFD, _GPS_IFD, _INTEROP_IFD, _MAKER_NOTE)
    kept = [entry for entry in entries if entry.tag in _ABOUT]
    folders = {_EXIF_IFD: [entry for entry in inner if entry.tag not in pointers], _GPS_IFD: place}
    folders = {tag: found for tag, found in folders.items() if found}
    return build(tiff.order, kept, folders) if kept or folders else b""


def build(order: str, entries: list[Entry], folders: dict[int, list[Entry]]) -> bytes:
    """Return a TIFF structure of a folder of fields and, by the tags that point to them, further ones."""
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    pointers = [Entry(tag, _LONG, 1, 0, bytes(4)) for tag in folders]
    first = sorted([*entries, *pointers], key=lambda entry: entry.tag)
    places, end = {}, 8 + len(_packed(order, first, 8))
    for tag, found in folders.items():
        places[tag] = end
        end += len(_packed(order, found, end))
    first = [
        Entry(e.tag, e.kind, 1, 0, struct.pack(f"{order}I", places[e.tag])) if e.tag in places else e for e in first
    ]
    parts = [_packed(order, sorted(found, key=lambda e: e.tag), places[tag]) for tag, found in folders.items()]
    return head + _packed(order, first, 8) + b"".join(parts)


def _packed(order: str, entries: list[Entry], place: int) -> bytes:
    table, values = [struct.pack(f"{order}H", len(entries))], b""
    start = place + 2 + 12 * len(entries) + 4
    for entry in entries:
        field = entry.value.ljust(4, b"\0")
        if len(entry.value) > 4:
            field = struct.pack(f"{order}I", start + len(values))
            values += entry.value + bytes(len(entry.value) % 2)
        table.append(struct.pack(f"{order}HHI", entry.tag, entry.kind, entry.count) + field)
    return b"".join(table) + bytes(4) + values


def resized(data: bytes, old: tuple[int, int], new: tuple[int, int]) -> bytes:
    """Return the EXIF of a picture resized from `old` to `new` (w, h), with new sizes and without thumbnails.

    All other fields keep their positions, since makers' notes have offsets of their own. Raises ValueError where it is
    damaged.
    """
    tiff = Tiff(from_bytes(data))
    entries, end, thumbnail = tiff.folder(tiff.first)
    exif, exif_span = tiff.inner(entries, _EXIF_IFD)
    interop, interop_span = tiff.inner(exif, _INTEROP_IFD)
    gps, gps_span = tiff.inner(entries, _GPS_IFD)
    changed = bytearray(data)
    for folder, found in ((0, entries), (_EXIF_IFD, exif), (_INTEROP_IFD, interop)):
        for entry in found:
            if (folder, entry.tag) in _LENGTHS:
                _put(changed, tiff.order, entry, [new[_LENGTHS[folder, entry.tag]]])
    for entry in exif:
        if entry.tag in _SUBJECTS and entry.kind == _SHORT:
            numbers = struct.unpack(f"{tiff.order}{entry.count}H", entry.value)
            _put(changed, tiff.order, entry, [round(n * new[i % 2] / old[i % 2]) for i, n in enumerate(numbers)])
        elif entry.tag in _FOCAL_PLANE and entry.kind == _RATIONAL:
            axis = _FOCAL_PLANE[entry.tag]
            top, bottom = struct.unpack_from(f"{tiff.order}2I", entry.value)
            if bottom:
                scaled = Fraction(top, bottom) * Fraction(new[axis], old[axis])
                scaled = scaled.limit_denominator(max(1, int(_MOST / max(Fraction(1), scaled))))
                _put(changed, tiff.order, entry, [scaled.numerator, scaled.denominator])
    if thumbnail:
        kept = [(entry.place, entry.place + len(entry.value)) for entry in [*entries, *exif, *interop, *gps]]
        kept += [(0, 8), (tiff.first, end), exif_span, interop_span, gps_span]
        changed[end - 4 : end] = bytes(4)
        _cut_thumbnail(changed, tiff, thumbnail, kept)
    return bytes(changed)


def _put(data: bytearray, order: str, entry: Entry, numbers: list[int]) -> None:
    """Overwrite a field's value with whole numbers; a value whose type is too small stays unchanged."""
    form = {_SHORT: "H", _LONG: "I", _RATIONAL: "I"}.get(entry.kind)
    most = 65535 if form == "H" else _MOST
    if form and all(0 <= n <= most for n in numbers) and struct.calcsize(f"<{len(numbers)}{form}") == len(entry.value):
        struct.pack_into(f"{order}{len(numbers)}{form}", data, entry.place, *numbers)


def _cut_thumbnail(data: bytearray, tiff: Tiff, folder: int, kept: list[tuple[int, int]]) -> None:
    """Remove the thumbnail's folder and picture if they are after `kept`; else blank the picture."""
    try:
        entries, _, _ = tiff.folder(folder)
    except ValueError:
        entries = []
    start = tiff.number(entries, 0x0201) or tiff.number(entries, 0x0111) or len(data)
    length = tiff.number(entries, 0x0202) or tiff.number(entries, 0x0117) or 0
    stop = min(len(data), start + length)
    if min(folder, start) >= max(end for _, end in kept):
        del data[min(folder, start) :]
    elif start < stop and all(end <= start or stop <= begin for begin, end in kept):
        data[start:stop] = bytes(stop - start)
