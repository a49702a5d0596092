"""A flipped bit is told, whatever the codec, where the container has checksums: decoders notice few of them."""

from pathlib import Path

import av
import numpy as np
import pytest

from tests.command import vsr
from tests.media import make
from vsrcli.media.read.damage import Damage
from vsrcli.media.read.decode import decode
from vsrcli.media.read.probe import probe
from vsrcli.media.read.structure import Structure, examine

FRAMES = 24
ENCODERS = {
    "h264": ["libx264", "-preset", "ultrafast", "-g", "12"],
    "hevc": ["libx265", "-preset", "ultrafast", "-g", "12", "-x265-params", "log-level=none"],
    "vp8": ["libvpx", "-deadline", "realtime", "-g", "12"],
    "vp9": ["libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "12"],
    "av1": ["libsvtav1", "-preset", "10", "-g", "12"],
    "mpeg4": ["mpeg4", "-g", "12"],
    "mpeg2": ["mpeg2video", "-g", "12"],
    "prores": ["prores_ks"],
    "mjpeg": ["mjpeg"],
}


def _film(path: Path, codec: str, *options: str) -> Path:
    source = ["-f", "lavfi", "-i", "testsrc2=s=128x96:r=25", "-f", "lavfi", "-i", "sine"]
    make.ffmpeg(
        *source, "-frames:v", str(FRAMES), "-t", str(FRAMES / 25), "-pix_fmt", "yuv420p" if codec != "prores" else
        "yuv422p10le", "-c:v", *ENCODERS[codec], "-c:a", "flac", "-cluster_time_limit", "400", *options, path,
    )  # fmt: skip
    return path


def _flip(path: Path, *, kind: str = "video", number: int = 15) -> float:
    """Flip a bit in the middle of a packet, and return its time."""
    with av.open(str(path)) as container:
        stream = container.streams.get({kind: 0})[0]
        packet = [packet for packet in container.demux(stream) if packet.size][number]
        whole, time = bytes(packet), float((packet.pts or 0) * (packet.time_base or 0))
    data = bytearray(path.read_bytes())
    begin = min(16, len(whole) // 2)  # a demuxer may have put a header of its own in front
    data[data.index(whole[begin:]) - begin + len(whole) * 2 // 3] ^= 0x10
    path.write_bytes(data)
    return time


def _told(path: Path) -> tuple[list[str], Damage | None, np.ndarray]:
    lines: list[str] = []
    damage: list[Damage] = []
    frames = np.stack([frame.data for frame in decode(probe(path), warn=lines.append, tell=damage.append)])
    return lines, damage[0] if damage else None, frames


@pytest.mark.parametrize("codec", ENCODERS)
def test_a_flipped_bit_is_told_for_every_codec(tmp_path: Path, codec: str) -> None:
    path = _film(tmp_path / "a.mkv", codec)
    lines, damage, clean = _told(path)
    assert (lines, damage) == ([], None), "a sound file is not suspected"
    time = _flip(path)
    lines, damage, frames = _told(path)
    assert len(lines) == 1 and "the checksum of 1 part of the file is wrong" in lines[0]
    assert damage is not None and damage.wrong_checksums == 1 and damage.plain()["wrong_checksums"] == 1
    assert damage.first_wrong is not None and time - 0.5 <= damage.first_wrong <= time
    assert len(frames) < len(clean) or not np.array_equal(frames, clean), "it shows"


def test_a_flipped_bit_in_the_sound_is_told_too(tmp_path: Path) -> None:
    path = _film(tmp_path / "a.mkv", "h264")
    _flip(path, kind="audio", number=3)
    lines, damage, _ = _told(path)
    assert len(lines) == 1 and damage is not None and (damage.concealed, damage.wrong_checksums) == (0, 1)


def test_files_without_checksums_are_not_suspected(tmp_path: Path) -> None:
    path = _film(tmp_path / "a.mkv", "mpeg4", "-write_crc32", "0")
    assert _told(path)[:2] == ([], None)
    _flip(path, kind="audio", number=3)
    assert examine(path, "matroska,webm") == Structure()


@pytest.mark.parametrize("codec", ["mpeg4", "mpeg2", "h264"])
def test_without_checksums_a_decoder_that_notices_is_heard(tmp_path: Path, codec: str) -> None:
    path = _film(tmp_path / "a.mkv", codec)
    make.ffmpeg("-i", path, "-map", "0:v", "-c", "copy", tmp_path / "b.mp4")
    noticed = 0
    whole = (tmp_path / "b.mp4").read_bytes()
    for number in range(4, 20, 2):
        (tmp_path / "b.mp4").write_bytes(whole)
        _flip(tmp_path / "b.mp4", number=number)
        noticed += _told(tmp_path / "b.mp4")[1] is not None
    assert noticed >= 2


def test_a_job_tells_and_goes_on(tmp_path: Path, tiny_model: str) -> None:
    path = _film(tmp_path / "a.mkv", "hevc")
    _flip(path)
    done = vsr("upscale", path, "-o", tmp_path / "b.mkv", "-m", tiny_model, "--device", "cpu", "--json")
    assert done.returncode == 0, done.stderr
    assert '"wrong_checksums": 1' in done.stdout and "checksum of 1 part of the file is wrong" in done.stderr
