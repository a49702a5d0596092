"""The examples: the shipped clip is the output of its script, and the scripts do what their comments say."""

import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import av
import numpy as np
import pytest

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
SCRIPTS = EXAMPLES.with_name("scripts")
FAKE_VSR = """#!/bin/sh
# stands in for vsr itself: copies the video, fails on a name that holds "bad"; called as: upscale IN -o OUT [options]
case "$2" in *bad*) exit 1 ;; *stop*) exit 130 ;; esac
printf '%s\\n' "$*" >> "$CALLS"
cat > /dev/null  # a command that reads its input must not eat the list of videos
cp "$2" "$4"
"""


@pytest.fixture
def make_demo(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    pytest.importorskip("PIL")
    monkeypatch.syspath_prepend(str(SCRIPTS))
    return __import__("make_demo")


def test_demo_frames_are_deterministic_and_move(make_demo: ModuleType) -> None:
    first, second = make_demo.Street(0.25), make_demo.Street(0.25)
    frames = [first.render(index) for index in (0, 24, 47)]
    assert all(frame.shape == (120, 160, 3) for frame in frames)
    assert np.array_equal(frames[1], second.render(24))
    for earlier, later in itertools.pairwise(frames):
        assert np.abs(earlier.astype(int) - later).mean() > 5


def test_demo_is_written_with_its_sound_and_colour_tags(make_demo: ModuleType, tmp_path: Path) -> None:
    street = make_demo.Street(0.25)
    frames = [street.render(index) for index in range(3)]
    make_demo.write(tmp_path / "a.mp4", frames, make_demo.sound(0.125))
    with av.open(str(tmp_path / "a.mp4")) as container:
        assert [s.type for s in container.streams] == ["video", "audio"]
        shown = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    assert len(shown) == 3
    assert np.abs(shown[1].astype(int) - frames[1]).mean() < 8


def test_drawn_words_are_deterministic_and_legible(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    from PIL import Image

    script = str(SCRIPTS / "draw_words.py")
    subprocess.run([sys.executable, script, str(tmp_path / "a"), "--count", "2"], check=True)
    subprocess.run([sys.executable, script, str(tmp_path / "b"), "--count", "1", "--first", "1"], check=True)
    first, other, again = (
        np.asarray(Image.open(tmp_path / name).convert("L"), int)
        for name in ("a/words_000.png", "a/words_001.png", "b/words_001.png")
    )
    assert np.array_equal(other, again)
    assert first.shape == (1200, 1600)
    assert np.abs(first - other).mean() > 20
    strokes = np.abs(np.diff(first, axis=1)) > 20
    assert 0.02 < strokes.mean() < 0.5


def test_the_shipped_clip_is_small_and_complete() -> None:
    path = EXAMPLES / "demo.mp4"
    assert path.stat().st_size < 300_000
    with av.open(str(path)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        context = video.codec_context
        assert (context.width, context.height, context.pix_fmt) == (160, 120, "yuv420p")
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (1, 1, 1, 1)
        assert audio.codec_context.name == "aac"
        assert sum(1 for _ in container.decode(video=0)) == 48


def run_folder_script(tmp_path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    fake = tmp_path / "fake_vsr"
    fake.write_text(FAKE_VSR)
    fake.chmod(0o755)
    environment = {**os.environ, "VSR": str(fake), "CALLS": str(tmp_path / "calls")}
    command = [
        "bash",
        str(EXAMPLES / "upscale_folder.sh"),
        str(tmp_path / "in"),
        str(tmp_path / "in" / "out [1]"),
        *options,
    ]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")


@needs_bash
@pytest.mark.parametrize("script", sorted(EXAMPLES.glob("*.sh")), ids=lambda p: p.name)
def test_shell_scripts_parse(script: Path) -> None:
    subprocess.run(["bash", "-n", str(script)], check=True)


@needs_bash
def test_folder_script_keeps_the_tree_and_continues_after_failures(tmp_path: Path) -> None:
    names = [
        "a b.mp4",
        "bad.mkv",
        'sub folder/it\'s "c".MOV',
        "sub folder/line\nbreak.webm",
        "z.mp4.vsr/part.mp4",
        "n.txt",
    ]
    for name in names:
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    out = tmp_path / "in" / "out [1]"

    first = run_folder_script(tmp_path, "-m", "basicvsr")
    assert first.returncode == 3
    assert "3 upscaled, 0 skipped (already there), 1 failed" in first.stderr and "bad.mkv (exit code 1)" in first.stderr
    done = sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file())
    assert done == sorted([names[0], names[2], names[3]])
    assert (tmp_path / "calls").read_text().count("-m basicvsr") == 3

    (tmp_path / "in" / "bad.mkv").unlink()
    second = run_folder_script(tmp_path)
    assert second.returncode == 0
    assert "0 upscaled, 3 skipped (already there), 0 failed" in second.stderr


@needs_bash
def test_folder_script_stops_when_vsr_was_interrupted(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in ("1.mp4", "2stop.mp4", "3.mp4"):
        (tmp_path / "in" / name).write_text(name)
    assert run_folder_script(tmp_path).returncode == 130
    assert not (tmp_path / "in" / "out [1]" / "3.mp4").exists()


@needs_bash
def test_folder_script_rejects_invalid_arguments(tmp_path: Path) -> None:
    wrong = run_folder_script(tmp_path)
    assert wrong.returncode == 2
    assert "no such folder" in wrong.stderr
