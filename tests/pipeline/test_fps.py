"""A result with more frames than its source: at exact times, sound as it was, resumed alike, or refused in one line."""

import itertools
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import vsrcli
from tests.command import vsr
from tests.media import make
from vsrcli.errors import InterruptedJobError, UsageError
from vsrcli.media.photo.images import load_picture, write_png
from vsrcli.pipeline import Event
from vsrcli.pipeline.running.run import Result

OPTIONS: dict[str, Any] = {"window": 4, "precision": "fp32", "codec": "ffv1"}


def shown(path: Path) -> list[tuple[Fraction, np.ndarray]]:
    """Return the frames of a video, each with its time."""
    with av.open(str(path)) as container:
        frames = [(f.pts, f.time_base, f.to_ndarray(format="rgb24")) for f in container.decode(video=0)]
    found = []
    for pts, base, picture in frames:
        assert pts is not None and base is not None
        found.append((pts * base, picture))
    return found


def sound(path: Path) -> list[tuple[int | None, bytes]]:
    with av.open(str(path)) as container:
        return [(p.pts, bytes(p)) for p in container.demux(audio=0) if p.size]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make.rich(tmp_path_factory.mktemp("fps") / "in.mkv", width=64, height=48, frames=8)


def upscale(source: Path, output: Path, model: str, **options: Any) -> Result:
    return vsrcli.upscale(source, output, model=model, **{**OPTIONS, **options})


def test_doubled_frames_have_exact_times_and_unchanged_sound(film: Path, tiny_model: str, tmp_path: Path) -> None:
    plain = upscale(film, tmp_path / "plain.mkv", tiny_model)
    made = upscale(film, tmp_path / "twice.mkv", tiny_model, fps="2x")
    assert made.frames == 2 * plain.frames
    old, new = shown(plain.output), shown(made.output)
    assert [time for time, _ in new[::2]] == [time for time, _ in old]
    for (before, _), (time, _), (after, _) in zip(new, new[1:], new[2:], strict=False):
        assert abs(time - (before + after) / 2) <= Fraction(1, 1000)  # Matroska counts milliseconds
    assert sound(made.output) == sound(film)


@pytest.mark.parametrize("container", [".mp4", pytest.param(".mov", marks=pytest.mark.slow), ".avi"])
def test_new_frames_lie_half_way_in_every_container(
    film: Path, tiny_model: str, tmp_path: Path, container: str
) -> None:
    options: dict[str, Any] = {"codec": "h264", "window": 4}
    plain = vsrcli.upscale(film, tmp_path / f"plain{container}", model=tiny_model, **options)
    made = vsrcli.upscale(film, tmp_path / f"twice{container}", model=tiny_model, fps=50, **options)
    old, new = ([time for time, _ in shown(result.output)] for result in (plain, made))
    tick = Fraction(1, 50) if container == ".avi" else Fraction(1, 10000)
    assert len(new) == 2 * len(old)
    for n, time in enumerate(new[:-1]):
        wanted = (old[n // 2] + old[(n + 1) // 2]) / 2
        assert abs((time - new[0]) - (wanted - old[0])) < tick


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".y4m", ".mkv"])
def test_a_result_with_new_frames_is_as_long_as_its_source(tiny_model: str, tmp_path: Path, suffix: str) -> None:
    source = make.video(tmp_path / "in.mp4", width=32, height=32, frames=5)
    made = vsrcli.upscale(source, tmp_path / f"out{suffix}", model=tiny_model, window=4, fps="3x")
    assert made.frames == 15
    with av.open(str(made.output)) as container:
        assert container.duration is not None
        assert container.duration / av.time_base == pytest.approx(5 / 25, abs=0.001)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, 8),
        ({"end": 0.1}, 3),
        ({"end": 0.3}, 8),
        ({"start": 0.1}, 5),
        ({"start": 0.05, "end": 0.21}, 4),
        ({"fps": "2x", "end": 0.1}, 6),
    ],
)
@pytest.mark.parametrize("suffix", [".mkv", ".avi", ".ts"])
def test_as_many_frames_are_announced_as_are_made(
    tiny_model: str, tmp_path: Path, options: dict[str, Any], wanted: int, suffix: str
) -> None:
    source = make.video(tmp_path / f"in{suffix}", width=32, height=32, frames=8, options={"bf": "0"})
    events: list[Event] = []
    made = upscale(source, tmp_path / "out.mkv", tiny_model, on_event=events.append, **options)
    totals = [event.total for event in events if event.kind in ("start", "frame")]
    assert (made.frames, set(totals)) == (wanted, {wanted})


def test_a_wrong_announcement_is_put_right_at_the_end(tiny_model: str, tmp_path: Path) -> None:
    pts = [0, 1, 2, 3, 20, 40]
    source = make.video(tmp_path / "in.mkv", width=32, height=32, frames=6, pts=pts)
    events: list[Event] = []
    made = upscale(source, tmp_path / "out.mkv", tiny_model, on_event=events.append, end=0.9)
    frames = [event for event in events if event.kind == "frame"]
    assert all(event.total is not None and event.done <= event.total for event in frames)
    assert (frames[-1].done, frames[-1].total) == (made.frames, made.frames) == (5, 5)


@pytest.mark.slow
def test_a_stopped_job_with_new_frames_resumes_with_equal_frames(tiny_model: str, tmp_path: Path) -> None:
    source = make.rich(tmp_path / "in.mkv", width=64, height=48, frames=17)
    whole = upscale(source, tmp_path / "whole.mkv", tiny_model, fps="4x")

    def stop(event: Event) -> None:
        if event.kind == "frame" and event.done == 62:
            raise KeyboardInterrupt

    with pytest.raises(InterruptedJobError):
        vsrcli.upscale(source, tmp_path / "part.mkv", model=tiny_model, fps="4x", on_event=stop, **OPTIONS)
    rest = upscale(source, tmp_path / "part.mkv", tiny_model, fps="4x")
    assert 0 < rest.made < rest.frames == whole.frames == 68
    assert all(
        a == b and np.array_equal(x, y) for (a, x), (b, y) in zip(shown(rest.output), shown(whole.output), strict=True)
    )


@pytest.mark.slow
def test_images_get_a_frame_rate_or_new_frames(tiny_model: str, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for n in range(4):
        write_png(folder / f"{10 + n}.png", make.pattern(n))
    video = upscale(folder, tmp_path / "rate.mkv", tiny_model, fps=50)
    assert [float(time) for time, _ in shown(video.output)] == [0, 0.02, 0.04, 0.06]  # a number is their own rate
    video = upscale(folder, tmp_path / "both.mkv", tiny_model, rate=25, fps=50)
    assert [float(time) for time, _ in shown(video.output)] == [n / 50 for n in range(8)]
    upscale(folder, tmp_path / "out" / "%04d.png", tiny_model, fps="2x")
    upscale(folder, tmp_path / "same" / "%04d.png", tiny_model)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [f"{n:04d}.png" for n in range(1, 9)]
    assert load_picture(tmp_path / "out" / "0001.png").width == 4 * 64
    assert upscale(folder, tmp_path / "folder", tiny_model, fps="3x").frames == 12
    assert sorted(p.name for p in (tmp_path / "folder").iterdir())[:2] == ["00000001.png", "00000002.png"]


@pytest.mark.parametrize("fps", [60, 30, Fraction(225), 10])
def test_a_rate_that_is_not_a_multiple_is_refused_in_one_line(
    film: Path, tiny_model: str, tmp_path: Path, fps: float
) -> None:
    with pytest.raises(UsageError, match="is no whole multiple, up to 8, of the source's 25"):
        upscale(film, tmp_path / "out.mkv", tiny_model, fps=fps)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("fps", ["0x", "9x", "x", "two", "2.5x", -2, 0, "nan"])
def test_invalid_rates_are_refused(film: Path, tiny_model: str, tmp_path: Path, fps: Any) -> None:
    with pytest.raises(UsageError, match="not a frame rate"):
        upscale(film, tmp_path / "out.mkv", tiny_model, fps=fps)
    done = vsr("upscale", film, "-o", tmp_path / "out.mkv", "-m", tiny_model, f"--fps={fps}")
    assert done.returncode == 2 and "is not a frame rate" in done.stderr


def test_the_command_reports_new_frames_and_suggests_a_multiple(film: Path, tiny_model: str, tmp_path: Path) -> None:
    done = vsr("upscale", film, "-o", tmp_path / "out.mkv", "-m", tiny_model, "--fps", "2x", "--window", "4")
    assert done.returncode == 0, done.stderr
    assert "making 2 frames of each, 50 a second" in done.stderr and "SPyNet" in done.stderr
    done = vsr("upscale", film, "-o", tmp_path / "no.mkv", "-m", tiny_model, "--fps", "60")
    assert done.returncode == 2 and "use --fps 2x" in done.stderr


def test_a_rate_near_a_multiple_counts_as_that_multiple(film: Path, tmp_path: Path, tiny_model: str) -> None:
    source = tmp_path / "ntsc.mp4"
    make.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=30000/1001:d=0.2", "-c:v", "libx264", source)
    made = vsrcli.upscale(source, tmp_path / "out.mp4", model=tiny_model, fps=60, window=4)
    times = [time for time, _ in shown(made.output)]
    assert len(times) == made.frames == 12
    assert {b - a for a, b in itertools.pairwise(times)} == {Fraction(1001, 60000)}


@pytest.mark.slow
def test_no_frame_is_made_across_a_cut_and_a_variable_rate_is_reported(tiny_model: str, tmp_path: Path) -> None:
    source = tmp_path / "vfr.mkv"
    scene = "testsrc2=s=64x48:r=25:d=0.4[a];mandelbrot=s=64x48:r=25,trim=duration=0.4,negate[b];[a][b]concat=n=2:v=1"
    make.ffmpeg("-filter_complex", f"{scene},setpts='PTS+0.04/TB*floor(N/5)'", "-c:v", "ffv1", source)
    made = upscale(source, tmp_path / "out.mkv", tiny_model, fps="2x")
    old, new = [time for time, _ in shown(source)], [time for time, _ in shown(made.output)]
    assert len(old) == 20 and len(new) == 40
    assert sum(old[9] < time < old[10] for time in new) == 1  # the frame before the cut, again
    assert sum("varies" in line for line in made.warnings) == 1


def test_new_frames_and_slow_motion_are_refused_in_shards(film: Path, tiny_model: str, tmp_path: Path) -> None:
    done = vsr("plan", film, "-o", tmp_path / "out.mkv", "-m", tiny_model, "--fps", "2x")
    assert done.returncode == 2 and "not made in shards" in done.stderr
    done = vsr("plan", film, "-o", tmp_path / "out.mkv", "-m", tiny_model, "--slow", "2x")
    assert done.returncode == 2 and "not made in shards" in done.stderr
    assert vsr("plan", film, "-o", tmp_path / "out.mkv", "-m", tiny_model, "--fps", "25").returncode == 0
