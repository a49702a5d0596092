"""Long and many: memory, handles and threads stay flat; two processes do not share an output."""

import os
import threading
from pathlib import Path

import pytest

from tests.media import make
from tests.soak.conftest import ROOT, Runner

pytestmark = pytest.mark.soak


def resident() -> int:
    """Return this process's resident memory in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_two_thousand_frames_in_flat_memory_handles_and_threads(tmp_path: Path) -> None:
    import vsrcli
    from vsrcli.pipeline.events import Event

    source = tmp_path / "long.mkv"
    make.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=80", "-c:v", "libx264", source)
    seen: list[tuple[int, int, int]] = []

    def look(event: Event) -> None:
        if event.kind == "frame" and event.done % 100 == 0:
            seen.append((resident(), len(list(Path("/proc/self/fd").iterdir())), threading.active_count()))

    vsrcli.upscale(source, tmp_path / "out.mkv", model="repvsr.real", preset="ultrafast", on_event=look)
    early, late = seen[3:8], seen[-5:]
    assert len(seen) == 20
    assert max(r for r, _, _ in late) <= max(r for r, _, _ in early) + 16 * 2**20
    assert max(h for _, h, _ in late) <= max(h for _, h, _ in early)
    assert max(t for _, _, t in late) <= max(t for _, _, t in early)


def test_the_second_process_on_an_output_is_told(vsr: Runner, tiny_model: str, tmp_path: Path) -> None:
    import subprocess
    import sys

    source = make.rich(tmp_path / "in.mkv", width=64, height=48, frames=200)
    arguments = ["upscale", str(source), "-m", tiny_model, "-o", "out.mkv", "--preset", "ultrafast"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    first = subprocess.Popen([sys.executable, "-m", "vsrcli", *arguments], cwd=tmp_path, env=environment)
    while not list(tmp_path.glob("out.mkv.vsr/*.segment")) and first.poll() is None:
        pass
    second = vsr(tmp_path, *arguments)
    assert first.poll() is None, "the first was too quick for this test"
    assert second.exit != 0 and "out.mkv" in second.stderr and len(second.stderr.strip().splitlines()) <= 2
    assert first.wait(timeout=300) == 0
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith("out")] == ["out.mkv"]


def test_a_batch_of_three_hundred_files_loads_the_model_once(vsr: Runner, tmp_path: Path) -> None:
    folder = tmp_path / "clips"
    folder.mkdir()
    one = tmp_path / "one.mkv"
    make.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=32x32:r=25:d=0.12", "-c:v", "libx264", one)
    for number in range(300):
        (folder / f"{number:03}.mkv").write_bytes(one.read_bytes())
    few = tmp_path / "few"
    few.mkdir()
    for number in range(3):
        (few / f"{number:03}.mkv").write_bytes(one.read_bytes())
    ended = vsr(tmp_path, "upscale", folder, "-m", "repvsr.real", "-o", "out", "--preset", "ultrafast", timeout=900)
    assert ended.exit == 0, ended.stderr[-500:]
    assert len(list((tmp_path / "out").glob("*.mkv"))) == 300
    assert ended.stderr.count("repvsr.real") <= 300
