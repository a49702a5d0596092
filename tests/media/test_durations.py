"""Every frame of the final file is shown as long as in the source, the last one too."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest

from tests.media import make
from tests.media.test_assemble import enlarge

UNEVEN = [0, 40, 61, 100, 160, 170, 200, 320, 340, 400]  # ms
MILLISECOND = Fraction(1, 1000)


def shown(path: Path) -> list[tuple[int, int]]:
    """When each frame is shown and how long, in milliseconds, as the container says."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        tick = Fraction(stream.time_base or 0) / MILLISECOND
        packets = [packet for packet in container.demux(stream) if packet.size]
        return sorted((round((p.pts or 0) * tick), round((p.duration or 0) * tick)) for p in packets)


def delays(path: Path) -> list[int]:
    """The delays in the graphic control extensions of a GIF, in milliseconds."""
    data = path.read_bytes()
    parts = data.split(b"\x21\xf9\x04")[1:]
    return [10 * int.from_bytes(part[1:3], "little") for part in parts]


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.mkv", "h264"),
        ("a.mkv", "hevc"),
        ("a.mkv", "ffv1"),
        ("a.mkv", "prores"),
        ("a.webm", "vp9"),
        ("a.webm", "av1"),
        ("a.mp4", "av1"),
    ],
)
@pytest.mark.parametrize("tick", [MILLISECOND, Fraction(1, 90000)])
def test_uneven_durations_are_kept(tmp_path: Path, name: str, codec: str, tick: Fraction) -> None:
    source, output = tmp_path / ("in.mkv" if tick == MILLISECOND else "in.mp4"), tmp_path / name
    ticks = [round(time * MILLISECOND / tick) for time in UNEVEN]
    make.video(source, width=32, height=24, frames=len(UNEVEN), pts=ticks, time_base=tick, options={"bf": "0"})
    # frames are reordered here
    assert enlarge(source, output, codec=codec, preset="veryfast" if codec in ("h264", "hevc") else None) == []
    found = shown(output)
    assert [time for time, _ in found] == UNEVEN
    assert [length for _, length in found[:-1]] == [after - before for before, after in pairwise(UNEVEN)]


@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_the_frame_before_a_gap_is_shown_until_the_next(tmp_path: Path, suffix: str) -> None:
    times = [40 * number for number in range(24) if not 10 <= number < 18]
    source, output = tmp_path / "in.mp4", tmp_path / f"out{suffix}"
    make.video(
        source, width=32, height=24, frames=len(times), pts=times, time_base=MILLISECOND, options={"bf": "2", "g": "9"}
    )
    enlarge(source, output, preset="medium")
    with av.open(str(output)) as container:
        found = [(round((f.time or 0) * 1000), f.duration * (f.time_base or 0)) for f in container.decode(video=0)]
    assert [time for time, _ in found] == times
    if suffix == ".mkv":  # MP4's are those between frames as they are coded
        assert found[9] == (360, Fraction(9, 25))
        assert [length for _, length in found[:9] + found[10:]] == [Fraction(1, 25)] * 15


@pytest.mark.parametrize(("begin", "last"), [([0, 4, 8], 50), ([0, 10, 30, 35], 7), ([0], 300), ([0, 4], 4)])
def test_the_last_frame_of_a_gif_keeps_its_duration(tmp_path: Path, begin: list[int], last: int) -> None:
    tick = Fraction(1, 100)
    still = make.video(
        tmp_path / "p.mkv", codec="ffv1", pix_fmt="bgr0", width=32, height=24, frames=len(begin), pts=begin,
        time_base=tick,
    )  # fmt: skip
    source, output = tmp_path / "in.gif", tmp_path / "out.gif"
    exact = ("-fps_mode", "passthrough", "-enc_time_base", "demux", "-final_delay", str(last))
    make.ffmpeg("-i", still, *exact, source)
    wanted = [10 * (after - before) for before, after in pairwise([*begin, begin[-1] + last])]
    assert delays(source) == wanted
    assert enlarge(source, output) == []
    assert delays(output) == wanted
    enlarge(source, tmp_path / "out.mkv")
    assert [length for _, length in shown(tmp_path / "out.mkv")] == wanted
