"""Damage is told in one line: holes, ends that are cut off, and what the decoder guessed."""

from pathlib import Path

import pytest

from tests.media import make
from vsrcli.media.read.damage import Damage
from vsrcli.media.read.decode import decode
from vsrcli.media.read.probe import probe
from vsrcli.media.read.structure import Structure, examine

FRAMES = 40
CODECS = {
    "mkv": ("libx264", {"bf": "2", "g": "8", "crf": "10"}),
    "mp4": ("libx264", {"bf": "2", "g": "8", "crf": "10"}),
    "flv": ("libx264", {"bf": "2", "g": "8", "crf": "10"}),
    "ts": ("libx264", {"bf": "2", "g": "8", "crf": "10"}),
    "webm": ("libvpx-vp9", {"deadline": "realtime", "cpu-used": "8", "g": "8", "b": "1M"}),
    "avi": ("mpeg4", {"bf": "2"}),
}


def _source(folder: Path, suffix: str) -> Path:
    if suffix == "ogg":
        make.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25", "-frames:v", str(FRAMES), path := folder / "a.ogv")
        return path
    codec, options = CODECS[suffix]
    path = make.video(folder / f"a.{suffix}", codec=codec, options=options, frames=FRAMES)
    if suffix == "mp4":  # the index in front, so that a cut leaves it
        make.ffmpeg("-i", path, "-c", "copy", "-movflags", "+faststart", path := folder / "b.mp4")
    return path


def _decoded(path: Path) -> tuple[int, list[str], Damage | None]:
    lines: list[str] = []
    told: list[Damage] = []
    count = len(list(decode(probe(path), warn=lines.append, tell=told.append)))
    return count, lines, told[0] if told else None


@pytest.mark.parametrize("suffix", [*CODECS, "ogg"])
def test_intact_files_report_no_damage(tmp_path: Path, suffix: str) -> None:
    path = _source(tmp_path, suffix)
    assert _decoded(path)[1:] == ([], None)
    assert examine(path, probe(path).container) == Structure()


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "flv", "webm", "avi", "ogg"])
@pytest.mark.parametrize("part", [0.97, 0.79])
def test_a_truncated_end_is_reported_however_short(tmp_path: Path, suffix: str, part: float) -> None:
    path = _source(tmp_path, suffix)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * part)])
    count, lines, damage = _decoded(path)
    assert len(lines) == 1 and "is cut off" in lines[0]
    assert damage is not None and damage.cut_bytes > 0
    if suffix in ("mkv", "mp4", "webm"):  # which claim how much there was
        assert count + (damage.missing or 0) == FRAMES


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "flv", "ts", "webm"])
def test_a_gap_is_reported_with_its_time(tmp_path: Path, suffix: str) -> None:
    path = _source(tmp_path, suffix)
    data = bytearray(path.read_bytes())
    size = len(data) // 8
    data[len(data) // 2 : len(data) // 2 + size] = bytes(size)
    path.write_bytes(data)
    count, lines, damage = _decoded(path)
    assert len(lines) == 1 and "is damaged" in lines[0]
    assert damage is not None and damage.missing
    assert count + damage.missing == pytest.approx(FRAMES, abs=2 if suffix == "flv" else 0)  # whose length is vague
    start, end = max(damage.gaps, key=lambda gap: gap[1] - gap[0])
    assert 0.3 < start < end <= FRAMES / 25


@pytest.mark.parametrize("also", [None, 0.3])
def test_frames_that_an_avi_lacks_at_its_end_have_a_place(tmp_path: Path, also: float | None) -> None:
    path = _source(tmp_path, "avi")
    data = bytearray(path.read_bytes())
    size = len(data) // 8
    data[-size:] = bytes(size)  # with the index
    if also is not None:
        place = int(len(data) * also)
        data[place : place + size] = bytes(size)
    path.write_bytes(data)
    count, lines, damage = _decoded(path)
    assert len(lines) == 1 and damage is not None and damage.missing
    begin, end = damage.gaps[-1]
    assert begin == pytest.approx(count / 25, abs=0.05) and end == pytest.approx(FRAMES / 25, abs=0.05)


def test_frames_that_the_decoder_concealed_are_counted(tmp_path: Path) -> None:
    path = _source(tmp_path, "mp4")
    data = bytearray(path.read_bytes())
    middle = data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 2
    data[middle : middle + 8] = b"\xff" * 8
    path.write_bytes(data)
    count, lines, damage = _decoded(path)
    assert count == FRAMES
    assert damage is not None and damage.concealed > 0
    assert "guessed by the decoder" in lines[0]


def test_a_wrong_ffv1_checksum_is_reported(tmp_path: Path) -> None:
    options = {"level": "3", "slicecrc": "1"}
    path = make.video(tmp_path / "a.mkv", codec="ffv1", pix_fmt="yuv444p", options=options, frames=8)
    assert _decoded(path) == (8, [], None)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    count, lines, damage = _decoded(path)
    assert damage is not None and damage.concealed == 1
    assert count == 8 and "1 frame is partly guessed" in lines[0]


def test_gaps_of_a_variable_rate_are_no_damage(tmp_path: Path) -> None:
    path = make.video(tmp_path / "a.mkv", frames=6, pts=[0, 1, 2, 20, 21, 60])
    assert _decoded(path) == (6, [], None)


def test_damage_is_written_as_plain_data_and_one_line() -> None:
    damage = Damage(9, 1, 0, 1, 0, ((0.4, 0.44),), 0, None, 0.4, None)
    assert damage.plain()["gaps"] == [[0.4, 0.44]]
    assert damage.line() == "is damaged: 1 of 10 frames is missing (from 0.40 to 0.44 s)"
