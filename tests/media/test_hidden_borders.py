"""Borders of the picture that a container hides stay hidden: Matroska's PixelCrop, and `clap` in QuickTime and MP4."""

import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.command import vsr
from tests.media import make
from vsrcli.media.read.crop import cropped
from vsrcli.media.read.decode import decode
from vsrcli.media.read.probe import probe

WIDTH, HEIGHT = 80, 64
LEFT, RIGHT, TOP, BOTTOM = 6, 10, 4, 8
SHOWN = (64, 52)
CLAP_SIZE = 40


def pixel_crop(path: Path, left: int, right: int, top: int, bottom: int) -> Path:
    """Insert PixelCropBottom, -Top, -Left and -Right into the first track's Video element (RFC 9559, 5.1.4.1.28)."""
    data = bytearray(path.read_bytes())
    values = ((0x54AA, bottom), (0x54BB, top), (0x54CC, left), (0x54DD, right))
    new = b"".join(struct.pack(">HBH", kind, 0x82, value) for kind, value in values)
    place = 0
    for wanted in (0x18538067, 0x1654AE6B, 0xAE, 0xE0):  # Segment, Tracks, TrackEntry, Video
        while True:
            id_end = place + 9 - data[place].bit_length()
            body = id_end + 9 - data[id_end].bit_length()
            size = int.from_bytes(data[id_end:body], "big") - (1 << 7 * (body - id_end))
            if int.from_bytes(data[place:id_end], "big") == wanted:
                break
            place = body + size
        data[id_end:body] = (size + len(new) + (1 << 7 * (body - id_end))).to_bytes(body - id_end, "big")
        place = body
    data[place:place] = new
    path.write_bytes(data)
    return path


def clean_aperture(path: Path, left: int, right: int, top: int, bottom: int) -> Path:
    """Put a `clap` box at the end of the first H.264 track's sample entry (ISO 14496-12, 12.1.4)."""
    size = (WIDTH - left - right, 1, HEIGHT - top - bottom, 1)
    clap = struct.pack(">I4s8i", CLAP_SIZE, b"clap", *size, left - right, 2, top - bottom, 2)
    data, place = bytearray(path.read_bytes()), 0
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"avc1"):
        place = data.index(kind, place)
        length = struct.unpack_from(">I", data, place - 4)[0]
        struct.pack_into(">I", data, place - 4, length + CLAP_SIZE)
    end = place - 4 + length
    data[end:end] = clap
    path.write_bytes(data)
    return path


def _hidden(path: Path, left: int = LEFT, right: int = RIGHT, top: int = TOP, bottom: int = BOTTOM) -> tuple[Path, ...]:
    """Return a plain video and one of the same pictures with hidden borders."""
    plain = make.video(path.with_stem("plain"), width=WIDTH, height=HEIGHT, frames=3)
    path.write_bytes(plain.read_bytes())
    edit = pixel_crop if path.suffix in (".mkv", ".webm") else clean_aperture
    return plain, edit(path, left, right, top, bottom)


def _pictures(path: Path, crop: str | None = None) -> np.ndarray:
    info = probe(path) if crop is None else cropped(probe(path), crop)
    return np.stack([frame.data for frame in decode(info)])


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".mov"])
def test_hidden_borders_stay_hidden(tmp_path: Path, suffix: str) -> None:
    plain, hidden = _hidden(tmp_path / f"a{suffix}")
    header = make.ffmpeg("-i", hidden, "-frames:v", "1", "-f", "framecrc", "-")
    assert "#dimensions 0: {}x{}".format(*SHOWN) in header, "the second opinion: what ffmpeg shows"
    info = probe(hidden)
    assert (info.width, info.height) == SHOWN and probe(plain).notes == ()
    assert len(info.notes) == 1 and "64x52 of 80x64 are shown" in info.notes[0]
    whole = _pictures(plain)
    assert np.array_equal(_pictures(hidden), whole[:, TOP : HEIGHT - BOTTOM, LEFT : WIDTH - RIGHT])


def test_odd_borders_are_exact(tmp_path: Path) -> None:
    plain, hidden = _hidden(tmp_path / "a.mkv", 5, 0, 0, 3)
    assert np.array_equal(_pictures(hidden), _pictures(plain)[:, : HEIGHT - 3, 5:])


def test_a_crop_lies_within_what_is_shown(tmp_path: Path) -> None:
    plain, hidden = _hidden(tmp_path / "a.mkv")
    assert np.array_equal(_pictures(hidden, "32:24:8:2"), _pictures(plain, f"32:24:{LEFT + 8}:{TOP + 2}"))


def test_borders_that_leave_nothing_are_shown_and_told(tmp_path: Path) -> None:
    plain, hidden = _hidden(tmp_path / "a.mkv", 60, 60, 0, 0)
    width = b"\xb0\x81" + bytes([WIDTH])
    assert hidden.read_bytes().count(width) == 1
    hidden.write_bytes(hidden.read_bytes().replace(width, b"\xb0\x81\x7f"))  # more than the codec has
    info = probe(hidden)
    assert (info.width, info.height) == (WIDTH, HEIGHT)
    assert len(info.notes) == 1 and "leave nothing of its 80x64" in info.notes[0]
    assert np.array_equal(_pictures(hidden), _pictures(plain))


def test_the_matrix_is_guessed_by_the_stored_picture(tmp_path: Path) -> None:
    info = replace(probe(make.video(tmp_path / "a.mkv")), width=1280, height=576)
    part = info.part(8, 0, 1264, 576)
    assert part.colour.matrix == 1 and info.colour.matrix == 2


def test_a_job_upscales_what_is_shown_and_says_so(tmp_path: Path, tiny_model: str) -> None:
    _, hidden = _hidden(tmp_path / "a.mp4")
    done = vsr("upscale", hidden, "-o", tmp_path / "b.mkv", "-m", tiny_model, "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert "hides borders: 64x52 of 80x64 are shown" in done.stderr
    result = probe(tmp_path / "b.mkv")
    assert (result.width, result.height, result.notes) == (256, 208, ())
    assert "hides borders" in vsr("info", hidden).stdout
