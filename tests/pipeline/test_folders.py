"""Folders as people have them: nothing is refused for its name, dropped in silence, or dated anew."""

import json
import os
from pathlib import Path

import pytest

from tests.command import vsr
from tests.media import make
from vsrcli.pipeline.running import batch

MADE = 946684800  # the year 2000


@pytest.fixture
def tapes(tmp_path: Path) -> Path:
    folder = tmp_path / "tapes"
    folder.mkdir()
    for name in ("t.avi", "t.mkv"):
        make.video(folder / "t.mkv", frames=1, width=64, height=48).rename(folder / name.replace(".mkv", ".wmv"))
    (folder / "t.avi").rename(folder / "t.mpg")
    (folder / "notes.txt").write_text("about the tapes")
    return folder


@pytest.mark.parametrize("beside", [True, False])
def test_results_of_the_same_name_get_distinct_stable_names(
    tapes: Path, tiny_model: str, tmp_path: Path, beside: bool
) -> None:
    out = [] if beside else ["-o", tmp_path / "out"]
    names = ["t_x4.mkv", "t_x4.wmv.mkv"] if beside else ["t.mkv", "t.wmv.mkv"]
    for again, status in ((["-y"], "done"), ([], "skipped"), (["-y"], "done")):
        done = vsr("upscale", tapes, *out, "-m", tiny_model, "--json", *again)
        assert done.returncode == 0, done.stderr
        reports = json.loads(done.stdout)
        assert [r["status"] for r in reports] == [status, status]
        assert [Path(r["output"]).name for r in reports] == names
    assert "is the result of another input" in done.stderr and "notes.txt" in done.stderr


def test_equal_names_in_two_folders_get_the_folder_s_name() -> None:
    out = Path("out/a.mp4")
    first = batch.apart(out, Path("y/a.mp4"), {str(out)})
    assert first == Path("out/a_y.mp4")
    assert batch.apart(out, Path("z/y/a.mp4"), {str(out), str(first)}) == Path("out/a.1.mp4")


def test_videos_that_lie_only_in_subfolders_are_mentioned(tmp_path: Path, tiny_model: str) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    make.video(tmp_path / "a" / "b" / "v.mkv", frames=1, width=64, height=48)
    done = vsr("upscale", tmp_path / "a", "-m", tiny_model)
    assert done.returncode == 1 and done.stderr.endswith("lie in its subfolders: add --recursive\n")
    make.video(tmp_path / "a" / "v.mkv", frames=1, width=64, height=48)
    done = vsr("upscale", tmp_path / "a", "-m", tiny_model, "--dry-run")
    assert done.returncode == 0 and "subfolders left out (--recursive takes them): b" in done.stderr


def test_skipped_files_are_listed(tmp_path: Path) -> None:
    for name in ("v.dv", "v.mod", "v.vob", "v.3g2", "v.f4v", "x.nfo", ".hidden", "other.dat"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "AVSEQ01.DAT").write_bytes(b"RIFF\0\0\0\0CDXAfmt ")
    found = [item.source.name for item in batch.items([tmp_path], None, recursive=False)]
    assert found == ["AVSEQ01.DAT", "v.3g2", "v.dv", "v.f4v", "v.mod", "v.vob"]
    files, folders = batch.left_out([tmp_path], recursive=False)
    assert [path.name for path in files] == ["other.dat", "x.nfo"] and not folders


def test_results_keep_the_source_s_date(tmp_path: Path, tiny_model: str) -> None:
    film = make.video(tmp_path / "a.mkv", frames=1, width=64, height=48)
    os.utime(film, (MADE, MADE))
    assert vsr("upscale", film, "-m", tiny_model, "-o", tmp_path / "b.mkv").returncode == 0
    assert (tmp_path / "b.mkv").stat().st_mtime == MADE
    assert vsr("upscale", film, "-m", tiny_model, "-o", tmp_path / "c.mkv", "--new-date").returncode == 0
    assert (tmp_path / "c.mkv").stat().st_mtime > MADE
