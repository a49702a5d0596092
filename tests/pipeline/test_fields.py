"""Whole jobs on interlaced sources: frames of fields, and film out of pulldown, with sound, cuts and interruptions."""

import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

import vsrcli
from tests.media import make
from vsrcli.errors import InterruptedJobError, UsageError
from vsrcli.media.options import Deinterlace
from vsrcli.pipeline.events import Event
from vsrcli.pipeline.jobs.job import prepare
from vsrcli.pipeline.options import Options
from vsrcli.pipeline.running.run import Result, run

TAPE = "testsrc2=s=32x32:r=50:d=1.6,scroll=horizontal=0.013,format=yuv420p,tinterlace=interleave_top,setfield=tff"
PULLED = "testsrc2=s=32x32:r=24000/1001:d=3.2,scroll=horizontal=0.013,format=yuv420p,telecine=pattern=23,setfield=tff"
SOUND = ("-f", "lavfi", "-i", "sine=440:d=1.6", "-c:a", "pcm_s16le", "-shortest")


def times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return sorted(float(p.pts * p.time_base) for p in container.demux(video=0) if p.pts is not None and p.size)


def pictures(path: Path) -> list[bytes]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray().tobytes() for frame in container.decode(video=0)]


def upscale(source: Path, output: Path, model: Path, cancel: threading.Event | None = None, **options: Any) -> Result:
    events: list[Event] = []

    def hear(event: Event) -> None:
        events.append(event)
        if cancel is not None and event.kind == "frame" and event.done >= 65:
            cancel.set()

    asked: dict[str, Any] = {"model": str(model), "codec": "ffv1", "window": 10, "device": "cpu"}
    return run(prepare(source, output, Options(**asked | options), hear), hear, cancel=cancel)


@pytest.fixture(scope="module", name="tape")
def _tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("in") / "tape.mkv"
    make.ffmpeg("-f", "lavfi", "-i", TAPE, *SOUND, "-c:v", "ffv1", path)
    return path


@pytest.fixture(scope="module", name="pulled")
def _pulled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("in") / "pulled.mp4"
    make.ffmpeg("-f", "lavfi", "-i", PULLED, "-c:v", "libx264", "-qp", "0", path)
    return path


def test_tape_becomes_50_frames_a_second_as_long_as_its_sound(tape: Path, tmp_path: Path, tiny_model: Path) -> None:
    result = upscale(tape, tmp_path / "a.mp4", tiny_model, deinterlace="double", codec="h264", preset="ultrafast")
    assert result.frames == 80
    assert times(result.output) == pytest.approx([n / 50 for n in range(80)], abs=1e-3)
    with av.open(str(result.output)) as container:
        assert container.duration is not None
        assert float(container.duration / av.time_base) == pytest.approx(1.6, abs=0.03)
        assert container.streams.video[0].average_rate == 50
    assert "each field becomes a frame: 25 to 50 fps" in result.warnings


@pytest.mark.parametrize("flag", ["prog", "tff"])
def test_a_progressive_source_keeps_its_rate(tmp_path: Path, tiny_model: Path, flag: str) -> None:
    source = tmp_path / "film.mkv"
    picture = f"testsrc2=s=96x64:r=25,scroll=horizontal=0.02,format=yuv420p,setfield={flag}"
    make.ffmpeg("-f", "lavfi", "-i", picture, "-frames:v", "8", "-c:v", "ffv1", source)
    result = upscale(source, tmp_path / "a.mkv", tiny_model, deinterlace="double")
    assert result.frames == 8
    assert sum("the source is progressive" in line for line in result.warnings) == 1
    assert len(list(vsrcli.read(source, deinterlace="double"))) == 8


def test_fields_are_found_whatever_the_flags_say(tmp_path: Path) -> None:
    for source in (make.interlaced(tmp_path / "a.mpg"), make.combed_but_not_flagged(tmp_path / "b.mkv")):
        assert len(list(vsrcli.read(source, deinterlace="double"))) == 24


def test_a_capture_without_flags_is_deinterlaced_by_its_pictures(tmp_path: Path, tiny_model: Path) -> None:
    source = make.combed_but_not_flagged(tmp_path / "capture.mkv")
    result = upscale(source, tmp_path / "a.mkv", tiny_model)
    assert result.frames == 12
    assert "interlaced, though the source is not flagged so: deinterlaced to 25 fps" in result.warnings
    seen, woven, left = (read_whole(source, how) for how in ("auto", "woven", "off"))
    assert seen == woven != left
    result = upscale(source, tmp_path / "b.mkv", tiny_model, deinterlace="off")
    assert not any("interlaced" in line for line in result.warnings)


def read_whole(source: Path, deinterlace: Deinterlace) -> list[bytes]:
    return [frame.data.tobytes() for frame in vsrcli.read(source, deinterlace=deinterlace)]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tape", "pulled"])
def test_a_stopped_job_goes_on_with_the_same_frames(
    name: str, request: pytest.FixtureRequest, tmp_path: Path, tiny_model: Path
) -> None:
    source = request.getfixturevalue(name)
    how: dict[str, Any] = {"deinterlace": "double"} if name == "tape" else {"detelecine": True}
    whole = upscale(source, tmp_path / "whole.mkv", tiny_model, **how)
    cancel = threading.Event()
    with pytest.raises(InterruptedJobError):
        upscale(source, tmp_path / "part.mkv", tiny_model, cancel, **how)
    rest = upscale(source, tmp_path / "part.mkv", tiny_model, **how)
    assert 0 < rest.made < rest.frames == whole.frames
    assert times(rest.output) == times(whole.output)
    assert pictures(rest.output) == pictures(whole.output)


def test_film_becomes_23976_frames_a_second(pulled: Path, tmp_path: Path, tiny_model: Path) -> None:
    result = upscale(pulled, tmp_path / "a.mkv", tiny_model, detelecine=True)
    assert result.frames == 77
    assert times(result.output) == pytest.approx([n * 1001 / 24000 for n in range(77)], abs=1e-3)
    with av.open(str(result.output)) as container:
        assert container.streams.video[0].average_rate == Fraction(24000, 1001)
    assert "inverse telecine: 29.97 to 23.976 fps, four frames of each five, evenly spaced" in result.warnings


def test_a_part_begins_with_the_field_at_its_start(tape: Path, tmp_path: Path, tiny_model: Path) -> None:
    whole = upscale(tape, tmp_path / "whole.mkv", tiny_model, deinterlace="double")
    part = upscale(tape, tmp_path / "part.mkv", tiny_model, deinterlace="double", start=0.5, end=0.9)
    assert part.frames == 20
    assert times(part.output)[0] == pytest.approx(0, abs=1e-3)
    assert times(whole.output)[25] == pytest.approx(0.5, abs=1e-3)


def test_fields_and_new_frames_between_them(tape: Path, tmp_path: Path, tiny_model: Path) -> None:
    job = prepare(
        tape, tmp_path / "a.mkv", Options(model=str(tiny_model), deinterlace="double", fps=Fraction(50)), print
    )
    assert job.factor == 1 and job.frames == 80 and job.sink.info.rate == 50  # type: ignore[attr-defined]


def test_film_has_no_fields(pulled: Path, tmp_path: Path, tiny_model: Path) -> None:
    with pytest.raises(UsageError, match="film has no fields"):
        upscale(pulled, tmp_path / "a.mkv", tiny_model, detelecine=True, deinterlace="double")


def test_avi_cannot_hold_film_among_video(pulled: Path, tmp_path: Path, tiny_model: Path) -> None:
    with pytest.raises(UsageError, match="has no times"):
        upscale(pulled, tmp_path / "a.avi", tiny_model, detelecine=True)


def test_avi_holds_fields(tape: Path, tmp_path: Path, tiny_model: Path) -> None:
    result = upscale(tape, tmp_path / "a.avi", tiny_model, deinterlace="double")
    assert result.frames == 80
    with av.open(str(result.output)) as container:
        assert container.streams.video[0].average_rate == 50


def test_what_detelecine_does_not_change_is_said(tape: Path, tmp_path: Path, tiny_model: Path) -> None:
    result = upscale(tape, tmp_path / "a.mkv", tiny_model, detelecine=True, end=0.2)
    assert any(line.startswith("the inverse telecine changes nothing: pulldown has") for line in result.warnings)
