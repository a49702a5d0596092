"""Damaged files of many containers end in a result or in one line, never in a traceback, a hang or half an output."""

import random
from pathlib import Path

import pytest

from tests.media import make
from tests.soak.conftest import Runner

pytestmark = pytest.mark.soak
FILES = 1000
CONTAINERS = {
    "mkv": ("libx264", "flac"),
    "mp4": ("libx264", "aac"),
    "mov": ("prores_ks", "pcm_s16le"),
    "avi": ("mpeg4", "mp3"),
    "webm": ("libvpx", "libopus"),
    "ts": ("mpeg2video", "mp2"),
    "flv": ("flv", "mp3"),
    "gif": ("gif", None),
}


def make_source(folder: Path, ending: str) -> bytes:
    """Return a tiny video in that container."""
    video, audio = CONTAINERS[ending]
    path = folder / f"source.{ending}"
    sound = ["-f", "lavfi", "-i", "sine=d=0.3", "-c:a", audio, "-strict", "-2"] if audio else []
    make.ffmpeg(
        "-f", "lavfi", "-i", "testsrc2=s=32x32:r=25:d=0.3", *sound, "-c:v", video,
        *(["-ar", "44100"] if ending == "flv" else []), path,
    )  # fmt: skip
    return path.read_bytes()


def mutate(data: bytes, chance: random.Random) -> bytes:
    """Return `data` with flipped bytes, a hole, a repeated or missing part, or an end that is cut off."""
    result = bytearray(data)
    for _ in range(chance.choice((1, 1, 2, 8, 40))):
        place = chance.randrange(len(result))
        kind = chance.randrange(6)
        length = chance.choice((1, 2, 4, 16, 200))
        if kind == 0:
            result[place] = chance.randrange(256)
        elif kind == 1:
            result[place : place + length] = bytes(len(result[place : place + length]))
        elif kind == 2:
            result[place:place] = result[max(0, place - length) : place]
        elif kind == 3 and len(result) > 600:
            del result[place : place + length]
        elif kind == 4:
            result[place : place + 4] = chance.choice((b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0"))
        elif len(result) > 600 and chance.random() < 0.2:
            del result[max(300, place) :]
    return bytes(result)


def test_a_thousand_damaged_files(vsr: Runner, tmp_path: Path) -> None:
    chance = random.Random(20261126)
    sources = {ending: make_source(tmp_path, ending) for ending in CONTAINERS}
    folder = tmp_path / "work"
    folder.mkdir()
    exits: dict[int, int] = {}
    faults = []
    for number in range(FILES):
        ending = list(CONTAINERS)[number % len(CONTAINERS)]
        given = folder / f"in{number}.{ending}"
        given.write_bytes(mutate(sources[ending], chance))
        ended = vsr(folder, "upscale", given, "-m", "repvsr.real", "-o", "out.mkv", "--preset", "ultrafast", timeout=60)
        exits[ended.exit] = exits.get(ended.exit, 0) + 1
        left = sorted(p.name for p in folder.iterdir() if p != given)
        allowed = ["out.mkv"] if ended.exit == 0 else []
        unforeseen = "Traceback" in ended.stderr or "a bug or an unusual file" in ended.stderr
        if ended.exit not in (0, 1, 2) or unforeseen or ended.hung or left not in (allowed, ["out.mkv.vsr"]):
            faults.append((number, ending, ended.exit, ended.hung, ended.stderr[-300:], left))
            given.rename(tmp_path / given.name)  # kept, to be looked at
        given.unlink(missing_ok=True)
        for path in sorted(folder.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
    assert not faults, f"{len(faults)} of {FILES}: {faults[:5]}"
    print(f"{FILES} files, exit codes {exits}")
