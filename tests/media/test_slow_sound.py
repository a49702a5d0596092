"""Stretched and converted sound stays with the picture: behind a pause, in a part, and where recordings are joined."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.media import make
from vsrcli.media.info import VideoInfo
from vsrcli.media.read.decode import decode
from vsrcli.media.read.joins import Join
from vsrcli.media.read.probe import probe
from vsrcli.media.write.assemble import assemble
from vsrcli.media.write.codecs import choose_settings
from vsrcli.media.write.encode import SegmentWriter
from vsrcli.pipeline.jobs.job import with_sound

BEEPS = (0.4, 1.6)
SPREAD = 0.06
"""Seconds by which atempo spreads a beep, for twice the length."""


def source(path: Path, *arguments: str) -> Path:
    beeps = "+".join(f"between(t,{at},{at}+0.06)" for at in BEEPS)
    make.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=2", "-f", "lavfi",
                "-i", f"aevalsrc='if({beeps},sin(2*PI*1000*t),0)':s=48000:d=2",
                "-pix_fmt", "yuv420p", *arguments, path)  # fmt: skip
    return path


def beeps(path: Path) -> list[float]:
    """Return when the first sound begins to be heard, each time, in seconds."""
    found: list[float] = []
    last = -1.0
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            wave = np.abs(frame.to_ndarray().astype(float).reshape(-1, frame.samples)).max(0)
            wave /= 1 << (frame.format.bytes * 8 - 1) if frame.format.name[0] == "s" else 1
            for sample in np.flatnonzero(wave > 0.2):
                time = float(frame.time or 0) + sample / frame.sample_rate
                if time - last > 0.1:
                    found.append(time)
                last = time
    return found


def result(
    info: VideoInfo, output: Path, *, slow: int = 1, start: float | None = None, end: float | None = None
) -> None:
    """Go the way to `output` without the net."""
    shown = info.slower(Fraction(slow))
    settings = choose_settings(shown, output, width=64, height=48, codec="h264", preset="ultrafast")
    segment, joins = output.with_suffix(".segment"), list[Join]()
    with SegmentWriter(segment, shown, settings) as writer:
        for frame in decode(info, start=start, end=end, joined=joins.extend):
            writer.write(frame)
    assemble([segment], shown, settings, output, start=start, end=end, joins=joins, warn=lambda line: None)


def with_pause(folder: Path) -> Path:
    whole = source(folder / "whole.mkv", "-c:a", "aac")
    drop = r"noise=drop=between(pts*tb\,0.7\,1.3)"
    make.ffmpeg("-i", whole, "-map", "0", "-c", "copy", "-bsf:a", drop, folder / "pause.mkv")
    return folder / "pause.mkv"


@pytest.mark.parametrize("slow", [2, 3])
def test_sound_behind_a_pause_stays_with_the_picture(tmp_path: Path, slow: int) -> None:
    path = with_pause(tmp_path)
    assert beeps(path) == pytest.approx(BEEPS, abs=0.03)
    result(probe(path), tmp_path / "out.mkv", slow=slow)
    assert beeps(tmp_path / "out.mkv") == pytest.approx([at * slow for at in BEEPS], abs=SPREAD * slow)


@pytest.mark.parametrize(("slow", "audio"), [(2, "copy"), (1, "flac"), (1, "opus")])
def test_sound_of_a_part_begins_and_ends_with_it(tmp_path: Path, slow: int, audio: str) -> None:
    info = with_sound(probe(source(tmp_path / "in.mkv", "-c:a", "aac")), audio)  # type: ignore[arg-type]
    result(info, tmp_path / "out.mkv", slow=slow, start=0.32, end=1.8)
    wanted = [(at - 0.32) * slow for at in BEEPS]
    assert beeps(tmp_path / "out.mkv") == pytest.approx(wanted, abs=SPREAD * slow)


def test_joined_recordings_are_slowed_with_their_sound(tmp_path: Path) -> None:
    parts = [source(tmp_path / f"{at}.ts", "-output_ts_offset", str(at)) for at in (100, 20)]
    joined = tmp_path / "joined.ts"
    joined.write_bytes(b"".join(part.read_bytes() for part in parts))
    result(probe(joined), tmp_path / "out.mkv", slow=2)
    with av.open(str(tmp_path / "out.mkv")) as container:
        begin = float(next(container.decode(video=0)).time or 0)
    wanted = [2 * (part + at) for part in (0, 2) for at in BEEPS]
    assert [time - begin for time in beeps(tmp_path / "out.mkv")] == pytest.approx(wanted, abs=0.15)
