"""Parts of one recording become one result: frames, times and sound of all, one after another."""

import subprocess
from itertools import pairwise
from pathlib import Path

import av
import imageio_ffmpeg
import pytest

from tests.command import vsr
from vsrcli.errors import InterruptedJobError
from vsrcli.pipeline.jobs.places import job_folder
from vsrcli.pipeline.options import Options
from vsrcli.pipeline.running.joined import joined

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()


def part(
    path: Path, *, size: str = "32x24", rate: int = 25, sound: int = 48000, frames: int = 9, hertz: int = 440
) -> Path:
    """Make one part with sound of its length."""
    words = [FFMPEG, "-v", "error", "-y", "-f", "lavfi", "-i", f"testsrc2=s={size}:r={rate}"]
    words += ["-f", "lavfi", "-i", f"sine={hertz}:r={sound}", "-frames:v", str(frames), "-t", f"{frames / rate}"]
    words += ["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "mp2" if path.suffix == ".ts" else "pcm_s16le"]
    subprocess.run([*words, str(path)], check=True)
    return path


def times(path: Path, kind: str) -> list[float]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0] if kind == "video" else container.streams.audio[0]
        return sorted(float((p.pts or 0) * (p.time_base or 0)) for p in container.demux(stream) if p.size)


@pytest.fixture
def fast(tiny_model: str) -> list[object]:
    return ["-m", tiny_model, "--window", 4, "--lookahead", 1, "--precision", "fp32"]


@pytest.mark.parametrize("suffix", [".ts", ".mov", ".mkv"])
def test_times_and_sound_go_on_over_the_parts(tmp_path: Path, fast: list[object], suffix: str) -> None:
    parts = [part(tmp_path / f"{i} 'x'{suffix}", hertz=300 * i) for i in (1, 2, 3)]
    out = tmp_path / "out" / "film.mkv"
    done = vsr("upscale", *parts, "--join", "-o", out, *fast)
    assert done.returncode == 0, done.stderr
    seen, heard = times(out, "video"), times(out, "audio")
    steps = [after - before for before, after in pairwise(seen)]
    assert len(seen) == 27
    assert min(steps) > 0.03 and max(steps) < 0.1  # sound of whole packets may be longer than the picture
    gaps = [after - before for before, after in pairwise(heard)]
    assert max(gaps) < 0.06 and min(gaps) > 0
    assert heard[-1] > 0.95
    assert [path.name for path in out.parent.iterdir()] == ["film.mkv"]
    assert not list(tmp_path.glob("*joined*"))


@pytest.mark.parametrize(
    ("other", "named"),
    [({"size": "48x24"}, "size (48x24 and 32x24)"), ({"rate": 30}, "frame rate"), ({"sound": 44100}, "streams")],
)
def test_parts_that_differ_are_refused_in_one_line(
    tmp_path: Path, fast: list[object], other: dict[str, int], named: str
) -> None:
    first, second = part(tmp_path / "1.ts"), part(tmp_path / "2.ts", **other)  # type: ignore[arg-type]
    done = vsr("upscale", first, second, "--join", "-o", tmp_path / "out.mkv", *fast)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"{second} differs from {first} in {named}" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.ts", "2.ts"]


def test_what_does_not_go_together_is_refused(tmp_path: Path, fast: list[object]) -> None:
    first = part(tmp_path / "1.ts")
    (tmp_path / "there.mkv").touch()
    for words, said in (
        ([first, first, "--join"], "needs -o"),
        ([first, "--join", "-o", tmp_path / "o.mkv"], "one input alone"),
        ([first, first, "--join", "-o", "{name}.mkv"], "give its name whole"),
        ([first, first, "--join", "-o", tmp_path / "there.mkv"], "exists"),
        ([first, first, "--join", "-o", tmp_path], "--join needs -o FILE"),
        ([first, first, "--join", "-o", f"{tmp_path / 'new'}/"], "--join needs -o FILE"),
        ([first, first, "--join", "-o", "-"], "pipes are not joined"),
    ):
        done = vsr("upscale", *words, *fast)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1) and said in done.stderr, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.ts", "there.mkv"]


def test_a_failure_leaves_no_joined_file_and_a_dry_run_neither(tmp_path: Path, fast: list[object]) -> None:
    parts = [part(tmp_path / f"{i}.ts", frames=5) for i in (1, 2)]
    assert vsr("upscale", *parts, "--join", "-o", tmp_path / "o.mkv", *fast, "--codec", "nothing").returncode == 2
    done = vsr("upscale", *parts, "--join", "-o", tmp_path / "new" / "o.mkv", *fast, "--dry-run")
    assert done.returncode == 0, done.stderr
    (joining,) = (line for line in done.stderr.splitlines() if line.startswith("joining"))
    assert str(tmp_path / "new") not in joining
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.ts", "2.ts"]
    (large := tmp_path / "large").mkdir()
    done = vsr("upscale", *parts, "--join", "-o", tmp_path / "o.mkv", *fast, "--dry-run", "--work-dir", large)
    (joining,) = (line for line in done.stderr.splitlines() if line.startswith("joining"))
    assert str(large) in joining and not any(large.iterdir())


def test_an_interrupted_job_finds_the_joined_file_again(tmp_path: Path) -> None:
    parts = [part(tmp_path / f"{i}.ts", frames=5) for i in (1, 2)]
    out, lines = tmp_path / "o.mkv", list[str]()
    with pytest.raises(InterruptedJobError), joined(parts, out, Options(), lines.append) as first:
        job_folder(out).mkdir()
        raise InterruptedJobError("stopped")
    assert first.is_file() and len(lines) == 1
    with joined(parts, out, Options(), lines.append) as again:
        assert again == first and len(lines) == 1
        job_folder(out).rmdir()
    assert not first.exists()
    with joined(parts[::-1], out, Options(), lines.append) as other:
        assert other != first


def recording(path: Path, frames: int = 75) -> Path:
    """Make a recording of three seconds with a key frame after each 5 frames, its sound in AAC."""
    words = [FFMPEG, "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=s=32x24:r=25", "-f", "lavfi", "-i", "sine"]
    words += ["-frames:v", str(frames), "-t", str(frames / 25), "-c:v", "libx264", "-g", "5", "-c:a", "aac"]
    subprocess.run([*words, str(path)], check=True)
    return path


def split(source: Path, way: str) -> list[Path]:
    """Return the parts of a recording, as `way` splits it."""
    if way == "bytes":  # as a recorder does on a disk with small files: packets of a picture lie in two of them
        data, third = source.read_bytes(), source.stat().st_size // 3 // 188 * 188
        parts = [data[:third], data[third : 2 * third], data[2 * third :]]
        paths = [source.with_name(f"p{number}.ts") for number in range(3)]
        for path, part_of_it in zip(paths, parts, strict=True):
            path.write_bytes(part_of_it)
        return paths
    anew = ["-reset_timestamps", "1"] if way == "begun anew" else []
    pattern = source.with_name(f"p%d{source.suffix}")
    words = [FFMPEG, "-v", "error", "-i", str(source), "-c", "copy", "-f", "segment", "-segment_time", "1", *anew]
    subprocess.run([*words, str(pattern)], check=True)
    return sorted(source.parent.glob("p*"))


@pytest.mark.parametrize(
    ("suffix", "way"), [(".ts", "goes on"), (".ts", "begun anew"), (".ts", "bytes"), (".mp4", "begun anew")]
)
def test_a_recording_that_was_split_is_whole_again(tmp_path: Path, suffix: str, way: str) -> None:
    source = recording(tmp_path / f"all{suffix}")
    with joined(split(source, way), tmp_path / "o.mkv", Options(), lambda line: None) as path:
        for kind in ("video", "audio"):
            here, there = times(source, kind), times(path, kind)
            assert len(here) == len(there)
            assert max(abs(b - a - there[0] + here[0]) for a, b in zip(here, there, strict=True)) < 0.002
        lead = times(source, "video")[0] - times(source, "audio")[0]
        assert abs(times(path, "video")[0] - times(path, "audio")[0] - lead) < 0.002
