"""Whatever FFmpeg reads is upscaled, by any name: a result that cannot have the source's ending gets the nearest."""

import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import pytest

from tests.media import make
from vsrcli.errors import InputError, UsageError
from vsrcli.media.containers import CannotHoldError, check_container
from vsrcli.media.info import VideoInfo
from vsrcli.media.read.probe import probe
from vsrcli.media.write.avi_times import check_avi_times
from vsrcli.pipeline.events import Event
from vsrcli.pipeline.jobs.job import prepare
from vsrcli.pipeline.jobs.places import choose_output, default_output
from vsrcli.pipeline.options import Options
from vsrcli.pipeline.running import batch
from vsrcli.pipeline.running.run import run


def sound(path: Path) -> str:
    """Return the checksum of the sound's packets."""
    return make.ffmpeg("-i", path, "-map", "0:a", "-c", "copy", "-f", "md5", "-")


def chosen(info: VideoInfo, output: Path | None, *, named: bool = True) -> tuple[str, str]:
    path, line = choose_output(output, info, Options(), 4, named=named)
    return path.name, line or ""


@pytest.mark.parametrize(
    ("name", "muxer", "video"),
    [
        ("film", "mp4", ["-c:v", "libx264"]),
        ("film.2024", "matroska", ["-c:v", "libx264"]),
        ("film.flv", "flv", ["-c:v", "flv1"]),
        ("film.vob", "vob", ["-c:v", "mpeg2video"]),
        ("film.wmv", "asf", ["-c:v", "wmv2"]),
        ("film.3gp", "3gp", ["-c:v", "libx264"]),
        ("film.nut", "nut", []),
        ("film.h264", "h264", ["-c:v", "libx264"]),
    ],
)
def test_unwritable_suffixes_become_matroska_with_a_note(
    tmp_path: Path, name: str, muxer: str, video: list[str]
) -> None:
    source = tmp_path / name
    picture = ["-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.12", "-pix_fmt", "yuv420p"]
    make.ffmpeg(*picture, *video, "-f", muxer, source)
    info = probe(source)
    stem = "film.2024" if name == "film.2024" else "film"
    assert chosen(info, None)[0] == f"{stem}_x4.mkv"
    ending = source.suffix or "no ending"
    assert ending in chosen(info, None)[1]
    assert chosen(info, batch.target(tmp_path / "out", Path(name)), named=False)[0] == f"{stem}.mkv"
    if source.suffix:
        assert chosen(info, tmp_path / f"new{source.suffix}")[0] == with_mkv(source.suffix)
    with pytest.raises(UsageError, match="end the output's name"):
        prepare(source, tmp_path / "new.rm", Options(model="repvsr.real"), lambda event: None)


def with_mkv(suffix: str) -> str:
    return "new.2024.mkv" if suffix == ".2024" else "new.mkv"


def test_a_result_under_another_suffix_is_reported(tmp_path: Path, tiny_model: str) -> None:
    make.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.12", "-c:v", "flv1", tmp_path / "in.flv")
    heard: list[Event] = []
    job = prepare(tmp_path / "in.flv", tmp_path / "out.flv", Options(model=tiny_model), heard.append)
    assert run(job).output == tmp_path / "out.mkv"
    assert any("the result is .mkv" in event.text for event in heard if event.kind == "note")
    with av.open(str(tmp_path / "out.mkv")) as container:
        assert container.format.name == "matroska,webm"


@pytest.mark.parametrize("name", ["page.tif", "page.bmp", "page.avif", "page"])
def test_an_image_becomes_png(tmp_path: Path, name: str) -> None:
    source = tmp_path / name
    codec = {".avif": ["-c:v", "libaom-av1", "-cpu-used", "8"], "": ["-f", "image2pipe", "-c:v", "png"]}
    make.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48", "-frames:v", "1", *codec.get(source.suffix, []), source)
    info = probe(source)
    assert info.images == (source,)
    assert chosen(info, None)[0] == "page_x4.png"
    assert chosen(info, batch.target(tmp_path / "out", Path(name)), named=False)[0] == "page.png"
    if source.suffix:
        assert chosen(info, tmp_path / f"new{source.suffix}")[0] == "new.png"


def test_sound_that_the_source_s_suffix_cannot_hold_leads_to_matroska(tmp_path: Path) -> None:
    source = tmp_path / "in.mp4"
    make.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:d=0.2", "-f", "lavfi", "-i", "sine=d=0.2", "-c:v", "libx264",
                "-c:a", "libvorbis", "-f", "matroska", source)  # fmt: skip
    shutil.move(source, source := tmp_path / "in.ts")
    name, line = chosen(probe(source), None)
    assert name == "in_x4.mkv"
    assert ".ts cannot hold stream 1 (audio, vorbis)" in line
    with pytest.raises(CannotHoldError):
        prepare(source, tmp_path / "named.ts", Options(model="repvsr.real"), lambda event: None)


@pytest.mark.parametrize("codec", ["adpcm_ms", "adpcm_ima_wav", "pcm_f64le"])
def test_avi_results_keep_the_sound_of_avi_sources(tmp_path: Path, codec: str, tiny_model: str) -> None:
    source = tmp_path / "in.avi"
    make.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:d=0.2", "-f", "lavfi", "-i", "sine=d=0.5", "-c:v", "mpeg4",
                "-c:a", codec, source)  # fmt: skip
    job = prepare(source, None, Options(model=tiny_model), lambda event: None)
    assert job.sink.output == tmp_path / "in_x4.avi"
    run(job)
    heard = [
        make.ffmpeg("-i", path, "-map", "0:a", "-c", "copy", "-f", "md5", "-") for path in (source, job.sink.output)
    ]
    assert heard[0] == heard[1]


def test_variable_frame_rates_are_refused_early_for_avi(tmp_path: Path) -> None:
    wild = make.video(tmp_path / "wild.mkv", frames=4, pts=[0, 40, 50, 120], time_base=Fraction(1, 1000))
    even = make.video(tmp_path / "even.mkv", frames=4, pts=[0, 41, 79, 120], time_base=Fraction(1, 1000))
    for output, options in (("o.avi", Options(model="repvsr.real")), ("o.avi", Options(model="repvsr.real", end=0.1))):
        with pytest.raises(CannotHoldError, match=r"cannot hold the times of .*wild.mkv"):
            prepare(wild, tmp_path / output, options, lambda event: None)
    info = probe(wild)
    check_avi_times(info, tmp_path / "o.avi", 0.06, None)  # of what is left nothing collides
    check_avi_times(info, tmp_path / "o.mkv", None, None)
    check_avi_times(probe(even), tmp_path / "o.avi", None, None)
    assert list(tmp_path.glob("*.vsr")) == []


def test_avi_of_a_source_that_starts_hours_late_is_in_sync(tmp_path: Path, tiny_model: str) -> None:
    make.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.12", "-f", "lavfi", "-i", "sine=d=0.12", "-c:v",
                "libx264", "-c:a", "libmp3lame", tmp_path / "on_time.mkv")  # fmt: skip
    make.ffmpeg("-itsoffset", "36000", "-i", tmp_path / "on_time.mkv", "-c", "copy", "-copyts", tmp_path / "late.mkv")
    job = prepare(tmp_path / "late.mkv", tmp_path / "o.avi", Options(model=tiny_model), lambda event: None)
    assert run(job).frames == 3
    with av.open(str(tmp_path / "o.avi")) as container:
        starts = [float((s.start_time or 0) * s.time_base) for s in container.streams if s.time_base]
    assert max(starts) < 0.1


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such names")
def test_pipes_are_refused_as_inputs_and_outputs(tmp_path: Path) -> None:
    film = make.video(tmp_path / "a.mp4", frames=1)
    link = tmp_path / "link.mp4"
    link.symlink_to("/dev/stdin")
    names = ("/dev/stdin", "/dev/fd/0", "/proc/self/fd/0", str(link), "-", "/dev/zero")
    code = (
        "import sys; from pathlib import Path; from vsrcli.media.read.probe import *\n"
        "for name in sys.argv[1:]:\n"
        "    try: probe(Path(name))\n"
        "    except InputError: print(name)"
    )
    with film.open("rb") as stdin:
        done = subprocess.run([sys.executable, "-c", code, *names], stdin=stdin, capture_output=True, text=True)
    assert done.stdout.split() == list(names), done.stderr
    for output in ("-", "/dev/stdout"):
        assert not batch.is_folder_for(Path(output), film)
        with pytest.raises(UsageError, match="not in a stream"):
            prepare(film, Path(output), Options(model="repvsr.real"), lambda event: None)
    ordinary = tmp_path / "ordinary.mp4"
    ordinary.symlink_to(film)
    assert probe(ordinary).frames == 1
    with pytest.raises(InputError, match="does not exist"):
        probe(tmp_path / "nothing.mp4")


def test_a_name_without_a_known_suffix_is_kept_whole(tmp_path: Path) -> None:
    info = probe(make.video(tmp_path / "a.mp4", frames=1))
    assert default_output(info, Options(), 4) == tmp_path / "a_x4.mp4"


def test_a_blu_ray_with_truehd_becomes_matroska(tmp_path: Path) -> None:
    picture = make.video(tmp_path / "v.mkv", frames=5)
    make.ffmpeg("-i", picture, "-f", "lavfi", "-i", "sine=d=0.2", "-c:v", "copy", "-c:a", "truehd", "-strict", "-2",
                "-f", "mpegts", "-mpegts_m2ts_mode", "1", tmp_path / "disc.m2ts")  # fmt: skip
    name, line = chosen(probe(tmp_path / "disc.m2ts"), None)
    assert name == "disc_x4.mkv"
    assert ".m2ts cannot hold stream 1 (audio, truehd)" in line
    make.ffmpeg("-i", picture, tmp_path / "plain.m2ts")
    assert chosen(probe(tmp_path / "plain.m2ts"), None) == ("plain_x4.m2ts", "")


def test_tags_that_a_transport_stream_cannot_hold_are_reported(tmp_path: Path) -> None:
    make.ffmpeg("-i", make.video(tmp_path / "v.mkv", frames=5), "-c", "copy", "-metadata", "title=T", "-metadata",
                "artist=A", tmp_path / "a.mkv")  # fmt: skip
    notes = check_container(probe(tmp_path / "a.mkv"), tmp_path / "out.ts")
    assert notes == [".ts cannot hold these tags: title, artist"]
