"""EXIF, colour profiles, XMP and texts go along with a picture, fitted to its size; a second reader sees them."""

import io
import random
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest

from tests.media import make
from vsrcli.compare.align import upright
from vsrcli.media.photo import exif
from vsrcli.media.photo.images import write_image
from vsrcli.media.photo.picture_tags import PictureTags, read_tags
from vsrcli.media.photo.tagging import fit, held
from vsrcli.media.read.probe import probe

SIZE, LARGE = (64, 48), (256, 192)
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><r exif:PixelXDimension="64" tiff:ImageLength = \'48\' '
    b'GPano:CroppedAreaLeftPixels="10" GPano:PoseHeadingDegrees="64"><exif:PixelYDimension>48</exif:PixelYDimension>'
    b"</r></x:xmpmeta>"
)


def profile(space: bytes = b"RGB ", size: int = 300) -> bytes:
    """An ICC profile's header, and bytes that cannot be compressed."""
    head = size.to_bytes(4, "big") + b"test" + bytes(4) + b"\x02\x40\0\0mntr"[4:] + space + b"XYZ "
    head = head.ljust(36, b"\0") + b"acsp"
    return head.ljust(128, b"\0") + random.Random(1).randbytes(size - 128)


def camera(orientation: int = 6, *, order: str = "<", thumbnail: bytes = b"\xff\xd8thumbnail\xff\xd9") -> bytes:
    """EXIF as a camera writes it: a maker's note, GPS, sizes in pixels and a thumbnail, which is the last in it."""
    fields = exif.Entry
    inner = [
        fields(0x927C, 7, 24, 0, b"Maker\0offset-of-its-own."),
        fields(0xA002, 3, 1, 0, struct.pack(f"{order}H", SIZE[0])),
        fields(0xA003, 4, 1, 0, struct.pack(f"{order}I", SIZE[1])),
        fields(0x9214, 3, 4, 0, struct.pack(f"{order}4H", 32, 24, 10, 8)),
        fields(0xA20E, 5, 1, 0, struct.pack(f"{order}2I", 3_000_000_000, 1000)),
    ]
    first = [
        fields(0x010F, 2, 10, 0, b"Maker Co.\0"),
        fields(0x0112, 3, 1, 0, struct.pack(f"{order}H", orientation)),
        fields(0x0100, 4, 1, 0, struct.pack(f"{order}I", SIZE[0])),
    ]
    data = exif.build(order, first, {0x8769: inner, 0x8825: [fields(1, 2, 2, 0, b"N\0")]})
    place = len(data)
    entries = [(0x0103, 3, 1, 6), (0x0201, 4, 1, place + 2 + 36 + 4), (0x0202, 4, 1, len(thumbnail))]
    table = b"".join(
        struct.pack(f"{order}HHI{'H2x' if kind == 3 else 'I'}", tag, kind, count, n) for tag, kind, count, n in entries
    )
    changed = bytearray(data + struct.pack(f"{order}H", 3) + table + bytes(4) + thumbnail)
    struct.pack_into(f"{order}I", changed, 8 + 2 + 12 * 5, place)
    return bytes(changed)


ALL = PictureTags(
    camera(), profile(), XMP, ((0xFE, b"a comment"),), ((b"gAMA", b"\0\1\x86\xa0"), (b"tEXt", b"Title\0One"))
)


def picture(path: Path, tags: PictureTags, size: tuple[int, int] = SIZE) -> Path:
    write_image(path, make.pattern(0, *size), tags=tags)
    return path


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp"])
def test_written_metadata_is_read_back(tmp_path: Path, suffix: str) -> None:
    found = read_tags(picture(tmp_path / f"a{suffix}", ALL))
    assert (found.exif, found.profile, found.xmp, found.lost) == (ALL.exif, ALL.profile, ALL.xmp, ())
    assert found.segments == (ALL.segments if suffix == ".jpg" else ())
    assert found.chunks == (ALL.chunks if suffix == ".png" else ())
    plain = tmp_path / f"plain{suffix}"
    write_image(plain, make.pattern(0, *SIZE))
    assert make.second_opinion(plain) == make.second_opinion(tmp_path / f"a{suffix}", "-noautorotate")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_metadata_agrees_with_a_second_reader(tmp_path: Path, suffix: str) -> None:
    image = pytest.importorskip("PIL.Image")
    source = image.fromarray(make.pattern(0, *SIZE))
    details = image.Exif()
    details[0x0112], details[0x010F] = 6, "Maker Co."
    details.get_ifd(0x8769)[0xA002] = 64
    source.save(tmp_path / f"s{suffix}", exif=details, icc_profile=profile())
    tags = read_tags(tmp_path / f"s{suffix}")
    assert (tags.orientation, tags.profile, tags.lost) == (6, profile(), ())
    for target in (".png", ".jpg", ".webp"):
        with image.open(picture(tmp_path / f"a{target}", fit(tags, SIZE, LARGE), LARGE)) as opened:
            assert opened.info["icc_profile"] == profile()
            seen = opened.getexif()
            assert (seen[0x0112], seen[0x010F].rstrip("\0")) == (6, "Maker Co.")
            assert suffix == ".tif" or seen.get_ifd(0x8769)[0xA002] == 256  # Pillow writes none to TIFF
            opened.load()


@pytest.mark.parametrize("number", range(1, 9))
def test_display_matrix_follows_exif_orientation(tmp_path: Path, number: int) -> None:
    image = pytest.importorskip("PIL.Image")
    ops = pytest.importorskip("PIL.ImageOps")
    path = picture(tmp_path / "a.png", PictureTags(exif=exif.of_orientation(number)))
    info = probe(path)
    assert exif.nearest_orientation(info.rotation) == number
    with image.open(path) as opened:
        assert np.array_equal(upright(make.pattern(0, *SIZE), info), np.asarray(ops.exif_transpose(opened)))


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_sizes_are_scaled_and_thumbnails_removed(order: str) -> None:
    before = camera(order=order)
    after = exif.resized(before, SIZE, LARGE)
    assert b"thumbnail" in before and b"thumbnail" not in after and len(after) < len(before)
    tiff = exif.Tiff(exif.from_bytes(after))
    entries, _, following = tiff.folder(tiff.first)
    inner, _ = tiff.inner(entries, 0x8769)
    assert following == 0
    assert [tiff.number(entries, 0x0100), tiff.number(inner, 0xA002), tiff.number(inner, 0xA003)] == [256, 256, 192]
    values = {entry.tag: entry for entry in inner}
    assert struct.unpack(f"{order}4H", values[0x9214].value) == (128, 96, 40, 32)
    top, bottom = struct.unpack(f"{order}2I", values[0xA20E].value)
    assert top / bottom == pytest.approx(12_000_000)
    note = before.index(b"Maker\0offset")
    assert after[note : note + 24] == before[note : note + 24]


def test_only_picture_metadata_is_taken_from_tiff() -> None:
    found = exif.of_tiff(exif.from_bytes(camera(3)))
    tiff = exif.Tiff(exif.from_bytes(found))
    entries, _, following = tiff.folder(tiff.first)
    assert ([entry.tag for entry in entries], following) == ([0x010F, 0x0112, 0x8769, 0x8825], 0)
    assert [entry.tag for entry in tiff.inner(entries, 0x8769)[0]] == [0x9214, 0xA002, 0xA003, 0xA20E]
    assert exif.orientation(found) == 3 and b"thumbnail" not in found


def test_a_thumbnail_between_other_data_is_blanked() -> None:
    before = camera()
    with_more = bytearray(before + bytes(64) + struct.pack("<H", 1) + struct.pack("<HHI4s", 1, 2, 2, b"N\0") + bytes(4))
    gps = with_more.index(struct.pack("<HHI", 0x8825, 4, 1)) + 8
    struct.pack_into("<I", with_more, gps, len(before) + 64)  # a folder behind the thumbnail
    after = exif.resized(bytes(with_more), SIZE, LARGE)
    tiff = exif.Tiff(exif.from_bytes(after))
    entries, _, following = tiff.folder(tiff.first)
    assert following == 0 and b"thumbnail" not in after
    assert [entry.value for entry in tiff.inner(entries, 0x8825)[0]] == [b"N\0"]


def test_xmp_sizes_are_scaled_or_the_loss_is_reported(tmp_path: Path) -> None:
    xmp = fit(ALL, SIZE, LARGE).xmp
    assert b'PixelXDimension="256"' in xmp and b"ImageLength = '192'" in xmp and b"<exif:PixelYDimension>192<" in xmp
    assert b'LeftPixels="40"' in xmp and b'HeadingDegrees="64"' in xmp
    tags = read_tags(picture(tmp_path / "a.jpg", PictureTags(xmp=b'<x hdrgm:Version="1.0"/>')))
    assert (tags.xmp, tags.lost) == (b"", ("XMP about further pictures in the file",))


def test_a_large_profile_takes_several_segments(tmp_path: Path) -> None:
    tags = PictureTags(profile=profile(size=200_000))
    path = picture(tmp_path / "a.jpg", tags)
    assert path.read_bytes().count(b"ICC_PROFILE\0") == 4
    assert read_tags(path).profile == tags.profile
    data = path.read_bytes()
    at = data.index(b"ICC_PROFILE\0\2")
    (tmp_path / "b.jpg").write_bytes(data[: at - 4] + data[at + 65517 :])
    assert read_tags(tmp_path / "b.jpg").lost == ("a damaged colour profile",)


@pytest.mark.parametrize("space", [b"GRAY", b"CMYK", b"Lab "])
def test_cmyk_and_gray_profiles_are_reported(space: bytes) -> None:
    kept, lost = held(PictureTags(profile=profile(space)), ".png")
    assert (kept.profile, lost) == (b"", (f"a colour profile for {space.decode().strip()}",))


def test_metadata_too_large_for_jpeg_is_reported(tmp_path: Path) -> None:
    big = PictureTags(camera(thumbnail=b""), xmp=bytes(70_000))
    big = PictureTags(big.exif.ljust(70_000, b"\0"), xmp=big.xmp, chunks=ALL.chunks)
    kept, lost = held(big, ".jpg")
    assert lost == ("colours other than sRGB", "texts", "EXIF of more than 64 KiB", "XMP of more than 64 KiB")
    assert (kept.orientation, kept.xmp, kept.chunks) == (6, b"", ())
    assert read_tags(picture(tmp_path / "a.png", big)).exif == big.exif


def test_exif_after_the_image_data_is_found(tmp_path: Path) -> None:
    data = picture(tmp_path / "a.png", PictureTags(camera())).read_bytes()
    at = data.index(b"eXIf") - 4
    chunk = data[at : at + 12 + len(camera())]
    (tmp_path / "a.png").write_bytes(data.replace(chunk, b"")[:-12] + chunk + data[-12:])
    assert read_tags(tmp_path / "a.png").exif == camera()


def test_raw_profiles_of_imagemagick_are_read(tmp_path: Path) -> None:
    raw = b"Exif\0\0" + camera(8)
    text = b"\nexif\n%8d\n" % len(raw) + b"\n".join(raw.hex().encode()[i : i + 72] for i in range(0, 2 * len(raw), 72))
    chunks = ((b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(text)),)
    tags = read_tags(picture(tmp_path / "a.png", PictureTags(chunks=chunks)))
    assert (tags.orientation, tags.chunks) == (8, ())


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif"])
def test_damaged_metadata_neither_hangs_nor_crashes(tmp_path: Path, suffix: str) -> None:
    image = pytest.importorskip("PIL.Image")
    buffer = io.BytesIO()
    kind = {".png": "PNG", ".jpg": "JPEG", ".webp": "WEBP", ".tif": "TIFF"}[suffix]
    image.fromarray(make.pattern(0, 16, 16)).save(buffer, kind, exif=camera(), icc_profile=profile())
    whole, chance = buffer.getvalue(), random.Random(5)
    started = time.monotonic()
    for round_ in range(60):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 4, 30))):
            data[chance.randrange(len(data))] = chance.choice((0, 1, 127, 255, chance.randrange(256)))
        path = tmp_path / f"a{suffix}"
        path.write_bytes(data[: chance.randrange(len(data))] if round_ % 3 == 0 else data)
        tags = fit(read_tags(path), SIZE, LARGE)
        for target in (".png", ".jpg", ".webp"):
            held(tags, target)
    assert time.monotonic() - started < 5


def test_decompression_bombs_are_bounded(tmp_path: Path) -> None:
    bomb = zlib.compress(bytes(8 << 20))
    chunks = tuple((b"zTXt", b"Raw profile type exif\0\0" + bomb) for _ in range(12))
    started = time.monotonic()
    tags = read_tags(picture(tmp_path / "a.png", PictureTags(chunks=chunks)))
    assert tags.exif == b"" and time.monotonic() - started < 2
    many = struct.pack("<H", 4000) + struct.pack("<HHII", 1, 7, 900_000, 0) * 4000 + bytes(4)
    hostile = (b"II*\0\x08\0\0\0" + many).ljust(1_000_000, b"\0")
    assert read_tags(picture(tmp_path / "b.png", PictureTags(exif=hostile))).lost == ("damaged EXIF",)
    loop = b"II*\0\x08\0\0\0" + struct.pack("<H", 1) + struct.pack("<HHII", 0x8769, 4, 1, 8) + struct.pack("<I", 8)
    assert exif.resized(loop, SIZE, LARGE)
