"""Recordings joined end to end: where the clock jumps, sound goes on with the picture."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from tests.media import make
from vsrcli.media.read.decode import decode
from vsrcli.media.read.joins import Join
from vsrcli.media.read.probe import probe
from vsrcli.media.write.assemble import assemble
from vsrcli.media.write.codecs import choose_settings
from vsrcli.media.write.encode import SegmentWriter

RATE = 48000


def _recording(path: Path, offset: int, tone: int, *codecs: str) -> bytes:
    """20 frames, and a tone as long."""
    make.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=0.8", "-f", "lavfi",
                "-i", f"sine=frequency={tone}:duration=0.8:sample_rate={RATE}", "-pix_fmt", "yuv420p", *codecs,
                "-output_ts_offset", str(offset), path)  # fmt: skip
    return path.read_bytes()


def _result(source: Path, output: Path) -> list[str]:
    """The way from `source` to `output` without the net; returns the warnings."""
    info = probe(source)
    settings = choose_settings(info, output, width=64, height=48, codec="h264", preset="ultrafast")
    segment = output.with_suffix(".segment")
    lines: list[str] = []
    joins: list[Join] = []
    times: list[int] = []
    with SegmentWriter(segment, info, settings) as writer:
        for frame in decode(info, warn=lines.append, joined=joins.extend):
            writer.write(frame)
            times.append(frame.pts)
    assemble([segment], info, settings, output, pts=times, joins=joins, warn=lines.append)
    return lines


def _picture_times(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [float(frame.time or 0) for frame in container.decode(video=0)]


def _tone_changes(path: Path) -> float:
    """When the sound's tone changes from 440 to 1760 Hz or back, to 10 ms; its times may not jump."""
    with av.open(str(path)) as container:
        frames = list(container.decode(audio=0))
    begin = float(frames[0].time or 0)
    for frame, after in pairwise(frames):
        assert float((after.time or 0) - (frame.time or 0)) == pytest.approx(frame.samples / RATE, abs=0.06)
    mono = av.AudioResampler("s16p", "mono", RATE)
    wave = np.concatenate([part.to_ndarray()[0] for frame in frames for part in mono.resample(frame)])
    crossings = [np.count_nonzero(np.diff(np.sign(part))) for part in np.array_split(wave, len(wave) // 480)]
    high = np.array(crossings) > 20
    return begin + 0.01 * (11 + int(np.argmax(high[10:] != high[10])))


H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2")


@pytest.mark.parametrize("offsets", [(0, 20), (20, 0), (5, 5)])
@pytest.mark.parametrize(
    ("suffix", "codecs", "output"),
    [(".ts", (*H264, "-c:a", "aac"), ".mkv"), (".mpg", ("-c:v", "mpeg2video", "-c:a", "mp2"), ".mp4"),
     (".m2ts", (*H264, "-c:a", "pcm_bluray", "-ac", "2", "-mpegts_m2ts_mode", "1"), ".mkv")],
)  # fmt: skip
def test_sound_stays_in_sync_after_a_join(
    tmp_path: Path, suffix: str, codecs: Sequence[str], output: str, offsets: tuple[int, int]
) -> None:
    parts = [
        _recording(tmp_path / f"{n}{suffix}", o, t, *codecs) for n, o, t in zip("ab", offsets, (440, 1760), strict=True)
    ]
    source, result = tmp_path / f"joined{suffix}", tmp_path / f"out{output}"
    source.write_bytes(b"".join(parts))
    lines = _result(source, result)
    assert len([line for line in lines if "joined there" in line]) == 1
    assert not any("missing" in line for line in lines)
    times = _picture_times(result)
    assert len(times) == 40
    assert np.diff(times) == pytest.approx(0.04, abs=0.002)
    assert _tone_changes(result) == pytest.approx(times[20], abs=0.06)


def test_a_pause_in_the_video_track_is_kept(tmp_path: Path) -> None:
    picture = make.video(tmp_path / "v.mkv", frames=50, pts=[*range(25), *range(300, 325)])
    make.ffmpeg("-i", picture, "-f", "lavfi", "-i", "sine=d=13", "-c:v", "copy", "-c:a", "mp2", tmp_path / "a.ts")
    info = probe(tmp_path / "a.ts")
    lines: list[str] = []
    frames = list(decode(info, warn=lines.append))
    assert Fraction(frames[25].pts - frames[24].pts) * info.time_base == Fraction(276, 25)
    assert not any("joined" in line for line in lines)
