"""Joined broadcasts: streams that go on in another codec, under another number, in another program."""

from pathlib import Path

import pytest

from tests.media import make
from vsrcli.media.opening import demux, open_video
from vsrcli.media.read.probe import probe

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
