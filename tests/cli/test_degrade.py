"""`vsr degrade` writes the very LR frames that `vsr evaluate` makes, in the folders where it reads them."""

import json
import shutil
from pathlib import Path

import pytest

from tests.command import vsr
from tests.evaluate.make import clip
from tests.media import make
from vsrcli.evaluate.clips import choose_clips, pairs
from vsrcli.media.photo.images import image_size


def psnr_of(data: Path, *how: object) -> dict[str, float]:
    done = vsr("evaluate", "--data", data, *how, "--json", "-q", "--device", "cpu")
    assert done.returncode == 0, done.stderr
    return {row["clip"]: row["psnr"] for row in json.loads(done.stdout)["results"]}


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))


@pytest.mark.parametrize("how", [(), ("--degradation", "bd", "-s", 2), ("--crf", 30), ("--noise", 3)])
def test_its_lr_frames_score_as_those_that_evaluate_makes(tmp_path: Path, how: tuple[object, ...]) -> None:
    clip(tmp_path / "GT" / "first", width=130, height=98)
    clip(tmp_path / "GT" / "second", width=130, height=98, seed=1)
    scale = ("-s", how[3]) if "-s" in how else ()
    made = vsr("degrade", tmp_path / "GT", "-o", tmp_path / "LR", *how, "--progress", "plain")
    assert made.returncode == 0 and made.stderr.endswith("LR: 8 frames of 2 clips\n")
    assert "degrading: frame" in made.stderr
    assert psnr_of(tmp_path, "--degradation", "none", *scale) == psnr_of(tmp_path / "GT", *how)


def test_the_folders_are_those_of_the_source(tmp_path: Path) -> None:
    clip(tmp_path / "spmcs" / "a" / "truth", frames=2)
    clip(tmp_path / "one", frames=2)
    (tmp_path / "films").mkdir()
    make.video(tmp_path / "films" / "film.mkv", frames=2)
    for sources, found in (
        (["one"], ["000.png", "001.png"]),
        (["spmcs"], ["a/000.png", "a/001.png"]),
        (["films"], ["film/00000001.png", "film/00000002.png"]),
        (["films/film.mkv"], ["00000001.png", "00000002.png"]),
        (["one", "films/film.mkv"], ["film/00000001.png", "film/00000002.png", "one/000.png", "one/001.png"]),
    ):
        assert vsr("degrade", *(tmp_path / name for name in sources), "-o", tmp_path / "LR").returncode == 0
        assert files(tmp_path / "LR") == found
        shutil.rmtree(tmp_path / "LR")


def test_the_ground_truth_of_a_video_goes_along(tmp_path: Path) -> None:
    film = make.video(tmp_path / "film.mkv", frames=3, width=66, height=50)
    assert vsr("degrade", film, "-o", tmp_path / "set" / "LR", "--truth", tmp_path / "set" / "GT").returncode == 0
    assert image_size(tmp_path / "set" / "GT" / "00000003.png") == (64, 48)
    read = list(pairs(choose_clips(tmp_path / "set")[0], "none", 4))
    own = list(pairs(choose_clips(film)[0], "bi", 4))
    assert len(read) == 3 and all((a.lr == b.lr).all() and (a.hr == b.hr).all() for a, b in zip(read, own, strict=True))


def test_bad_input_is_one_clear_line(tmp_path: Path) -> None:
    gt = clip(tmp_path / "GT", frames=1)
    clip(tmp_path / "a" / "GT", frames=1)
    held = clip(tmp_path / "held", frames=1)
    before = files(tmp_path)
    for arguments, message in (
        ((gt, "-o", held), f"the folder {held} exists and is not empty: add -y to write the images there too"),
        ((gt, "-o", tmp_path / "LR", "--truth", held), f"the folder {held} exists and is not empty"),
        ((gt, "-o", gt, "-y"), f"{gt} is the input itself: give another -o"),
        ((gt, "-o", tmp_path / "LR", "--truth", tmp_path / "LR"), "-o and --truth name one folder"),
        ((gt, "-o", held / "000.png"), "it is not a folder"),
        ((tmp_path / "none", "-o", tmp_path / "LR"), "none: no such file or folder"),
        ((gt, tmp_path / "a" / "GT", "-o", tmp_path / "LR"), "two clips are called GT"),
        ((gt, "-o", tmp_path / "LR", "--degradation", "bd", "-s", 3), "the scale must be even, not 3"),
    ):
        failed = vsr("degrade", *arguments, "-q")
        assert failed.returncode in (1, 2) and message in failed.stderr and failed.stderr.count("\n") == 1
    assert files(tmp_path) == before
    assert vsr("degrade", gt, "-o", held, "-y", "-q").stderr == ""
