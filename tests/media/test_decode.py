"""Every frame, each at its time: against a second ffmpeg, on real tiny files."""

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.media import make
from vsrcli.errors import InputError
from vsrcli.frame import Frame
from vsrcli.media.read.decode import decode
from vsrcli.media.read.probe import probe

BFRAMES = {"bf": "3", "g": "12"}
KINDS = {
    "mp4": ("libx264", "yuv420p", BFRAMES),
    "mkv": ("ffv1", "yuv444p", {}),
    "webm": ("libvpx-vp9", "yuv420p", {"deadline": "realtime", "cpu-used": "8"}),
    "ts": ("libx264", "yuv420p", BFRAMES),
    "avi": ("mpeg4", "yuv420p", {"bf": "2"}),
    "264": ("libx264", "yuv420p", BFRAMES),
    "mpg": ("mpeg2video", "yuv420p", {"bf": "2"}),
    "mov": ("prores_ks", "yuv422p10le", {}),
    "gif": ("gif", "rgb8", {}),
}


def _all(path: Path, **options: object) -> tuple[list[Frame], list[str]]:
    warnings: list[str] = []
    return list(decode(probe(path), warn=warnings.append, **options)), warnings  # type: ignore[arg-type]


def _pts(frames: list[Frame]) -> list[int]:
    return [frame.pts for frame in frames]


@pytest.mark.parametrize("suffix", KINDS)
def test_all_frames_or_any_part_are_decoded_with_their_timestamps(tmp_path: Path, suffix: str) -> None:
    codec, pix_fmt, options = KINDS[suffix]
    path = make.video(tmp_path / f"a.{suffix}", codec=codec, pix_fmt=pix_fmt, options=options, frames=40)
    info = probe(path)
    frames, warnings = _all(path)
    assert _pts(frames) == [pts for pts, _ in make.second_opinion(path)]
    assert [frame.number for frame in frames] == list(range(40))
    assert warnings == []
    for frame in frames:
        assert np.abs(frame.data / np.iinfo(frame.data.dtype).max * 255 - make.pattern(frame.number)).mean() < 24
    part, _ = _all(path, start=0.8, end=1.2)
    begin = round(info.start_time / info.time_base)
    chosen = [f for f in frames if 0.799 < (f.pts - begin) * info.time_base < 1.199]
    assert len(chosen) == 10
    assert _pts(part) == _pts(chosen)
    assert [frame.number for frame in part] == list(range(10))
    assert all(np.array_equal(one.data, other.data) for one, other in zip(part, chosen, strict=True))


def test_variable_frame_rate_keeps_each_timestamp_and_duration(tmp_path: Path) -> None:
    pts = [0, 7, 40, 41, 99, 100, 250, 251, 999, 1500]
    path = make.video(tmp_path / "a.mkv", codec="ffv1", pts=pts, time_base=Fraction(1, 1000))
    frames, _ = _all(path)
    assert _pts(frames) == pts
    assert all(frame.duration > 0 for frame in frames)
    path = make.video(tmp_path / "a.mp4", pts=pts, time_base=Fraction(1, 1000), options={"bf": "3"})
    info = probe(path)
    frames, _ = _all(path)
    assert [frame.pts * info.time_base for frame in frames] == [Fraction(p, 1000) for p in pts]
    assert [f.duration * info.time_base for f in frames[:-1]] == [
        Fraction(after - before, 1000) for before, after in pairwise(pts)
    ]


def test_deep_sources_come_as_sixteen_bits(tmp_path: Path) -> None:
    frames, _ = _all(make.video(tmp_path / "a.mkv", codec="ffv1", pix_fmt="yuv444p10le", frames=2))
    assert frames[0].data.dtype == np.uint16
    assert np.abs(frames[0].data / 257 - make.pattern(0)).max() < 2.5


def test_a_truncated_file_gives_all_its_frames_and_a_warning(tmp_path: Path) -> None:
    whole, fast, cut = (
        make.video(tmp_path / "v.mp4", frames=60, options={"g": "10"}),
        tmp_path / "f.mp4",
        tmp_path / "c.mp4",
    )
    make.ffmpeg("-i", whole, "-c", "copy", "-movflags", "+faststart", fast)
    data = fast.read_bytes()
    cut.write_bytes(data[: len(data) * 6 // 10])
    frames, warnings = _all(cut)
    assert _pts(frames) == [pts for pts, _ in make.second_opinion(cut)]
    assert 5 < len(frames) < 60
    assert any("cut off" in line for line in warnings)


def test_a_truncated_matroska_file_gives_a_warning(tmp_path: Path) -> None:
    whole, cut = make.video(tmp_path / "v.mkv", frames=75, options={"g": "10"}), tmp_path / "c.mkv"
    data = whole.read_bytes()
    cut.write_bytes(data[: len(data) // 2])
    assert _all(whole)[1] == []
    assert any("is cut off" in line for line in _all(cut)[1])


def test_frames_dropped_in_capture_are_not_reported_as_missing(tmp_path: Path) -> None:
    captured = make.video(tmp_path / "a.avi", frames=5, codec="mpeg4", pts=[0, 1, 3, 4, 7], time_base=Fraction(1, 25))
    frames, warnings = _all(captured)
    assert _pts(frames) == [pts for pts, _ in make.second_opinion(captured)] == [0, 1, 3, 4, 7]
    assert warnings == []


def test_a_part_with_restarting_timestamps_warns_about_sound(tmp_path: Path) -> None:
    picture = make.video(tmp_path / "a.mp4", frames=30)
    make.ffmpeg("-i", picture, "-f", "lavfi", "-i", "sine=duration=1.2", "-c:v", "copy", tmp_path / "a.ts")
    one = (tmp_path / "a.ts").read_bytes()
    (tmp_path / "joined.ts").write_bytes(one + one)
    lines: list[str] = []
    assert list(decode(probe(tmp_path / "joined.ts"), end=1.5, warn=lines.append))
    assert any("sound and subtitles are joined only where all of it is upscaled" in line for line in lines)


def test_damage_in_the_middle_is_skipped_as_ffmpeg_does(tmp_path: Path) -> None:
    path = make.video(tmp_path / "v.avi", codec="mpeg4", frames=60)
    data = bytearray(path.read_bytes())
    for place in np.random.default_rng(3).integers(len(data) // 4, len(data) * 3 // 4, 40):
        data[place] ^= 0x5A
    path.write_bytes(data)
    frames, warnings = _all(path)
    assert _pts(frames) == [pts for pts, _ in make.second_opinion(path)]
    assert 0 < len(frames) < 60
    assert "damaged" in warnings[0]


def test_a_file_without_decodable_frames_is_an_input_error(tmp_path: Path) -> None:
    whole, fast, cut = make.video(tmp_path / "v.mp4"), tmp_path / "f.mp4", tmp_path / "c.mp4"
    make.ffmpeg("-i", whole, "-c", "copy", "-movflags", "+faststart", fast)
    data = fast.read_bytes()
    cut.write_bytes(data[: data.index(b"mdat") + 40])
    with pytest.raises(InputError, match="not one frame"):
        _all(cut)


def test_restarting_timestamps_are_joined(tmp_path: Path) -> None:
    one = make.video(tmp_path / "a.ts", frames=30).read_bytes()
    joined = tmp_path / "joined.ts"
    joined.write_bytes(one + one)
    frames, warnings = _all(joined)
    assert len(frames) == 60
    assert all(after > before for before, after in pairwise(_pts(frames)))
    assert frames[-1].pts - frames[0].pts == pytest.approx(59 * 3600, abs=3 * 3600)
    assert any("clock jumps back" in line for line in warnings)


def test_a_change_of_size_is_scaled_to_the_largest(tmp_path: Path) -> None:
    large = make.video(tmp_path / "a.ts", frames=10, width=64, height=48).read_bytes()
    small = make.video(tmp_path / "b.ts", frames=10, width=96, height=64, pts=range(10, 20)).read_bytes()
    joined = tmp_path / "joined.ts"
    joined.write_bytes(large + small)
    frames, warnings = _all(joined)
    assert {frame.data.shape for frame in frames} == {(64, 96, 3)}
    assert len(frames) == 20
    assert any("frames are 64x48 from 0.00 s on: scaled to 96x64" in line for line in warnings)


def test_skipped_frames_are_counted(tmp_path: Path) -> None:
    path = make.video(tmp_path / "a.mp4", frames=12, options=BFRAMES)
    frames, _ = _all(path)
    rest, _ = _all(path, skip=5)
    assert [(frame.number, frame.pts) for frame in rest] == [(frame.number, frame.pts) for frame in frames[5:]]
    assert all(np.array_equal(one.data, other.data) for one, other in zip(rest, frames[5:], strict=True))


def _combing(frames: list[Frame]) -> float:
    """How much more neighbouring rows differ than rows two apart do, in the frames' middle."""
    green = np.stack([frame.data[..., 1].astype(float) for frame in frames[2:-2]])
    near = np.abs(green[:, 1:-1] - green[:, :-2]).mean()
    far = np.abs(green[:, 2:] - green[:, :-2]).mean()
    return float(near / far)


def test_interlaced_frames_are_deinterlaced_one_for_one(tmp_path: Path) -> None:
    path = make.interlaced(tmp_path / "i.mpg")
    combed, _ = _all(path, deinterlace="off")
    clean, _ = _all(path)
    assert _pts(clean) == _pts(combed) == [pts for pts, _ in make.second_opinion(path)]
    assert [f.duration for f in clean] == [f.duration for f in combed]
    assert _combing(combed) > 1.2
    assert _combing(clean) < 1.0


def test_deinterlacing_can_be_forced_and_progressive_video_is_left_alone(tmp_path: Path) -> None:
    path = make.combed_but_not_flagged(tmp_path / "c.mkv")
    left, _ = _all(path, deinterlace="auto")
    assert _combing(left) > 1.2
    for way in ("on", "woven"):
        forced, _ = _all(path, deinterlace=way)
        assert _pts(forced) == _pts(left)
        assert _combing(forced) < 1.0


def test_real_files_decode_as_in_a_second_decoder(shared: Path) -> None:
    for name, count in (("phone_rotated_vfr.mp4", 23), ("bear_vp9_opus.webm", 82)):
        path = shared / "data/real" / name
        frames, warnings = _all(path)
        assert (len(frames), warnings) == (count, [])
        assert _pts(frames) == [pts for pts, _ in make.second_opinion(path)]


def test_pts_stored_in_decoding_order_are_sorted(shared: Path) -> None:
    path = shared / "data/train/aquarium.wmv"  # VC-1 with B-frames in ASF
    frames, _ = _all(path, end=0.6)
    assert len(frames) > 10
    assert _pts(frames) == [pts for pts, _ in make.second_opinion(path, "-t", "1")][: len(frames)]


def test_the_last_picture_of_times_in_decoding_order_has_its_full_step(shared: Path) -> None:
    frames, _ = _all(shared / "data/train/aquarium.wmv", start=12.0)
    assert {after - before for before, after in pairwise(_pts(frames))} == {40}
    assert frames[-1].duration == 40


def test_a_span_counts_from_the_first_frame_where_the_container_tells_no_start(tmp_path: Path) -> None:
    path = make.video(tmp_path / "a.asf", codec="mpeg4", options={"bf": "2"}, frames=8)
    info = probe(path)
    whole, _ = _all(path)
    begin = whole[0].pts * info.time_base
    assert info.start_time == pytest.approx(float(begin)) and begin > 0 and info.late == 0
    assert _pts(_all(path, end=0.1)[0]) == _pts(whole[:3])
    assert _pts(_all(path, start=0.1)[0]) == _pts(whole[3:])


def test_a_coarse_clock_takes_no_frame_from_a_span(tmp_path: Path) -> None:
    pts = [0, 1, 5, 6, 7, 8]  # a hole, at 18 frames a second
    path = make.video(tmp_path / "a.avi", codec="mpeg4", rate=Fraction(18), pts=pts, frames=6)
    assert [round(float(f.pts / Fraction(18)), 3) for f in _all(path, end=0.3)[0]] == [0.0, 0.056, 0.278]
    assert [round(float(f.pts / Fraction(18)), 3) for f in _all(path, start=0.334)[0]] == [0.333, 0.389, 0.444]
