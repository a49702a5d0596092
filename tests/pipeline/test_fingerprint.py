"""A source is known again exactly when it is the same one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.media import make
from vsrcli.errors import InputError
from vsrcli.media.read.probe import probe
from vsrcli.pipeline.jobs.fingerprint import fingerprint

_PRINT = """
import sys
from pathlib import Path
from vsrcli.media.read.probe import probe
from vsrcli.pipeline.jobs.fingerprint import fingerprint
print(fingerprint(probe(Path(sys.argv[1]))))
"""


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    make.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=32x32:d=0.2", folder / "%03d.png")
    return folder


def test_fingerprint_does_not_depend_on_the_hash_seed(images: Path) -> None:
    printed = {
        subprocess.run(
            [sys.executable, "-c", _PRINT, images],
            env=os.environ | {"PYTHONHASHSEED": str(seed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in (1, 2)
    }
    assert len(printed) == 1


@pytest.mark.parametrize("size", [100_000, 3_000_000, 18_000_000])
@pytest.mark.parametrize("place", [0.0, 0.1, 0.5, 0.77, 1.0])
def test_a_change_anywhere_changes_the_fingerprint(tmp_path: Path, size: int, place: float) -> None:
    film = make.video(tmp_path / "film.mkv", frames=2)
    with film.open("ab") as file:
        file.truncate(size)
    info, before = probe(film), film.stat().st_mtime_ns
    found = fingerprint(info)
    assert fingerprint(info) == found
    with film.open("rb+") as file:
        file.seek(round((size - 1) * place))
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 1]))
    os.utime(film, ns=(before, before + (1 if size > 1 << 24 else 0)))  # what was read whole needs no other time
    assert fingerprint(info) != found


@pytest.mark.parametrize("number", [1, 3, 5])
def test_a_change_of_any_image_changes_the_fingerprint(images: Path, number: int) -> None:
    info = probe(images)
    found = fingerprint(info)
    path = images / f"{number:03d}.png"
    before, data = path.stat().st_mtime_ns, bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(before, before))
    assert fingerprint(info) != found


def test_half_written_images_do_not_change_the_fingerprint(images: Path) -> None:
    found = fingerprint(probe(images))
    (images / ".003.abcdef.part").write_bytes(b"half")
    assert fingerprint(probe(images)) == found


def test_a_missing_source_gives_one_line(images: Path) -> None:
    info = probe(images)
    (images / "003.png").unlink()
    with pytest.raises(InputError, match=r"cannot read .*003\.png: No such file"):
        fingerprint(info)
