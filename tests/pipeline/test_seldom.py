"""Whole jobs of what is seldom asked for: interlaced film, 16 bits, the interval of IconVSR's keyframes."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import save_file

from tests.command import vsr
from tests.media import make
from tests.nets.small import small
from vsrcli.media.read.decode import decode
from vsrcli.media.read.probe import probe


def frames_of(path: Path) -> np.ndarray:
    return np.stack([frame.data for frame in decode(probe(path))])


def test_interlaced_video_is_reported_and_treated_as_requested(tiny_model: str, tmp_path: Path) -> None:
    source = make.interlaced(tmp_path / "in.mpg", frames=3)
    made: dict[str, np.ndarray] = {}
    for asked, told in (
        ("auto", "interlaced source: deinterlaced to 25 fps"),
        ("off", "warning: the source is flagged as interlaced: where its frames are woven of fields, combing stays"),
        ("on", ""),
    ):
        output = tmp_path / f"{asked}.mkv"
        done = vsr("upscale", source, "-o", output, "-m", tiny_model, "--deinterlace", asked, "--codec", "ffv1")
        assert done.returncode == 0, done.stderr
        assert [line for line in done.stderr.splitlines() if line.startswith(("interlaced", "warning"))] == (
            [told] if told else []
        )
        assert not probe(output).interlaced
        made[asked] = frames_of(output)
    assert len(made["auto"]) == len(made["off"]) == 3
    assert np.array_equal(made["auto"], made["on"])
    combing = {asked: np.abs(np.diff(frames.astype(int), axis=1))[1:].mean() for asked, frames in made.items()}
    assert combing["off"] > 1.1 * combing["auto"]


@pytest.mark.parametrize("pix_fmt", ["gbrp16le", "gbrp10le", "yuv420p10le"])
def test_a_10_bit_video_stays_at_10_bits(pix_fmt: str, tiny_model: str, tmp_path: Path) -> None:
    source = make.video(tmp_path / "in.mkv", width=32, height=24, frames=2, codec="ffv1", pix_fmt=pix_fmt)
    done = vsr("upscale", source, "-o", tmp_path / "out.mkv", "-m", tiny_model)
    assert done.returncode == 0, done.stderr
    assert probe(tmp_path / "out.mkv").pix_fmt == pix_fmt
    made = frames_of(tmp_path / "out.mkv")
    assert made.dtype == np.uint16
    finest = 1 if pix_fmt == "gbrp16le" else 64
    assert len(np.unique(made // finest % 256)) > 128  # levels between those of 8 bits


def test_the_keyframe_interval_changes_the_result(tmp_path: Path) -> None:
    source = make.video(tmp_path / "in.mp4", width=32, height=32, frames=2)
    save_file(small("iconvsr").state_dict(), tmp_path / "icon.safetensors")
    made = []
    for interval in ("0", "2"):
        output = tmp_path / "out.mkv"
        done = vsr("upscale", source, "-o", output, "-y", "-m", tmp_path / "icon.safetensors", "--codec", "ffv1",
                   "--keyframe-interval", interval)  # fmt: skip
        assert done.returncode == 0, done.stderr
        made.append(frames_of(output))
    none, second = made
    assert none.shape == second.shape == (2, 128, 128, 3) and not np.array_equal(none, second)


def test_a_net_without_keyframes_refuses_an_interval(tiny_model: str, tmp_path: Path) -> None:
    source = make.video(tmp_path / "in.mp4", width=32, height=24, frames=1)
    done = vsr("upscale", source, "-m", tiny_model, "--keyframe-interval", "3")
    assert done.returncode == 2
    assert "the keyframe interval is an option of IconVSR, not of tiny" in done.stderr
