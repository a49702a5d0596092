"""Complete jobs under Windows' rules for files and consoles (emulated on Linux by tests/windows.py)."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import vsrcli
from tests.media import make
from tests.windows import windows_rules  # noqa: F401  (a fixture)
from vsrcli.errors import InterruptedJobError
from vsrcli.pipeline.events import Event

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="the rules are kept by looking at /proc")


class Stop:
    """Interrupts a job once after a number of frames."""

    def __init__(self, frames: int) -> None:
        self.frames = frames

    def __call__(self, event: Event) -> None:
        if event.kind == "frame" and event.done >= self.frames:
            raise KeyboardInterrupt


@pytest.mark.parametrize("propagation", ["window", "exact"])
@pytest.mark.usefixtures("short_segments")
def test_stopped_job_is_continued(
    windows_rules: list[str],  # noqa: F811
    tiny_model: str,
    tmp_path: Path,
    propagation: str,
) -> None:
    source = make.rich(tmp_path / "in.mkv", width=32, height=32, frames=20)
    output = tmp_path / "out.mkv"
    wanted: dict[str, Any] = {"model": tiny_model, "propagation": propagation, "window": 8, "preset": "ultrafast"}
    with pytest.raises(InterruptedJobError):
        vsrcli.upscale(source, output, **wanted, on_event=Stop(13))
    assert not output.exists(), windows_rules
    result = vsrcli.upscale(source, output, **wanted)
    assert (result.frames, result.made) == (20, 12) and output.exists()
    assert not (tmp_path / "out.mkv.vsr").exists(), windows_rules
    assert vsrcli.upscale(source, output, **wanted, end=0.1, overwrite=True).frames < 20


def test_images_in_and_out(windows_rules: list[str], tmp_path: Path) -> None:  # noqa: F811
    folder = tmp_path / "in"
    folder.mkdir()
    make.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=32x32:r=25:d=0.2", folder / "%04d.png")
    vsrcli.upscale(folder, tmp_path / "out" / "%04d.png", model="repvsr.real")
    assert len(list((tmp_path / "out").iterdir())) == 5
    assert [p.name for p in tmp_path.iterdir() if p.name not in ("in", "out")] == []


@pytest.mark.parametrize("command", [["models"], ["--help"], ["upscale", "naïve→?.mkv"]])
def test_console_with_a_small_character_set(command: list[str], tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONIOENCODING": "cp1252", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "vsrcli", *command], capture_output=True, cwd=Path(__file__).parents[1], env=environment
    )
    assert done.returncode in (0, 1, 2)
    assert b"Error" not in done.stderr.replace(b"Error:", b"") and b"Traceback" not in done.stderr
