"""Whole jobs whose source repeats frames: none is lost, they keep their times, and are counted."""

from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

import vsrcli
from tests.media import make
from tests.test_windows import Stop
from vsrcli.errors import InterruptedJobError
from vsrcli.frame import Frame
from vsrcli.pipeline.ahead.report import result_report


def on_fives(path: Path, *, frames: int, noise: bool = False) -> Path:
    """5 pictures a second shown at 25, lossless; with `noise` no two frames are alike to the last bit."""
    filters = f"testsrc2=s=32x32:r=5:d={frames / 25},fps=25" + (",noise=alls=1:allf=t" if noise else "")
    make.ffmpeg("-f", "lavfi", "-i", filters, "-c:v", "ffv1", "-frames:v", str(frames), path)
    return path


def frames_of(path: Path) -> list[Frame]:
    return list(vsrcli.read(path))


def test_repeats_are_counted_and_keep_their_times(tmp_path: Path) -> None:
    source = on_fives(tmp_path / "in.mkv", frames=25)
    result = vsrcli.upscale(source, tmp_path / "out.mkv", model="repvsr.bi", codec="ffv1")
    report = result_report(result)
    assert report["precision"] in ("fp32", "bf16", "int8")
    assert (report["frames"], report["frames_repeated"]) == (25, 16), "the first five are run, then four more pictures"
    made, given = frames_of(tmp_path / "out.mkv"), frames_of(source)
    assert [f.pts for f in made] == [f.pts for f in given]
    for start in range(5, 25, 5):
        assert all(np.array_equal(made[start].data, frame.data) for frame in made[start : start + 5])
        assert not np.array_equal(made[start].data, made[start - 1].data)


def test_similar_but_unequal_frames_are_run(tmp_path: Path) -> None:
    source = on_fives(tmp_path / "in.mkv", frames=10, noise=True)
    assert vsrcli.upscale(source, tmp_path / "out.mkv", model="repvsr.bi").repeated == 0


@pytest.mark.parametrize("propagation", ["auto", pytest.param("exact", marks=pytest.mark.slow)])
@pytest.mark.usefixtures("short_segments")
def test_a_stopped_job_with_repeats_resumes_with_equal_frames(
    tiny_model: str, tmp_path: Path, propagation: Literal["auto", "exact"]
) -> None:
    source = on_fives(tmp_path / "in.mkv", frames=40)
    upscale = partial(
        vsrcli.upscale, source, model=tiny_model, propagation=propagation, window=4, lookahead=None, codec="ffv1"
    )
    whole = upscale(output=tmp_path / "whole.mkv")
    with pytest.raises(InterruptedJobError):
        upscale(output=tmp_path / "out.mkv", on_event=Stop(22))
    result = upscale(output=tmp_path / "out.mkv")
    assert whole.repeated > 20 and 0 < result.repeated < whole.repeated and 0 < result.made < 40
    for frame, other in zip(frames_of(tmp_path / "out.mkv"), frames_of(tmp_path / "whole.mkv"), strict=True):
        assert frame.pts == other.pts and np.array_equal(frame.data, other.data), frame.number
