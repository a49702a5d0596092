"""A benchmark of a file of one's own takes its frames and its size, and the model that it would get."""

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from tests.command import vsr
from tests.media import make
from vsrcli.bench.case import Blueprint, Case
from vsrcli.bench.measure import frames_of, measure
from vsrcli.cli.bench import picked
from vsrcli.errors import InputError


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make.video(tmp_path_factory.mktemp("bench") / "a.mp4", frames=3, options={"crf": "34"})


def test_frames_are_the_file_s_over_and_over(source: Path) -> None:
    frames = list(itertools.islice(frames_of(str(source)), 7))
    assert [frame.number for frame in frames] == list(range(7))
    assert np.array_equal(frames[0].data, frames[3].data) and not np.array_equal(frames[0].data, frames[1].data)


def test_the_size_is_the_file_s(source: Path) -> None:
    case = Case("repvsr", Blueprint("repvsr", {}), "fp32", "cpu", (1280, 720), frames=2, source=str(source))
    one = measure(case, lambda text: None)
    assert (one.input_width, one.input_height, one.output_width, one.output_height) == (64, 48, 256, 192)
    assert one.frames == 2 and one.fps > 0


def test_the_model_is_the_one_that_it_would_get(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert picked(None, source) == "repvsr.real"
    assert "using repvsr.real: the source is compressed" in capsys.readouterr().err
    assert picked("iconvsr", source) == "iconvsr.real"
    assert picked("repvsr.bi", source) == "repvsr.bi" and picked("rlsp", source) == "rlsp"
    assert picked(None, None) is None


def test_what_cannot_be_measured_is_refused_before(source: Path, tmp_path: Path) -> None:
    done = vsr("bench", "--input", source, "--res", "720p")
    assert done.returncode == 2 and "exclude each other" in done.stderr
    assert vsr("bench", "--input", tmp_path / "no.mp4").returncode == 1
    with pytest.raises(InputError, match=r"no\.mp4"):
        next(frames_of(str(tmp_path / "no.mp4")))


@pytest.mark.slow
def test_from_the_command_line(source: Path) -> None:
    done = vsr("bench", "--input", source, "-m", "repvsr", "--frames", "2", "--device", "cpu", "--json")
    assert done.returncode == 0, done.stderr
    [one] = json.loads(done.stdout)
    assert (one["model"], one["input_width"], one["output_height"]) == ("repvsr.real", 64, 192)
