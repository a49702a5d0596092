"""Files that are cut off, by the sizes that their formats tell of; pictures whose end is missing; files in a row."""

import struct
from pathlib import Path

import pytest

from tests.media import make
from vsrcli.media.read.damage import Damage
from vsrcli.media.read.decode import decode
from vsrcli.media.read.probe import probe
from vsrcli.media.read.structure import Structure, examine

FORMATS = {
    "gif": [],
    "apng": ["-f", "apng"],
    "ivf": ["-c:v", "libvpx"],
    "wmv": ["-c:v", "wmv2"],
    "mxf": ["-c:v", "mpeg2video"],
    "dv": ["-s", "720x576", "-pix_fmt", "yuv420p"],
    "y4m": [],
}


def _film(path: Path, *how: str) -> Path:
    make.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.4", *how, path)
    return path


def _decoded(path: Path) -> tuple[list[str], Damage | None]:
    lines: list[str] = []
    told: list[Damage] = []
    for _ in decode(probe(path), warn=lines.append, tell=told.append):
        pass
    return lines, (*told, None)[0]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_that_is_cut_off_is_told(tmp_path: Path, suffix: str) -> None:
    path = _film(tmp_path / f"a.{suffix}", *FORMATS[suffix])
    assert _decoded(path) == ([], None)
    data = path.read_bytes()
    for part in (0.93, 0.99):
        path.write_bytes(data[: int(len(data) * part)])
        lines, damage = _decoded(path)
        assert len(lines) == 1 and "is cut off" in lines[0]
        assert damage is not None and 0 < damage.cut_bytes <= len(data)


def test_a_broadcast_asf_file_tells_no_size(tmp_path: Path) -> None:
    path = _film(tmp_path / "a.wmv", "-c:v", "wmv2")
    data = bytearray(path.read_bytes())
    place = data.index(bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365"))
    data[place + 40 : place + 48] = struct.pack("<Q", len(data) + 1000)
    path.write_bytes(data)
    assert examine(path, "asf") == Structure(missing=1000)
    data[place + 88] |= 1
    path.write_bytes(data)
    assert examine(path, "asf") == Structure()


def test_two_mp4_files_in_one_are_told_but_not_fragments(tmp_path: Path) -> None:
    path = _film(tmp_path / "a.mp4", "-c:v", "libx264", "-pix_fmt", "yuv420p")
    data = path.read_bytes()
    assert examine(path, "mov,mp4") == Structure()
    path.write_bytes(data * 2)
    assert examine(path, "mov,mp4") == Structure(broken=len(data))
    parts = _film(tmp_path / "b.mp4", "-c:v", "libx264", "-movflags", "frag_keyframe+empty_moov").read_bytes()
    path.write_bytes(parts * 2)
    assert examine(path, "mov,mp4") == Structure()


@pytest.mark.parametrize("thumbnail", [False, True])
def test_a_jpeg_without_its_end_is_told(tmp_path: Path, thumbnail: bool) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    make.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25", "-frames:v", "3", folder / "%d.jpg")
    path = folder / "2.jpg"
    data = path.read_bytes()
    if thumbnail:  # a whole JPEG in an APP1 segment
        data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(data) + 2) + data + data[2:]
        path.write_bytes(data)
    assert _decoded(folder) == ([], None)
    path.write_bytes(data[:-20])
    lines, damage = _decoded(folder)
    assert lines == [f"{folder} is damaged: 1 frame is partly guessed by the decoder"]
    assert damage is not None and damage.concealed == 1 and damage.frames == 3
