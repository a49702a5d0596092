"""Write the metadata of a source's picture beside the upscaled one, adapted to its size and format."""

import re
import zlib
from collections.abc import Iterator
from dataclasses import replace

from vsrcli.media.photo import exif
from vsrcli.media.photo.picture_tags import EXIF_HEAD, ICC_HEAD, XMP_HEAD, XMP_KEYWORD, PictureTags

_LARGEST_SEGMENT = 65533
_LARGEST_PIECE = _LARGEST_SEGMENT - len(ICC_HEAD) - 2
_AFTER_HEADER = 8 + 25  # size of a PNG's signature and IHDR chunk
_GAMMA_OF_SRGB = (45455).to_bytes(4, "big")
_XMP_NUMBER = re.compile(
    rb"((?:exif:Pixel([XY])Dimension|tiff:Image(Width|Length)|GPano:\w*?(Width|Height|Left|Top|X|Y)(?:Pixels)?)"
    rb"\s*(?:=\s*[\"']|>)\s*)(\d{1,9})(?![\d.])"
)
_ACROSS = frozenset([b"X", b"Width", b"Left"])


def fit(tags: PictureTags, old: tuple[int, int], new: tuple[int, int]) -> PictureTags:
    """Return the tags of a picture resized from `old` to `new` (w, h), with the new size in them."""

    def follow(match: re.Match[bytes]) -> bytes:
        axis = 0 if next(part for part in match.groups()[1:4] if part) in _ACROSS else 1
        if not match[1].startswith(b"GPano"):
            return match[1] + str(new[axis]).encode()
        return match[1] + str(round(int(match[5]) * new[axis] / old[axis])).encode()

    return replace(
        tags,
        exif=exif.resized(tags.exif, old, new) if tags.exif else b"",
        xmp=_XMP_NUMBER.sub(follow, tags.xmp),
    )


def held(tags: PictureTags, suffix: str) -> tuple[PictureTags, tuple[str, ...]]:
    """Return the tags that an RGB image with that suffix can hold, and the names of all that are lost."""
    lost = list(tags.lost)
    png, jpeg = suffix.lower() == ".png", suffix.lower() in (".jpg", ".jpeg")
    if tags.profile and tags.colours != "RGB":
        lost.append(f"a colour profile for {tags.colours}")
        tags = replace(tags, profile=b"")
    if not jpeg and tags.segments:
        lost += [{0xFE: "comments"}.get(marker, "IPTC") for marker, _ in tags.segments]
    if not png:
        lost += [name for kind, body in tags.chunks if (name := _lost_chunk(kind, body, tags))]
    if jpeg:
        if len(tags.exif) + len(EXIF_HEAD) > _LARGEST_SEGMENT:
            lost.append("EXIF of more than 64 KiB")
            tags = replace(tags, exif=exif.of_orientation(tags.orientation))
        if len(tags.xmp) + len(XMP_HEAD) > _LARGEST_SEGMENT:
            lost.append("XMP of more than 64 KiB")
            tags = replace(tags, xmp=b"")
        if len(tags.profile) > 255 * _LARGEST_PIECE:
            lost.append("a colour profile of more than 16 MiB")
            tags = replace(tags, profile=b"")
    kept = replace(tags, lost=(), chunks=tags.chunks if png else (), segments=tags.segments if jpeg else ())
    return kept, tuple(dict.fromkeys(lost))


def _lost_chunk(kind: bytes, body: bytes, tags: PictureTags) -> str | None:
    """Return the name of a PNG's chunk that other formats cannot hold; None for one that only declares sRGB."""
    if kind not in (b"gAMA", b"cHRM", b"sRGB", b"cICP"):
        return "texts" if kind[1:] in (b"EXt", b"TXt") else "limits of brightness"
    kinds = {kind for kind, _ in tags.chunks}
    if kind == b"sRGB" or tags.profile or (kind in (b"gAMA", b"cHRM") and kinds & {b"sRGB", b"cICP"}):
        return None
    return None if kind == b"gAMA" and body == _GAMMA_OF_SRGB else "colours other than sRGB"


def with_tags(data: bytes, tags: PictureTags, suffix: str) -> bytes:
    """Return an image encoded by ffmpeg, PNG, JPEG or WebP, with the tags that it can hold. It is deterministic."""
    tags, _ = held(tags, suffix)
    if suffix.lower() == ".webp":
        return _extended_webp(data, tags)
    if suffix.lower() == ".png":
        return data[:_AFTER_HEADER] + b"".join(_png_chunks(tags)) + data[_AFTER_HEADER:]
    return data[:2] + b"".join(_jpeg_segments(tags)) + data[2:]


def _png_chunks(tags: PictureTags) -> Iterator[bytes]:
    """Yield the chunks in the order of the standard: those of colour before all others."""
    if tags.profile:
        yield _chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(tags.profile, 9))
    texts = [(kind, body) for kind, body in tags.chunks if kind[1:] in (b"EXt", b"TXt")]
    for kind, body in tags.chunks:
        if (kind, body) not in texts:
            yield _chunk(kind, body)
    if tags.exif:
        yield _chunk(b"eXIf", tags.exif)
    if tags.xmp:
        yield _chunk(b"iTXt", XMP_KEYWORD + bytes(5) + tags.xmp)
    for kind, body in texts:
        yield _chunk(kind, body)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


def _extended_webp(data: bytes, tags: PictureTags) -> bytes:
    """Return a lossless WebP (RIFF, WEBP, VP8L) in the extended format, with its tags (RFC 9649, section 2.7)."""
    bits = int.from_bytes(data[21:25], "little")  # after VP8L's header and signature: 14 bits each, then alpha
    width, height, has_alpha = bits & 0x3FFF, bits >> 14 & 0x3FFF, bits >> 28 & 1
    flags = bool(tags.profile) << 5 | has_alpha << 4 | bool(tags.exif) << 3 | bool(tags.xmp) << 2
    if not flags & 0b101100:
        return data
    header = bytes([flags, 0, 0, 0]) + width.to_bytes(3, "little") + height.to_bytes(3, "little")
    chunks = [(b"VP8X", header), (b"ICCP", tags.profile), (b"", data[12:]), (b"EXIF", tags.exif), (b"XMP ", tags.xmp)]
    body = b"WEBP" + b"".join(_riff_chunk(kind, content) if kind else content for kind, content in chunks if content)
    return _riff_chunk(b"RIFF", body)


def _riff_chunk(kind: bytes, body: bytes) -> bytes:
    return kind + len(body).to_bytes(4, "little") + body + bytes(len(body) % 2)


def _jpeg_segments(tags: PictureTags) -> Iterator[bytes]:
    if tags.exif:
        yield _segment(0xE1, EXIF_HEAD + tags.exif)
    if tags.xmp:
        yield _segment(0xE1, XMP_HEAD + tags.xmp)
    pieces = [tags.profile[at : at + _LARGEST_PIECE] for at in range(0, len(tags.profile), _LARGEST_PIECE)]
    for number, piece in enumerate(pieces, 1):
        yield _segment(0xE2, ICC_HEAD + bytes([number, len(pieces)]) + piece)
    for marker, body in tags.segments:
        yield _segment(marker, body)


def _segment(marker: int, body: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(body) + 2).to_bytes(2, "big") + body
