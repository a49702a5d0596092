"""Folders of videos: the tree is kept, bad files do not stop the rest, what is done is not done again."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from safetensors.torch import save_file

from tests.command import vsr
from tests.media import make
from tests.nets.small import small
from vsrcli.cli import upscale
from vsrcli.engine.plan import PROCESS_BYTES
from vsrcli.errors import InputError, SomeFailedError, UsageError
from vsrcli.pipeline.jobs import job
from vsrcli.pipeline.running import batch


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "clips"
    (root / "sub folder").mkdir(parents=True)
    make.video(root / "a.mp4", frames=3)
    make.video(root / "sub folder" / "b.mkv", frames=3)
    (root / "broken.mp4").write_text("no video")
    (root / "notes.txt").write_text("no video either")
    return root


def test_subfolders_are_mirrored_and_a_bad_file_does_not_stop_the_rest(
    tree: Path, tiny_model: str, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = vsr("upscale", tree, "-o", out, "--recursive", "-m", tiny_model, "--json")
    assert done.returncode == 3
    assert {r["status"] for r in json.loads(done.stdout)} == {"done", "failed"}
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file()) == ["a.mp4", "sub folder/b.mkv"]
    assert "2 done, 1 failed" in done.stderr
    again = vsr("upscale", tree, "-o", out, "--recursive", "-m", tiny_model, "--json")
    assert [r["status"] for r in json.loads(again.stdout)].count("skipped") == 2


def test_an_unexpected_error_stops_only_its_file(
    tree: Path, tiny_model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = job.prepare

    def fails_on_a(source: Path, *rest: Any, **named: Any) -> job.Job:
        if source.name == "a.mp4":
            raise ZeroDivisionError("of all things")
        return real(source, *rest, **named)

    monkeypatch.setattr(job, "prepare", fails_on_a)
    arguments = [str(tree), "-o", str(tmp_path / "out"), "-r", "-m", tiny_model, "--json"]
    done = CliRunner().invoke(upscale.command, arguments)
    assert isinstance(done.exception, SomeFailedError)
    reports = json.loads(done.stdout)
    assert [r["status"] for r in reports].count("done") == 1
    assert any("ZeroDivisionError: of all things" in r.get("error", "") for r in reports)


def test_existing_results_are_neither_redone_nor_upscaled(tree: Path, tiny_model: str) -> None:
    make.video(tree / "a2.mp4", frames=1)
    (tree / "broken.mp4").unlink()
    for expected in (["done", "done"], ["skipped", "skipped"]):
        done = vsr("upscale", tree, "-m", tiny_model, "--json")
        assert done.returncode == 0
        assert [r["status"] for r in json.loads(done.stdout)] == expected
    other = vsr("upscale", tree, "-m", tiny_model, "-s", "2", "--dry-run", "--json")
    assert {Path(r["input"]).name for r in json.loads(other.stdout)} == {"a.mp4", "a2.mp4"}
    assert "made by vsr" in other.stderr
    assert sorted(p.name for p in tree.glob("*.mp4")) == ["a.mp4", "a2.mp4", "a2_x4.mp4", "a_x4.mp4"]


def test_subfolders_are_skipped_without_recursive(tree: Path, tmp_path: Path) -> None:
    found = [i.source.name for i in batch.items([tree], tmp_path / "out", recursive=False)]
    assert found == ["a.mp4", "broken.mp4"]


def test_unwritable_formats_become_matroska(tmp_path: Path) -> None:
    (tmp_path / "old.wmv").touch()
    (tmp_path / "b.mp4").touch()
    outputs = [i.output for i in batch.items([tmp_path], Path("out"), recursive=False)]
    assert outputs == [Path("out/b.mp4"), Path("out/old.mkv")]


def test_several_inputs_need_an_output_folder_and_distinct_names(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="not a folder"):
        batch.items([Path("a.mp4"), Path("b.mp4")], tmp_path / "file", recursive=False)
    with pytest.raises(UsageError, match="not a folder"):
        batch.items([Path("a.mp4"), Path("b.mp4")], tmp_path / "one.mp4", recursive=False)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no videos"):
        batch.items([tmp_path / "empty"], None, recursive=True)


def test_dry_run_plans_and_writes_nothing(film: Path, tiny_model: str, tmp_path: Path) -> None:
    done = vsr("upscale", film, "-o", tmp_path / "out.mkv", "-m", tiny_model, "--dry-run", "--json")
    report = json.loads(done.stdout)
    assert (report["status"], report["size"], report["source"]["frames"]) == ("planned", [256, 192], 20)
    assert report["memory_bytes"] > 0
    done = vsr("upscale", film, "-o", tmp_path / "new" / "folder", "-m", tiny_model, "--dry-run", "--json")
    assert json.loads(done.stdout)["output"] == str(tmp_path / "new" / "folder" / film.name)
    assert not list(tmp_path.iterdir())


def test_an_option_that_changes_nothing_with_a_model_is_told_once(tree: Path, tmp_path: Path) -> None:
    save_file(small("rlsp").state_dict(), tmp_path / "rlsp.safetensors")
    done = vsr("upscale", tree, "--recursive", "-m", tmp_path / "rlsp.safetensors", "--window", "5")
    lines = [line for line in done.stderr.splitlines() if "the window changes nothing" in line]
    assert [line.split(":")[0] for line in lines] == ["the window changes nothing", "2 files"]


def test_quiet_still_reports_which_file_failed_and_why(tree: Path, tiny_model: str, tmp_path: Path) -> None:
    done = vsr("upscale", tree, "-o", tmp_path / "out", "-m", tiny_model, "-q")
    assert done.returncode == 3 and not done.stdout
    assert done.stderr.splitlines()[0].startswith(f"failed: {tree / 'broken.mp4'} ")
    assert done.stderr.count("broken.mp4") == 1 and len(done.stderr.splitlines()) == 2


def test_help_needs_neither_torch_nor_pyav_and_is_quick() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "vsrcli", "--help"], capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "upscale" in done.stdout
    imported = {line.split("|")[-1].strip() for line in done.stderr.splitlines()}
    assert not imported & {"torch", "av", "numpy", "rich"}


def test_a_part_is_planned_by_its_own_length(tiny_model: str, tmp_path: Path) -> None:
    film = make.video(tmp_path / "long.mp4", frames=250)

    def planned(*part: str) -> int:
        done = vsr("upscale", film, "-m", tiny_model, "--propagation", "clip", "--dry-run", "--json", *part)
        return int(json.loads(done.stdout)["memory_bytes"]) - PROCESS_BYTES

    assert planned("--end", "0.4") < planned() / 2
