"""Jobs that are killed at any operation on files go on, and give what an undisturbed job gives."""

import hashlib
import random
from pathlib import Path
from typing import Any

import av
import pytest

from tests.media import make
from tests.soak.conftest import Runner

pytestmark = pytest.mark.soak
KILLS = 70  # for each of the three kinds of job: 210 in all


def digest(path: Path) -> str:
    """Return a hash of every decoded frame, packet of sound and time of a video, or of all files of a folder."""
    sha = hashlib.sha256()
    if path.is_dir():
        for file in sorted(path.iterdir()):
            sha.update(file.name.encode() + file.read_bytes())
        return sha.hexdigest()
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            sha.update(f"{frame.pts} {frame.time_base}".encode() + frame.to_ndarray().tobytes())
    with av.open(str(path)) as container:
        for packet in container.demux(audio=0):
            sha.update(f"{packet.pts} {packet.time_base}".encode() + bytes(packet))
    return sha.hexdigest()


def source(kind: str, folder: Path) -> Path:
    """Make the input of a kind of job."""
    if kind != "images":
        return make.rich(folder / "in.mkv", width=32, height=32, frames=70)
    (folder / "in").mkdir()
    make.ffmpeg("-i", make.rich(folder / "in.mkv", width=32, height=32, frames=20), folder / "in" / "%04d.png")
    (folder / "in.mkv").unlink()
    return folder / "in"


def command(kind: str, tiny_model: str) -> list[object]:
    """Return the arguments after `vsr upscale INPUT`."""
    if kind == "images":
        return ["-m", "repvsr.real", "-o", "out/%04d.png"]
    way = ["--propagation", "exact"] if kind == "exact" else ["--lookahead", "2"]
    return ["-m", tiny_model, "-o", "out.mkv", "--window", "8", "--preset", "ultrafast", *way]


@pytest.mark.parametrize("kind", ["video", "exact", "images"])
def test_a_job_killed_anywhere_goes_on(kind: str, vsr: Runner, tiny_model: str, tmp_path: Path) -> None:
    given = source(kind, tmp_path)
    arguments = ["upscale", given, *command(kind, tiny_model)]
    whole = tmp_path / "whole"
    whole.mkdir()
    ended = vsr(whole, *arguments)
    assert ended.exit == 0 and ended.count, ended.stderr
    out = "out" if kind == "images" else "out.mkv"
    expected = digest(whole / out)
    places = random.Random(0).sample(range(1, ended.count + 1), min(KILLS, ended.count))
    failures: list[Any] = []
    for place in sorted(places):
        folder = tmp_path / f"killed{place}"
        folder.mkdir()
        killed = vsr(folder, *arguments, at=place)
        again = vsr(folder, *arguments)
        left = sorted(p.name for p in folder.iterdir() if p.name != out)
        if again.exit == 2 and "exists" in again.stderr and not left:
            again.exit = 0  # it was finished, and its folder gone: at the last operation
        if again.exit != 0 or left or digest(folder / out) != expected:
            failures.append((place, killed.exit, again.exit, again.stderr, left))
    assert not failures, f"{len(failures)} of {len(places)} of {ended.count} operations: {failures[:3]}"
    print(f"{kind}: killed at {len(places)} of {ended.count} operations on files, all went on")
