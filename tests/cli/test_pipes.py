"""Pipes on both sides: read once, written while they are read, with the frames, times and sound of an ordinary job."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import imageio_ffmpeg
import numpy as np
import pytest

from tests.command import vsr
from tests.media import make
from vsrcli.cli.upscale import command
from vsrcli.media.info import Colour

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
fifos = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes of POSIX")


def ffmpeg(*arguments: object, data: bytes | None = None) -> bytes:
    """Run ffmpeg and return what it writes to stdout."""
    words = [FFMPEG, "-v", "error", *map(str, arguments)]
    return subprocess.run(words, input=data, check=True, stdout=subprocess.PIPE).stdout


def frames(data: bytes, form: str) -> list[bytes]:
    """Return the checksums of the pictures of a file of which the format is known."""
    lines = ffmpeg("-f", form, "-i", "-", "-map", "0:v:0", "-fps_mode", "passthrough", "-f", "framemd5", "-", data=data)
    return [line.split(b",")[-1].strip() for line in lines.splitlines() if not line.startswith(b"#")]


def sound(data: bytes, form: str) -> bytes:
    """Return the checksum of the first track's packets."""
    return ffmpeg("-f", form, "-i", "-", "-map", "0:a:0", "-c", "copy", "-f", "md5", "-", data=data)


class Ends:
    """Named pipes in a folder, of which threads fill one and empty the other."""

    def __init__(self, folder: Path) -> None:
        self.into, self.out = folder / "into", folder / "out"
        self.got = bytearray()
        os.mkfifo(self.into)
        os.mkfifo(self.out)

    def run(self, data: bytes, *options: object, read: int = 1 << 40, to: Path | None = None) -> Any:
        """Upscale `data` from one pipe into the other, of which `read` bytes are taken; or to a file."""

        def fill() -> None:
            try:
                with self.into.open("wb") as pipe:
                    pipe.write(data)
            except BrokenPipeError:
                pass

        def empty() -> None:
            with self.out.open("rb", buffering=0) as pipe:
                while len(self.got) < read and (block := pipe.read(1 << 16)):
                    self.got += block

        threads = [threading.Thread(target=job, daemon=True) for job in ((fill, empty) if to is None else (fill,))]
        for thread in threads:
            thread.start()
        done = vsr("upscale", self.into, "-o", to or self.out, "--progress", "plain", *options)
        if done.returncode == 2:  # nothing was opened
            return done
        for thread in threads:
            thread.join(5)
        return done


@pytest.fixture
def ends(tmp_path: Path) -> Ends:
    return Ends(tmp_path)


@pytest.fixture
def fast(tiny_model: str) -> list[object]:
    return ["-m", tiny_model, "--window", 4, "--lookahead", 1, "--precision", "fp32"]


@fifos
@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p10le", "gray"])
def test_y4m_goes_in_and_comes_out_as_of_a_file(ends: Ends, tmp_path: Path, fast: list[object], pix_fmt: str) -> None:
    source = make.video(tmp_path / "a.mkv", frames=9, width=32, height=24, codec="ffv1", pix_fmt=pix_fmt)
    piped = ffmpeg("-i", source, "-strict", "-1", "-f", "yuv4mpegpipe", "-")
    done = ends.run(piped, *fast)
    assert done.returncode == 0, done.stderr
    assert vsr("upscale", source, "-o", tmp_path / "b.y4m", *fast).returncode == 0
    assert bytes(ends.got) == (tmp_path / "b.y4m").read_bytes()
    named = {"yuv420p": b"C420mpeg2", "yuv422p10le": b"C422p10", "gray": b"Cmono"}[pix_fmt]
    assert bytes(ends.got).startswith(b"YUV4MPEG2 W128 H96 F25:1 Ip") and named in bytes(ends.got)[:100]
    assert len(frames(bytes(ends.got), "yuv4mpegpipe")) == 9
    assert done.stderr.count("a pipe is read and written once: if this stops, it begins anew") == 1


@fifos
@pytest.mark.parametrize("form", ["nut", "matroska"])
def test_times_and_sound_are_kept_in_what_holds_them(
    ends: Ends, film: Path, fast: list[object], tmp_path: Path, form: str
) -> None:
    done = ends.run(film.read_bytes(), "--format", form, "--codec", "ffv1" if form == "matroska" else "rawvideo", *fast)
    assert done.returncode == 0, done.stderr
    got = bytes(ends.got)
    assert sound(got, form) == sound(film.read_bytes(), "matroska")
    assert vsr("upscale", film, "-o", tmp_path / "b.mkv", "--codec", "ffv1", *fast).returncode == 0
    if form == "matroska":
        assert frames(got, form) == frames((tmp_path / "b.mkv").read_bytes(), "matroska")
    (tmp_path / "got").write_bytes(got)
    times = [shown(tmp_path / name) for name in ("got", "b.mkv")]
    assert times[0] == pytest.approx(times[1], abs=0.001)


def shown(path: Path) -> list[float]:
    """Return when frames are shown after the first packet of sound: NUT has no times before 0, and shifts both."""
    times: dict[str, list[float]] = {"video": [], "audio": []}
    with av.open(str(path)) as container:
        for packet in container.demux(container.streams.video[0], container.streams.audio[0]):
            if packet.size and packet.pts is not None and packet.time_base is not None:
                times[packet.stream.type].append(float(packet.pts * packet.time_base))
    return [time - min(times["audio"]) for time in sorted(times["video"])]


@fifos
def test_a_part_of_a_pipe_begins_at_0_with_its_sound(ends: Ends, fast: list[object], tmp_path: Path) -> None:
    source = make.video(tmp_path / "a.mkv", frames=20, width=32, height=24)
    whole = ffmpeg("-i", source, "-f", "lavfi", "-i", "sine=440:d=0.8", "-c:a", "pcm_s16le", "-c:v", "copy",
                   "-f", "matroska", "-")  # fmt: skip
    out = tmp_path / "part.mkv"
    done = ends.run(whole, "--start", 0.2, "--end", 0.6, *fast, to=out)
    assert done.returncode == 0, done.stderr
    with av.open(str(out)) as made:
        picture = [packet.pts or 0 for packet in made.demux(made.streams.video[0]) if packet.size]
    with av.open(str(out)) as made:
        heard = [float((packet.pts or 0) * (packet.time_base or 0)) for packet in made.demux(audio=0) if packet.size]
    assert (len(picture), min(picture)) == (10, 0)
    assert 0 <= heard[0] < 0.05 and 0.3 < heard[-1] < 0.4


@fifos
def test_a_reader_that_leaves_ends_the_job_cleanly(ends: Ends, film: Path, fast: list[object]) -> None:
    done = ends.run(film.read_bytes(), "--format", "nut", *fast, read=40_000)
    assert done.returncode == 0, done.stderr
    assert "the reader left after" in done.stderr and "Traceback" not in done.stderr


@fifos
@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty (0 bytes)"),
        (bytes(range(256)) * 300, "is not a video"),
        (b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n", "is a list of other files"),
    ],
)
def test_what_is_no_video_is_named_in_one_line(ends: Ends, fast: list[object], data: bytes, said: str) -> None:
    done = ends.run(data, *fast, to=ends.into.with_name("b.mkv"))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1 and f"{ends.into} {said}" in done.stderr
    assert not ends.into.with_name("b.mkv").exists()


@fifos
def test_no_sound_is_lost_in_silence(ends: Ends, film: Path, fast: list[object], tmp_path: Path) -> None:
    pcm = ffmpeg("-i", film, "-map", "0:v:0", "-map", "0:a:0", "-c:v", "copy", "-c:a", "pcm_s16le", "-f", "nut", "-")
    done = ends.run(pcm, *fast, to=tmp_path / "b.mp4")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "no sound is converted" in done.stderr and "use -o NAME.mkv" in done.stderr
    assert not (tmp_path / "b.mp4").exists()


@fifos
@pytest.mark.parametrize(
    ("form", "codec"), [("nut", "rawvideo"), ("nut", "ffv1"), ("matroska", "ffv1"), ("matroska", "h264")]
)
def test_the_shape_of_pixels_goes_through_pipes(
    ends: Ends, fast: list[object], tmp_path: Path, form: str, codec: str
) -> None:
    source = make.video(tmp_path / "a.mkv", frames=5, width=32, height=24, sar=Fraction(16, 11))
    piped = ffmpeg("-i", source, "-f", "lavfi", "-i", "sine=d=0.2", "-c:v", "rawvideo", "-c:a", "aac", "-f", "nut", "-")
    done = ends.run(piped, "--format", form, "--codec", codec, *fast)
    assert done.returncode == 0, done.stderr
    (tmp_path / "got").write_bytes(bytes(ends.got))
    assert shape_of(tmp_path / "got") == Fraction(16, 11)
    assert len(frames(bytes(ends.got), form)) == 5 and sound(bytes(ends.got), form)
    done = ends.run(piped, "--codec", "ffv1", *fast, to=tmp_path / "b.mkv")
    assert done.returncode == 0 and shape_of(tmp_path / "b.mkv") == Fraction(16, 11)


@fifos
@pytest.mark.parametrize("start", [0, 2])
@pytest.mark.parametrize("heard", [False, True])
@pytest.mark.parametrize(
    ("form", "codec"), [("nut", "rawvideo"), ("nut", "ffv1"), ("matroska", "ffv1"), ("matroska", "vp9")]
)
def test_every_frame_of_shaped_pixels_comes_at_its_time(
    ends: Ends, fast: list[object], tmp_path: Path, form: str, codec: str, heard: bool, start: float
) -> None:
    source = make.video(tmp_path / "a.mkv", frames=5, width=32, height=24, sar=Fraction(16, 11))
    tone = ["-itsoffset", start, "-f", "lavfi", "-i", "sine=d=0.2"] if heard else []
    film = tmp_path / "b.mkv"
    ffmpeg("-itsoffset", start, "-i", source, *tone, "-c:v", "copy", "-c:a", "pcm_s16le", film)
    done = ends.run(film.read_bytes(), "--format", form, "--codec", codec, *fast)
    assert done.returncode == 0, done.stderr
    (tmp_path / "got").write_bytes(bytes(ends.got))
    assert shape_of(tmp_path / "got") == Fraction(16, 11)
    assert picture_times(tmp_path / "got") == pytest.approx(picture_times(film), abs=0.001)


def picture_times(path: Path) -> list[float]:
    """Return when each picture is shown."""
    with av.open(str(path)) as container:
        return [float(frame.time or 0) for frame in container.decode(video=0)]


def shape_of(path: Path) -> Fraction | None:
    with av.open(str(path)) as container:
        return container.streams.video[0].sample_aspect_ratio


@fifos
def test_a_reader_that_leaves_shaped_pixels_ends_the_job_cleanly(
    ends: Ends, fast: list[object], tmp_path: Path
) -> None:
    source = make.video(tmp_path / "a.mkv", frames=20, width=64, height=48, sar=Fraction(16, 11))
    done = ends.run(source.read_bytes(), "--format", "nut", *fast, read=40_000)
    assert done.returncode == 0, done.stderr
    assert "the reader left after" in done.stderr and "Traceback" not in done.stderr


@fifos
def test_labels_and_timecode_go_through_pipes(ends: Ends, fast: list[object], tmp_path: Path) -> None:
    source = make.video(tmp_path / "a.mkv", frames=6, width=32, height=24, colour=Colour(9, 1, 9, 16))
    labelled = tmp_path / "b.mkv"
    chapters = ";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=80\ntitle=One\n"
    (tmp_path / "c.txt").write_text(chapters, "utf-8")
    ffmpeg("-i", source, "-i", tmp_path / "c.txt", "-map", "0:v", "-map_chapters", 1, "-c", "copy",
           "-metadata:s:v", "timecode=10:20:30:00", labelled)  # fmt: skip
    done = ends.run(labelled.read_bytes(), "--start", 0.04, *fast, to=tmp_path / "part.mkv")
    assert done.returncode == 0, done.stderr
    assert labels(tmp_path / "part.mkv") == ("10:20:30:01", [])
    assert vsr("upscale", labelled, "-o", tmp_path / "whole.avi", *fast).returncode == 0
    assert labels(tmp_path / "whole.avi")[0] == "10:20:30:00"
    done = ends.run(labelled.read_bytes(), "--format", "nut", *fast)
    assert done.stderr.count(".nut has no colour tags: converted to BT.601, as players guess; the primaries") == 1
    assert "the primaries and the transfer curve are lost" in done.stderr
    (tmp_path / "whole.nut").write_bytes(bytes(ends.got))
    assert labels(tmp_path / "whole.nut") == ("10:20:30:00", ["One"])
    done = vsr("upscale", labelled, "-o", tmp_path / "a.y4m", *fast)
    assert ".y4m cannot hold the timecode 10:20:30:00: left out" in done.stderr


def labels(path: Path) -> tuple[str | None, list[str]]:
    """Return the timecode of a file and the titles of its chapters."""
    with av.open(str(path)) as container:
        tags = {**container.metadata, **container.streams.video[0].metadata}
        titles = [str(chapter["metadata"]["title"]) for chapter in container.chapters()]
    return next((value for key, value in tags.items() if key.lower() == "timecode"), None), titles


@fifos
def test_what_asks_for_other_sound_in_a_pipe_is_told_what_to_do(
    ends: Ends, film: Path, fast: list[object], tmp_path: Path
) -> None:
    done = ends.run(film.read_bytes(), "--audio", "flac", *fast, to=tmp_path / "b.mkv")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "leave out --audio, and let ffmpeg convert it before or after" in done.stderr


@fifos
def test_times_that_vary_are_not_for_y4m(ends: Ends, fast: list[object], tmp_path: Path) -> None:
    film = make.video(tmp_path / "v.mkv", frames=8, width=32, height=24, pts=[0, 1, 2, 6, 7, 8, 12, 13])
    done = vsr("upscale", film, "-o", ends.out, *fast)
    assert done.returncode == 2 and f"{film} varies: use --format nut or matroska" in done.stderr
    assert "use -o NAME.mkv" in vsr("upscale", film, "-o", tmp_path / "b.y4m", *fast).stderr


def test_what_a_pipe_does_not_go_with_is_refused(film: Path, fast: list[object], tmp_path: Path) -> None:
    said: dict[str, Callable[[], Any]] = {
        "give one by -o": lambda: vsr("upscale", "-", *fast),
        "give one input": lambda: vsr("upscale", film, film, "-o", "-", *fast),
        "leave out --json": lambda: vsr("upscale", film, "-o", "-", "--json", *fast),
        "leave out --ray": lambda: vsr("upscale", film, "-o", "-", "--ray", "local", *fast),
        "--format is for a pipe": lambda: vsr("upscale", film, "-o", tmp_path / "b.mkv", "--format", "nut", *fast),
    }
    for text, call in said.items():
        done = call()
        assert done.returncode == 2 and text in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_the_help_tells_of_pipes() -> None:
    text = " ".join((command.help or "").split())
    assert "vsr upscale - -m repvsr.real -o -" in text and "starts anew" in text


def start(*arguments: object, **pipes: Any) -> "subprocess.Popen[bytes]":
    words = [sys.executable, "-m", "vsrcli", "upscale", *map(str, arguments)]
    return subprocess.Popen(words, stdin=subprocess.PIPE, stderr=subprocess.PIPE, **pipes)


def y4m(count: int) -> bytes:
    picture = np.arange(64 * 48 * 3 // 2) % 200 + 20
    shown = (b"FRAME\n" + np.roll(picture, 3 * number).astype(np.uint8).tobytes() for number in range(count))
    return b"YUV4MPEG2 W64 H48 F25:1 Ip A1:1 C420jpeg\n" + b"".join(shown)


@pytest.mark.slow
def test_frames_come_out_before_the_input_ends_and_ctrl_c_stops(fast: list[object]) -> None:
    with start("-", "-o", "-", *fast, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        process.stdin.write(y4m(14))  # what a pipe holds: it waits for nobody
        process.stdin.flush()
        assert len(process.stdout.read(256 * 192)) == 256 * 192  # while the input is open
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(20) == 130
        assert b"cannot be continued" in process.stderr.read()


@pytest.mark.slow
def test_ctrl_c_keeps_the_frames_in_a_file(fast: list[object], tmp_path: Path) -> None:
    with start("-", "-o", tmp_path / "b.mkv", *fast, "--progress", "json") as process:
        assert process.stdin is not None and process.stderr is not None
        process.stdin.write(y4m(14))
        process.stdin.flush()
        while b'"done": 0' in (line := process.stderr.readline()) or b'"done"' not in line:
            assert line
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130 and b"which" in process.stderr.read()
    with av.open(str(tmp_path / "b.mkv")) as made:
        assert 0 < sum(1 for _ in made.decode(video=0)) <= 14
    assert [path.name for path in tmp_path.iterdir()] == ["b.mkv"]


def test_a_y4m_that_is_cut_within_a_frame_is_told(fast: list[object], tmp_path: Path) -> None:
    for lost in (0, 100):
        data = y4m(3)[: -lost or None]
        with start("-", "-o", tmp_path / f"{lost}.mkv", *fast) as process:
            told = process.communicate(data)[1]
        assert process.returncode == 0
        assert (b"standard input is cut off: the last 100 bytes" in told) == bool(lost), told


@pytest.mark.slow
def test_ffmpeg_stands_on_both_sides(film: Path, fast: list[object], tmp_path: Path) -> None:
    before = [FFMPEG, "-v", "error", "-i", str(film), "-map", "0:v:0", "-map", "0:a:0", "-c:v", "rawvideo"]
    before += ["-c:a", "copy", "-f", "nut", "-"]
    after = [FFMPEG, "-v", "error", "-i", "-", "-map", "0", "-c", "copy", str(tmp_path / "b.nut")]
    with (
        subprocess.Popen(before, stdout=subprocess.PIPE) as source,
        subprocess.Popen(
            [sys.executable, "-m", "vsrcli", "upscale", "-", "-o", "-", "--format", "nut", *map(str, fast)],
            stdin=source.stdout,
            stdout=subprocess.PIPE,
        ) as middle,
        subprocess.Popen(after, stdin=middle.stdout) as sink,
    ):
        for process in (source, middle):
            assert process.stdout is not None
            process.stdout.close()
        assert [process.wait(60) for process in (source, middle, sink)] == [0, 0, 0]
    assert len(frames((tmp_path / "b.nut").read_bytes(), "nut")) == 20
