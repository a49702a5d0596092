"""Images as input and output: they keep their names and numbers, and what they cannot hold is said."""

import tempfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.command import vsr
from tests.media import make
from tests.pipeline.test_run import pictures, upscale
from tests.told import told
from vsrcli.errors import UsageError
from vsrcli.media.photo.images import write_png
from vsrcli.pipeline.options import Options


@pytest.fixture
def frames(film: Path, tmp_path: Path) -> Path:
    """Images 7 to 11, of which 10 is missing."""
    folder = tmp_path / "frames"
    folder.mkdir()
    make.ffmpeg("-i", film, "-frames:v", "5", "-start_number", "7", folder / "%04d.png")
    (folder / "0010.png").unlink()
    return folder


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_missing_numbers_stay_missing(frames: Path, tiny_model: str, tmp_path: Path) -> None:
    upscale(frames, tmp_path / "out" / "%03d.png", tiny_model)
    assert names(tmp_path / "out") == ["007.png", "008.png", "009.png", "011.png"]


def test_a_part_of_the_images_keeps_their_names(frames: Path, tiny_model: str, tmp_path: Path) -> None:
    upscale(frames, tmp_path / "folder", tiny_model, start=0.08)
    upscale(frames, tmp_path / "pattern" / "%04d.png", tiny_model, start=0.08)
    assert names(tmp_path / "folder") == names(tmp_path / "pattern") == ["0009.png", "0011.png"]


def test_one_image_gives_one_image(frames: Path, tiny_model: str, tmp_path: Path) -> None:
    result = upscale(frames / "0007.png", tmp_path / "large.png", tiny_model)
    assert result.size == (256, 192)
    assert pictures(tmp_path / "large.png").shape == (1, 192, 256, 3)
    assert vsr("upscale", frames / "0008.png", "-m", tiny_model, "-q").returncode == 0
    assert pictures(frames / "0008_x4.png").shape == (1, 192, 256, 3)
    assert not [name for name in names(frames) + names(tmp_path) if name.endswith(".vsr")]


def test_several_frames_cannot_become_one_image(film: Path, frames: Path, tiny_model: str, tmp_path: Path) -> None:
    for source in (film, frames):
        with told(UsageError, r"write -o .*large-%08d\.png"):
            upscale(source, tmp_path / "large.png", tiny_model)


def test_losses_of_image_output_are_reported(film: Path, tiny_model: str, tmp_path: Path) -> None:
    result = upscale(film, tmp_path / "out" / "%d.png", tiny_model, end=0.1)
    assert any("no sound" in line for line in result.warnings)
    assert names(tmp_path / "out") == ["1.png", "2.png", "3.png"]


def test_a_percent_sign_in_a_video_s_name_is_not_a_pattern(film: Path, tiny_model: str, tmp_path: Path) -> None:
    result = upscale(film, tmp_path / "100%d.mp4", tiny_model, end=0.1)
    assert result.output == tmp_path / "100%d.mp4"
    with av.open(str(result.output)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 3


def test_a_part_beyond_the_end_is_refused_and_leaves_no_file(film: Path, tiny_model: str, tmp_path: Path) -> None:
    before = names(tmp_path)
    with pytest.raises(UsageError, match="no frame"):
        upscale(film, tmp_path / "out.mp4", tiny_model, start=100.0)
    assert names(tmp_path) == before


@pytest.mark.parametrize("rate", ["0", "-25", "fast", "1/0"])
def test_invalid_frame_rates_are_refused(frames: Path, tiny_model: str, tmp_path: Path, rate: str) -> None:
    done = vsr("upscale", frames, "-o", tmp_path / "o.mp4", "-m", tiny_model, "--fps", rate)
    assert done.returncode == 2
    assert f"{rate} is not a frame rate" in done.stderr


def test_an_output_folder_on_another_disk_is_filled(frames: Path, tiny_model: str, tmp_path: Path) -> None:
    shm = Path("/dev/shm")
    if not shm.is_dir() or shm.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs a second file system")
    with tempfile.TemporaryDirectory(dir=shm) as elsewhere:
        (tmp_path / "out").symlink_to(elsewhere)
        result = upscale(frames, tmp_path / "out", tiny_model)
        assert len(list(Path(elsewhere).iterdir())) == result.frames
    assert not (tmp_path / "out.vsr").exists()


def test_each_image_of_a_sequence_keeps_its_own_depth(tiny_model: str, tmp_path: Path) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(6):
        levels = generator.integers(0, 65536, (24, 32, 3)).astype(np.uint16)
        write_png(folder / f"{number}.png", levels if number < 3 else (levels >> 8).astype(np.uint8))
    upscale(folder, tmp_path / "out" / "%d.png", tiny_model, window=4, lookahead=2)
    depths = []
    for number in range(6):
        with av.open(str(tmp_path / "out" / f"{number}.png")) as image:
            depths.append(next(image.decode(video=0)).format.name)
    assert depths == ["rgb48be"] * 3 + ["rgb24"] * 3


def test_options_accept_natural_python_values(frames: Path, tiny_model: str, tmp_path: Path) -> None:
    result = upscale(
        frames, tmp_path / "out.mkv", tiny_model, tile=(32, 32), memory=1 << 30, fps=30, horizon=20, window=4
    )
    with av.open(str(result.output)) as container:
        assert container.streams.video[0].average_rate == 30
    whole = upscale(frames, tmp_path / "whole.mkv", tiny_model, tile=None, rate=29.97)
    with av.open(str(whole.output)) as container:
        assert float(container.streams.video[0].average_rate or 0) == pytest.approx(29.97, abs=0.02)
    assert Options(rate=Fraction(2997, 100)).rate == Options(fps=Fraction("29.97")).fps == Fraction(30000, 1001)
    with pytest.raises(UsageError, match="not a frame rate"):
        upscale(frames, tmp_path / "bad.mkv", tiny_model, rate="fast")
