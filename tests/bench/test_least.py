"""The least memory that is printed is that of plans, and a job takes no more than it was given."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import vsr
from tests.media import make
from vsrcli.bench.least import SOURCES, least_memory
from vsrcli.engine.plan import MIN_TILE, PROCESS_BYTES
from vsrcli.media.read.probe import probe
from vsrcli.media.write.codecs import choose_settings
from vsrcli.media.write.held import encoder_bytes

CALL = """
import resource, sys
from vsrcli.cli import main
try:
    main()
finally:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def test_the_least_memory_of_a_net() -> None:
    small, large = least_memory("repvsr")
    assert (small.source, large.source) == tuple(SOURCES)
    assert (small.output_width, small.output_height) == (7680, 4320)
    assert PROCESS_BYTES < small.encoder_bytes < small.memory_bytes < small.whole_bytes
    assert 3.5 < large.memory_bytes / small.memory_bytes < 4.5
    assert small.tile is not None and min(small.tile) > MIN_TILE
    windows, _ = least_memory("basicvsr")
    assert (small.window, windows.window) == (None, 4)
    assert windows.memory_bytes > small.memory_bytes


def test_bench_prints_the_least_memory() -> None:
    done = vsr("bench", "--memory", "-m", "repvsr", "-m", "rrn")
    assert done.returncode == 0, done.stderr
    head, *rows = done.stdout.splitlines()
    assert head.split()[:3] == ["model", "1080p", "least"] and "4k encoder" in head
    assert rows[0].startswith("repvsr.") and rows[1].startswith("rrn")
    found = json.loads(vsr("bench", "--memory", "--json", "-m", "repvsr").stdout)
    assert [one["source"] for one in found] == list(SOURCES)
    assert f"{found[0]['memory_bytes'] / 2**30:.1f}" in rows[0].split()


def test_an_encoder_holds_more_the_more_frames_it_sees(tmp_path: Path) -> None:
    info = probe(make.video(tmp_path / "a.mkv"))

    def held(codec: str, frames: int | None, depth: int = 8) -> int:
        return encoder_bytes(
            choose_settings(info, tmp_path / "b.mkv", width=640, height=480, codec=codec), depth, frames
        )

    for codec in ("h264", "hevc", "vp9", "av1"):
        assert held(codec, 1) < held(codec, 10) < held(codec, None) == held(codec, 500)
        assert held(codec, None, 10) == 2 * held(codec, None)
    assert held("ffv1", None) < held("h264", 10)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB on Linux alone")
@pytest.mark.parametrize(
    ("size", "memory"),
    [
        ((640, 360), "1GiB"),
        ((960, 540), "1.5GiB"),
        ((960, 540), "2GiB"),
        ((1920, 1080), "5GiB"),
        ((1920, 1080), "8GiB"),
    ],
)
def test_a_job_takes_no_more_memory_than_it_was_given(tmp_path: Path, size: tuple[int, int], memory: str) -> None:
    source = make.video(tmp_path / "a.mp4", width=size[0], height=size[1], frames=3)
    words = [
        "vsr",
        "upscale",
        source,
        "-m",
        "repvsr.real",
        "-o",
        tmp_path / "b.mkv",
        "--memory",
        memory,
        "--device",
        "cpu",
    ]
    call = f"import sys; sys.argv = {[str(word) for word in words]!r}\n{CALL}"
    done = subprocess.run([sys.executable, "-c", call], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "too small" not in done.stderr, "the plan says that it fits"
    assert int(done.stdout.splitlines()[-1]) <= float(memory.removesuffix("GiB")) * 2**30
