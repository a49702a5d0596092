"""The timecode of a result's first frame, also where it begins later in the source or has another rate."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest

import vsrcli
from tests.command import vsr
from tests.media import make
from vsrcli.media.read.probe import probe
from vsrcli.media.write.timecode import timecode_at

PAL, NTSC = Fraction(25), Fraction(30000, 1001)


@pytest.mark.parametrize(
    ("code", "offset", "old", "new", "wanted"),
    [
        ("01:00:00:00", Fraction(13, 25), PAL, PAL, "01:00:00:13"),
        ("23:59:59:24", Fraction(1, 25), PAL, PAL, "00:00:00:00"),
        ("00:00:59;29", 1 / NTSC, NTSC, NTSC, "00:01:00;02"),  # drop-frame has no 00:01:00;00
        ("00:09:59;29", 1 / NTSC, NTSC, NTSC, "00:10:00;00"),
        ("00:00:00;00", Fraction(3600), NTSC, NTSC, "01:00:00;00"),  # what drop-frame is for
        ("00:00:00:00", Fraction(3600), NTSC, NTSC, "00:59:56:12"),
        ("01:00:00:10", Fraction(0), PAL, 2 * PAL, "01:00:00:20"),
        ("01:00:00;10", Fraction(0), NTSC, 2 * NTSC, "01:00:00;20"),
        ("no timecode", Fraction(1), PAL, PAL, "no timecode"),
    ],
)
def test_timecodes_count_frames(code: str, offset: Fraction, old: Fraction, new: Fraction, wanted: str) -> None:
    assert timecode_at(code, offset, old, new) == wanted


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("coded") / "in.mov"
    source = ["-f", "lavfi", "-i", "testsrc2=s=48x32:r=25", "-frames:v", "20"]
    make.ffmpeg(*source, "-c:v", "prores_ks", "-timecode", "10:20:30:10", path)
    return path


@pytest.mark.parametrize(
    ("options", "wanted"), [({}, "10:20:30:10"), ({"start": 0.4}, "10:20:30:20"), ({"fps": "2x"}, "10:20:30:20")]
)
@pytest.mark.parametrize("suffix", [".mov", ".mkv"])
def test_a_result_has_the_timecode_of_its_first_frame(
    coded: Path, tmp_path: Path, tiny_model: str, options: dict[str, Any], wanted: str, suffix: str
) -> None:
    output = tmp_path / f"out{suffix}"
    vsrcli.upscale(coded, output, model=tiny_model, scale=1, **options)
    with av.open(str(output)) as container:
        tags = {key.lower(): value for key, value in container.streams.video[0].metadata.items()}
    assert tags["timecode"] == wanted


def test_the_reel_name_goes_along_or_is_told(tmp_path: Path, tiny_model: str) -> None:
    source = tmp_path / "in.mov"
    picture = ["-f", "lavfi", "-i", "testsrc2=s=48x32:r=25", "-frames:v", "3", "-c:v", "prores_ks"]
    make.ffmpeg(*picture, "-timecode", "10:20:30:10", "-metadata:s:v", "reel_name=A001", source)
    assert "timecode  10:20:30:10 of reel A001\n" in vsr("info", source).stdout
    for before, name in ((source, "a.mov"), (source, "b.mkv"), (tmp_path / "b.mkv", "c.mov")):
        made = vsrcli.upscale(before, tmp_path / name, model=tiny_model, scale=1)
        assert not any("reel" in line for line in made.warnings)
        found = probe(made.output)
        assert (found.timecode, found.reel) == ("10:20:30:10", "A001")
    for name in ("d.mp4", "d.avi"):
        made = vsrcli.upscale(source, tmp_path / name, model=tiny_model, scale=1, codec="h264")
        suffix = made.output.suffix
        assert [line for line in made.warnings if "reel" in line] == [
            f"{suffix} cannot hold the reel name A001: left out"
        ]
        assert probe(made.output).timecode == "10:20:30:10"
