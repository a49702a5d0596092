"""Joined broadcasts: streams that go on in another codec, under another number, in another program."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.media import make
from vsrcli.media.containers import place_streams
from vsrcli.media.opening import demux, open_video
from vsrcli.media.read.damage import Damage
from vsrcli.media.read.decode import decode
from vsrcli.media.read.probe import probe
from vsrcli.media.read.programs import Tables

FRAMES = 75
VIDEO = {
    "h264": ["-c:v", "libx264", "-preset", "ultrafast", "-qp", "4"],
    "hevc": ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none:qp=4"],
    "mpeg2video": ["-c:v", "mpeg2video", "-q:v", "1"],
}
NUMBERS = ["-streamid", "0:300", "-streamid", "1:301"]
PROGRAM = [*NUMBERS, "-mpegts_service_id", "7", "-mpegts_pmt_start_pid", "5000"]


def _recording(
    path: Path, video: str, sound: str = "mp2", *how: str, size: str = "96x64", frames: int = FRAMES
) -> Path:
    seconds = frames / 25
    make.ffmpeg("-f", "lavfi", "-i", f"testsrc2=s={size}:r=25:d={seconds}", "-f", "lavfi", "-i", f"sine=d={seconds}",
                "-pix_fmt", "yuv420p", *VIDEO[video], "-c:a", sound, *how, path)  # fmt: skip
    return path


def _joined(path: Path, *parts: Path) -> Path:
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


@pytest.mark.parametrize("how", [NUMBERS, PROGRAM])
def test_a_file_in_which_streams_begin_midway_is_read_to_its_end(tmp_path: Path, how: list[str]) -> None:
    parts = [_recording(tmp_path / "a.ts", "h264"), _recording(tmp_path / "b.ts", "h264", "mp2", *how)]
    path = _joined(tmp_path / "c.ts", *parts)
    assert (probe(path).width, probe(path).height) == (96, 64)
    for _ in range(5):  # where PyAV stumbles depends on what its memory holds
        with open_video(path) as container:
            packets = list(demux(container, container.streams.video[0]))
        assert [bool(packet.size) for packet in packets] == [*[True] * FRAMES, False]


def _decoded(path: Path) -> tuple[list[np.ndarray], list[str], Damage | None]:
    lines: list[str] = []
    told: list[Damage] = []
    return [frame.data for frame in decode(probe(path), warn=lines.append, tell=told.append)], lines, (*told, None)[0]


@pytest.mark.parametrize(
    ("first", "second"),
    [("h264", "mpeg2video"), ("mpeg2video", "h264"), ("h264", "hevc"), ("hevc", "h264"), ("mpeg2video", "hevc")],
)
@pytest.mark.parametrize("suffix", ["ts", "m2ts"])
def test_a_stream_whose_codec_changes_is_decoded_on(tmp_path: Path, first: str, second: str, suffix: str) -> None:
    parts = [_recording(tmp_path / f"{codec}.{suffix}", codec) for codec in (first, second)]
    frames, lines, damage = _decoded(_joined(tmp_path / f"c.{suffix}", *parts))
    wanted = [data for part in parts for data in _decoded(part)[0]]
    assert any(f"from {first} to {second}: decoded as it changes" in line for line in lines)
    assert len(wanted) - 2 <= len(frames) <= len(wanted)  # libavformat drops a picture or two where a codec ends
    assert (damage.missing if damage else 0) == len(wanted) - len(frames)
    assert np.array_equal(frames[FRAMES - 10], wanted[FRAMES - 10])
    assert all(map(np.array_equal, reversed(frames), reversed(wanted[-FRAMES:])))


def test_size_and_codec_may_change_at_once_and_back(tmp_path: Path) -> None:
    one = _recording(tmp_path / "a.ts", "h264", size="96x64")
    other = _recording(tmp_path / "b.ts", "mpeg2video", size="192x128")
    frames, lines, damage = _decoded(_joined(tmp_path / "c.ts", one, other, one))
    assert {data.shape for data in frames} in ({(64, 96, 3)}, {(128, 192, 3)})
    assert len(frames) + (damage.missing or 0 if damage else 0) == 3 * FRAMES
    assert len(frames) >= 3 * FRAMES - 4
    assert sum("decoded as it changes" in line for line in lines) == 2


@pytest.mark.parametrize("start", [0.5, 2.0, 4.0])
def test_a_part_of_a_stream_whose_codec_changes_is_found(tmp_path: Path, start: float) -> None:
    late = ["-output_ts_offset", str(FRAMES / 25)]
    parts = [_recording(tmp_path / "a.ts", "h264"), _recording(tmp_path / "b.ts", "mpeg2video", "mp2", *late)]
    path = _joined(tmp_path / "c.ts", *parts)
    whole = {frame.pts: frame.data for frame in decode(probe(path))}
    part = {frame.pts: frame.data for frame in decode(probe(path), start=start)}
    assert len(part) == pytest.approx(2 * FRAMES - start * 25, abs=2)
    assert all(np.array_equal(data, whole[pts]) for pts, data in part.items())


def test_a_pipe_whose_codec_changes_is_decoded_on(tmp_path: Path) -> None:
    parts = [_recording(tmp_path / f"{codec}.ts", codec) for codec in ("h264", "hevc")]
    path = _joined(tmp_path / "c.ts", *parts)
    command = [sys.executable, "-m", "vsrcli", "upscale", "-", "-m", "repvsr.real", "-o", str(tmp_path / "o.mkv")]
    with path.open("rb") as source:
        done = subprocess.run([*command, "--preset", "ultrafast"], stdin=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "standard input: its codec changes" in done.stderr
    assert 2 * FRAMES - 2 <= len(list(decode(probe(tmp_path / "o.mkv")))) <= 2 * FRAMES


@pytest.mark.parametrize("how", [NUMBERS, PROGRAM])
def test_a_stream_that_begins_midway_is_told(tmp_path: Path, how: list[str]) -> None:
    parts = [_recording(tmp_path / "a.ts", "h264"), _recording(tmp_path / "b.ts", "mpeg2video", "mp2", *how)]
    path = _joined(tmp_path / "c.ts", *parts)
    frames, lines, damage = _decoded(path)
    assert len(frames) == FRAMES and len(lines) == 1
    assert f"{FRAMES} frames (mpeg2video) in a stream that begins at byte" in lines[0]
    assert damage is not None and damage == Damage.from_plain(json.loads(json.dumps(damage.plain())))
    (unread,) = damage.unread
    assert (unread.kind, unread.codec, unread.packets) == ("video", "mpeg2video", FRAMES)
    cut = tmp_path / "d.ts"
    cut.write_bytes(path.read_bytes()[parts[0].stat().st_size :])
    assert parts[0].stat().st_size <= unread.begin < parts[0].stat().st_size + 2000
    assert len(_decoded(cut)[0]) == FRAMES


def test_sound_whose_codec_changes_is_told(tmp_path: Path) -> None:
    parts = [_recording(tmp_path / "a.ts", "h264", "aac"), _recording(tmp_path / "b.ts", "h264", "ac3")]
    _, lines, damage = _decoded(_joined(tmp_path / "c.ts", *parts))
    assert sum("the sound in a" in line for line in lines) == 1
    assert damage is not None and [one.kind for one in damage.unread] == ["audio"]


def test_several_programs_side_by_side_are_no_damage(tmp_path: Path) -> None:
    one, other = _recording(tmp_path / "a.ts", "h264"), _recording(tmp_path / "b.ts", "mpeg2video", size="192x128")
    path = tmp_path / "c.ts"
    make.ffmpeg("-i", one, "-i", other, "-map", "0", "-map", "1", "-c", "copy", "-program", "program_num=1:st=0:st=1",
                "-program", "program_num=2:st=2:st=3", path)  # fmt: skip
    frames, lines, damage = _decoded(path)
    assert (len(frames), lines, damage) == (FRAMES, [], None)


def test_tables_are_found_behind_damage_and_not_believed_with_a_wrong_checksum(tmp_path: Path) -> None:
    parts = [_recording(tmp_path / "a.ts", "h264"), _recording(tmp_path / "b.ts", "mpeg2video")]
    data = _joined(tmp_path / "c.ts", *parts).read_bytes()
    begin = parts[0].stat().st_size

    def codecs(changed: bytes) -> list[str]:
        path = tmp_path / "d.ts"
        path.write_bytes(changed)
        tables = Tables(path)
        tables.read()
        return [part.codec for part in tables.parts if part.pid == 256 and part.packets > 1]

    assert codecs(data) == ["h264", "mpeg2video"]
    assert codecs(b"\x47junk" * 50 + data[:begin] + b"junk" * 101 + data[begin:]) == ["h264", "mpeg2video"]
    place = data.index(b"\x02\xe1\x00\xf0", begin)  # the type of the second part's picture
    assert codecs(data[:place] + b"\x24" + data[place + 1 : place + 1000]) == ["h264"]


@pytest.mark.parametrize("suffix", ["avi", "mpg", "wmv"])
def test_a_second_video_without_all_its_times_is_left_out(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    make.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=1", "-map", "0", "-map", "0", "-pix_fmt", "yuv420p",
                "-c:v", "libx264", path)  # fmt: skip
    (placed,) = place_streams(probe(path), tmp_path / "b.mkv")
    assert placed.codec is None and placed.note is not None and "left out" in placed.note
