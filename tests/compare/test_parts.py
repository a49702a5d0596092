"""A part that vsr made of a video is compared with that part, not with the video's beginning."""

from fractions import Fraction
from pathlib import Path

import av
import pytest

from tests.command import vsr
from tests.compare.test_align import shown
from tests.evaluate.make import clip
from tests.media import make
from vsrcli.compare.align import common_start
from vsrcli.media.read.probe import probe
from vsrcli.media.write.made import made_text, offset_in_source


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make.video(tmp_path_factory.mktemp("parts") / "film.mp4", frames=20)


@pytest.fixture(scope="module")
def part(source: Path, tiny_model: str) -> Path:
    """Frames 8 to 13."""
    out = source.with_name("part.mp4")
    done = vsr("upscale", source, "-o", out, "-m", tiny_model, "--start", "0.32", "--end", "0.56", "-q")
    assert done.returncode == 0, done.stderr
    return out


@pytest.mark.parametrize("ending", ["mp4", "mkv", "mov", "avi", "ts", "webm"])
def test_a_part_tells_where_it_begins_and_a_whole_does_not(source: Path, tiny_model: str, ending: str) -> None:
    out = source.with_name(f"tagged.{ending}")
    assert vsr("upscale", source, "-o", out, "-m", tiny_model, "--start", "0.3", "--end", "0.4", "-q").returncode == 0
    told = offset_in_source(out)
    assert told == pytest.approx(0.32)
    whole = source.with_name(f"whole.{ending}")
    assert vsr("upscale", source, "-o", whole, "-m", tiny_model, "--end", "0.08", "-q").returncode == 0
    assert offset_in_source(whole) is None


def test_moments_are_those_of_the_source(source: Path, part: Path) -> None:
    infos = [probe(source), probe(part)]
    assert common_start(infos) == pytest.approx(0.32)
    assert shown(infos) == [[n, n] for n in range(8, 14)]
    assert shown(infos[::-1]) == [[n, n] for n in range(8, 14)]
    assert shown(infos, start=0.44) == [[n, n] for n in range(11, 14)]
    assert shown([infos[1], infos[1]]) == [[n, n] for n in range(8, 14)]


def test_two_parts_that_overlap(source: Path, part: Path, tiny_model: str) -> None:
    other = source.with_name("other.mkv")
    assert vsr("upscale", source, "-o", other, "-m", tiny_model, "--start", "0.44", "-q").returncode == 0
    assert shown([probe(part), probe(other)]) == [[n, n] for n in range(11, 14)]
    assert shown([probe(other), probe(part), probe(source)]) == [[n, n, n] for n in range(11, 14)]


def test_a_part_of_a_part_counts_from_the_whole(source: Path, part: Path, tiny_model: str) -> None:
    inner = source.with_name("inner.mkv")
    done = vsr("upscale", part, "-o", inner, "-m", tiny_model, "-s", "1", "--start", "0.08", "-q")
    assert done.returncode == 0, done.stderr
    assert offset_in_source(inner) == pytest.approx(0.40)


def test_a_part_of_images(tmp_path: Path, tiny_model: str) -> None:
    frames = clip(tmp_path / "frames", frames=10, width=64, height=48)
    out = tmp_path / "part.mkv"
    done = vsr("upscale", frames, "-o", out, "-m", tiny_model, "--start", "0.16", "--end", "0.28", "-q")
    assert done.returncode == 0, done.stderr
    assert shown([probe(frames), probe(out)]) == [[n, n] for n in range(4, 7)]


def test_the_comparison_has_the_sound_of_that_part(film: Path, tmp_path: Path, tiny_model: str) -> None:
    part, both = tmp_path / "part.mkv", tmp_path / "both.mkv"
    assert vsr("upscale", film, "-o", part, "-m", tiny_model, "--start", "0.4", "-q").returncode == 0
    done = vsr("compare", film, part, "-o", both)
    assert done.returncode == 0, done.stderr
    assert any(
        line.startswith("a part is among the videos: the comparison begins at 0.40 s")
        for line in done.stderr.splitlines()
    )
    first: dict[str, Fraction] = {}
    for kind in ("video", "audio"):
        with av.open(str(both)) as container:
            stream = next(s for s in container.streams if s.type == kind)
            pts, time_base = next(container.demux(stream)).pts, stream.time_base
            assert pts is not None and time_base is not None
            first[kind] = pts * time_base
    assert abs(first["video"] - first["audio"]) < 0.1
    done = vsr("compare", film, part, "-o", tmp_path / "a.png", "--at", "0.1")
    assert done.returncode == 2 and "no moment before 0.4 s in common" in done.stderr
    assert vsr("compare", film, part, "-o", tmp_path / "a.png").returncode == 0


def test_the_tag_says_it_in_words() -> None:
    text = made_text("1", "m", "0123456789abcdef0", "int8", start=62.5)
    assert text == "upscaled by vsr 1, m, weights 0123456789abcdef, int8, from 62.500000 s"
