"""Metadata in a photograph's file: EXIF, colour profile, XMP, texts. They are read by the files' structure.

JPEG: ITU-T T.81, annex B, with the segments of EXIF, ICC.1 (annex B.4), XMP (part 3) and Photoshop. PNG: W3C's third
edition. WebP: its container specification. TIFF: revision 6. Sizes in a file are untrusted: nothing above the bounds
here is read.
"""

import os
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from vsrcli.errors import InputError
from vsrcli.media.animation import JPEG_SIGNATURE, PNG_SIGNATURE
from vsrcli.media.photo import exif

LARGEST_PROFILE = 16 << 20
_LARGEST_EXIF = 1 << 20
_LARGEST_XMP = 4 << 20
_LARGEST_TEXTS = 4 << 20
_MOST_PACKED = 8  # compressed chunks of one file: each may unpack to its bound
_MOST_SEGMENTS = 4096  # segments of a JPEG before its picture
_MOST_CHUNKS = 1 << 18  # chunks of a PNG: large pictures have one for each 8 KiB
EXIF_HEAD, XMP_HEAD, ICC_HEAD = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0"
PHOTOSHOP_HEAD = b"Photoshop 3.0\0"
XMP_KEYWORD = b"XML:com.adobe.xmp"
_XMP_EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
_COLOUR_CHUNKS = frozenset([b"cHRM", b"gAMA", b"sRGB", b"cICP", b"mDCV", b"cLLI"])
_TEXT_CHUNKS = frozenset([b"tEXt", b"zTXt", b"iTXt"])
_IPTC = 0x0404
_STANDALONE = frozenset([0x01, *range(0xD0, 0xD8)])
_FRAME_HEADS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SEPARATED = 5  # a TIFF's picture of inks
# What XMP says of further pictures in the same file, which an enlargement does not have
_FURTHER = re.compile(
    rb"hdrgm:|Container:Directory|GCamera:Mo|GCamera:Micro|GDepth:|GImage:|HasExtendedXMP|xmp:Thumbnails"
)


@dataclass(frozen=True)
class PictureTags:
    """Metadata of a picture.

    `exif` begins with its TIFF header. `profile` is an ICC profile of any kind of colour. `segments` are a JPEG's
    (marker, body) of comments and IPTC, `chunks` a PNG's (type, body) of colour and texts, for a file of the same kind.
    `lost` names what cannot be kept. `cmyk` says that the picture is made of the inks of printing.
    """

    exif: bytes = b""
    profile: bytes = b""
    xmp: bytes = b""
    segments: tuple[tuple[int, bytes], ...] = ()
    chunks: tuple[tuple[bytes, bytes], ...] = ()
    lost: tuple[str, ...] = ()
    cmyk: bool = False

    @property
    def orientation(self) -> int:
        """The orientation by EXIF's numbers: 1 to 8."""
        return exif.orientation(self.exif)

    @property
    def colours(self) -> str:
        """The profile's kind of colours by ICC.1's names: RGB, GRAY, CMYK, ..."""
        return self.profile[16:20].decode("latin-1").strip()


def read_tags(path: Path) -> PictureTags:
    """Return the metadata of an image file, whatever its name.

    Damaged metadata counts as missing, and is named. Raises InputError if the file cannot be read.
    """
    found = _Found()
    try:
        with path.open("rb") as file:
            head = file.read(12)
            file.seek(0)
            if head.startswith(JPEG_SIGNATURE):
                _read_jpeg(file, found)
            elif head.startswith(PNG_SIGNATURE):
                _read_png(file, found)
            elif head[:4] == b"RIFF" and head[8:] == b"WEBP":
                _read_webp(file, found)
            elif head[:4] in exif.HEADERS:
                _read_tiff(file, found)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    return found.sum_up()


@dataclass
class _Found:
    exif: bytes = b""
    profile: bytes = b""
    xmp: bytes = b""
    segments: list[tuple[int, bytes]] = field(default_factory=list)
    chunks: list[tuple[bytes, bytes]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    cmyk: bool = False
    unpacked: int = 0

    def unpack(self, packed: bytes, most: int) -> bytes:
        """Decompress data; return nothing if it is damaged, cut off, more than `most`, or one too many."""
        self.unpacked += 1
        if self.unpacked > _MOST_PACKED:
            return b""
        unpacker = zlib.decompressobj()
        try:
            data = unpacker.decompress(packed, most)
        except zlib.error:
            return b""
        return data if unpacker.eof else b""

    def sum_up(self) -> PictureTags:
        if self.exif:
            try:
                tiff = exif.Tiff(exif.from_bytes(self.exif))
                tiff.folder(tiff.first)
            except ValueError:
                self.exif = b""
                self.lost.append("damaged EXIF")
        if self.profile:
            size = int.from_bytes(self.profile[:4], "big")
            if 128 < size <= len(self.profile) and self.profile[36:40] == b"acsp":
                self.profile = self.profile[:size]
            else:
                self.profile = b""
                self.lost.append("a damaged colour profile")
        if _FURTHER.search(self.xmp):
            self.xmp = b""
            self.lost.append("XMP about further pictures in the file")
        lost = tuple(dict.fromkeys(self.lost))
        return PictureTags(self.exif, self.profile, self.xmp, tuple(self.segments), tuple(self.chunks), lost, self.cmyk)


def _read_jpeg(file: BinaryIO, found: _Found) -> None:
    pieces: dict[int, bytes] = {}
    wanted: set[int] = set()
    texts = 0
    for marker, body in _segments(file):
        if marker in _FRAME_HEADS:
            found.cmyk = body[5:6] == b"\4"  # number of components
        elif marker == 0xE1 and body.startswith(EXIF_HEAD):
            found.exif = found.exif or body[len(EXIF_HEAD) :]
        elif marker == 0xE1 and body.startswith(XMP_HEAD):
            found.xmp = found.xmp or body[len(XMP_HEAD) :]
        elif marker == 0xE1 and body.startswith(_XMP_EXTENSION):
            found.lost.append("XMP about further pictures in the file")
        elif marker == 0xE2 and body.startswith(ICC_HEAD) and len(body) > len(ICC_HEAD) + 2:
            number, count = body[len(ICC_HEAD) : len(ICC_HEAD) + 2]
            pieces.setdefault(number, body[len(ICC_HEAD) + 2 :])
            wanted.add(count)
        elif marker == 0xE2 and body.startswith(b"MPF\0"):
            found.lost.append("further pictures in the file")
        elif marker == 0xED and body.startswith(PHOTOSHOP_HEAD):
            kept = b"".join(_iptc(body[len(PHOTOSHOP_HEAD) :]))
            found.segments += [(marker, PHOTOSHOP_HEAD + kept)] if kept else []
        elif marker == 0xFE and not body.startswith(b"Lavc"):  # ffmpeg's own comment
            texts += len(body)
            if texts <= _LARGEST_TEXTS:
                found.segments.append((marker, body))
    if pieces:
        whole = len(wanted) == 1 and wanted == {len(pieces)} and max(pieces) == len(pieces) and 0 not in pieces
        if whole:
            found.profile = b"".join(pieces[number] for number in sorted(pieces))
        else:
            found.lost.append("a damaged colour profile")


def _segments(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Yield a JPEG's segments of metadata (marker, body) before the picture, and the head of its frame."""
    file.seek(2)
    for _ in range(_MOST_SEGMENTS):
        mark = file.read(2)
        while len(mark) == 2 and mark[1] == 0xFF:  # filling
            mark = mark[1:] + file.read(1)
        if len(mark) < 2 or mark[0] != 0xFF or mark[1] in (0xD9, 0xDA):
            return
        if mark[1] in _STANDALONE:
            continue
        length = int.from_bytes(file.read(2), "big")
        if length < 2:
            return
        if mark[1] >= 0xE0 or mark[1] in _FRAME_HEADS:
            body = file.read(length - 2)
            if len(body) < length - 2:
                return
            yield mark[1], body
        else:
            file.seek(length - 2, os.SEEK_CUR)


def _iptc(data: bytes) -> Iterator[bytes]:
    """Yield Photoshop's resources that hold IPTC; others describe the old file's thumbnail and layers."""
    place = 0
    while data[place : place + 4] == b"8BIM" and place + 12 <= len(data):
        kind = int.from_bytes(data[place + 4 : place + 6], "big")
        name = 1 + data[place + 6]
        at = place + 6 + name + name % 2
        size = int.from_bytes(data[at : at + 4], "big")
        end = at + 4 + size + size % 2
        if at + 4 + size > len(data):
            return
        if kind == _IPTC:
            yield data[place:end].ljust(end - place, b"\0")
        place = end


def _read_png(file: BinaryIO, found: _Found) -> None:
    texts = 0
    for kind, size in _chunks(file, len(PNG_SIGNATURE), "big"):
        if kind == b"eXIf":
            found.exif = _body(file, size, _LARGEST_EXIF, found, "EXIF") or found.exif
        elif kind == b"iCCP":
            _, _, packed = _body(file, size, LARGEST_PROFILE, found, "colour profile").partition(b"\0")
            found.profile = found.unpack(packed[1:], LARGEST_PROFILE)
            if packed and not found.profile:
                found.lost.append("a damaged colour profile")
        elif kind in _COLOUR_CHUNKS and size <= 64 and kind not in dict(found.chunks):
            found.chunks.append((kind, file.read(size)))
        elif kind in _TEXT_CHUNKS:
            texts += size
            body = _body(file, size, _LARGEST_TEXTS if texts <= _LARGEST_TEXTS else 0, found, "texts")
            _take_text(kind, body, found)


def _take_text(kind: bytes, body: bytes, found: _Found) -> None:
    keyword, end, value = body.partition(b"\0")
    if not end:
        return
    if keyword == XMP_KEYWORD and kind == b"iTXt" and len(value) > 2:
        packed = value[0]
        text = value[2:].split(b"\0", 2)[-1]  # behind a language, and the keyword in it
        found.xmp = found.unpack(text, _LARGEST_XMP) if packed else text
    elif keyword.startswith(b"Raw profile type "):  # ImageMagick's, from before there were chunks for it
        text = found.unpack(value[1:], 3 * _LARGEST_EXIF) if kind == b"zTXt" else value
        raw = _from_hexadecimal(text)
        name = keyword.removeprefix(b"Raw profile type ").decode("latin-1").lower()
        if name in ("exif", "app1") and raw.startswith(EXIF_HEAD):
            found.exif = found.exif or raw[len(EXIF_HEAD) :]
        elif name in ("icc", "icm"):
            found.profile = found.profile or raw
        elif name == "xmp":
            found.xmp = found.xmp or raw
        elif name in ("iptc", "8bim"):
            found.lost.append("IPTC")
    else:
        found.chunks.append((kind, body))


def _from_hexadecimal(text: bytes) -> bytes:
    """Return the bytes of a raw profile: a name, the number of bytes, and those in hexadecimal, in lines."""
    parts = text.split(maxsplit=2)
    if len(parts) < 3 or not parts[1].isdigit():
        return b""
    try:
        return bytes.fromhex(parts[2].decode("ascii"))
    except ValueError:
        return b""


def _read_webp(file: BinaryIO, found: _Found) -> None:
    for kind, size in _chunks(file, 12, "little"):
        if kind == b"EXIF":
            body = _body(file, size, _LARGEST_EXIF, found, "EXIF")
            found.exif = body.removeprefix(EXIF_HEAD)
        elif kind == b"ICCP":
            found.profile = _body(file, size, LARGEST_PROFILE, found, "colour profile")
        elif kind == b"XMP ":
            found.xmp = _body(file, size, _LARGEST_XMP, found, "XMP")


def _chunks(file: BinaryIO, place: int, order: str) -> Iterator[tuple[bytes, int]]:
    """Yield (type, size) of each chunk of a PNG ("big") or WebP ("little"), with `file` at its body."""
    for _ in range(_MOST_CHUNKS):
        file.seek(place)
        head = file.read(8)
        if len(head) < 8 or head[4:] == b"IEND":
            return
        kind, size = (head[4:], head[:4]) if order == "big" else (head[:4], head[4:])
        length = int.from_bytes(size, "big" if order == "big" else "little")
        yield kind, length
        place += 12 + length if order == "big" else 8 + length + length % 2


def _body(file: BinaryIO, size: int, most: int, found: _Found, name: str) -> bytes:
    """Read a chunk's body; return nothing, and record its name, if it is cut off or larger than `most`."""
    body = file.read(size) if size <= most else b""
    if len(body) == size:
        return body
    found.lost.append(name)
    return b""


def _read_tiff(file: BinaryIO, found: _Found) -> None:
    def take(place: int, size: int) -> bytes:
        file.seek(place)
        return file.read(size)

    try:
        tiff = exif.Tiff(take)
        fields = tiff.folder(tiff.first)[0]
        entries = {entry.tag: entry.value for entry in fields}
        found.cmyk = tiff.number(fields, 0x0106) == _SEPARATED
        found.exif = exif.of_tiff(take)
    except ValueError:
        found.lost.append("damaged EXIF")
        return
    found.profile, found.xmp = entries.get(0x8773, b""), entries.get(0x02BC, b"")
    if 0x83BB in entries:
        found.lost.append("IPTC")
