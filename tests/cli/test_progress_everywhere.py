"""--progress and --log-file do the same in every command that takes a while."""

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import save_file

from tests.command import vsr
from tests.evaluate.make import clip
from tests.evaluate.make import tiny_model as evaluated
from tests.media import make
from tests.training.make import TINY, textured

COMMANDS = ["upscale", "preview", "plan", "run", "join", "evaluate", "degrade", "bench"]
COMMANDS += ["train run", "train pack", "train teach", "train soup", "train --list", "weights calibrate"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_that_takes_a_while_has_them(command: str) -> None:
    shown = vsr(*command.split(), "--help").stdout
    if command == "train --list":
        shown = vsr("train", "--list", "--progress", "json").stdout  # the former spelling takes them too
        assert "repvsr-bi" in shown
    else:
        assert "--progress" in shown and "--log-file" in shown


def events(stderr: str) -> list[dict[str, Any]]:
    """Return the events of lines that are all JSON."""
    return [json.loads(line) for line in stderr.splitlines()]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("evaluate")
    clip(folder / "data" / "a")
    return folder / "data", evaluated(folder / "tiny.safetensors")


def test_evaluate_tells_programs_and_a_log(data: tuple[Path, Path], tmp_path: Path) -> None:
    how = ("--data", data[0], "-m", data[1], "--frames", 2, "--device", "cpu")
    done = vsr("evaluate", *how, "--progress", "json", "--log-file", tmp_path / "log")
    assert done.returncode == 0, done.stderr
    found = events(done.stderr)
    frames = [one["done"] for one in found if one["event"] == "frame"]
    assert frames[0] == 0 and frames == sorted(frames) and frames[-1] == found[-2].get("total", frames[-1]) == 4
    assert "dB" in (tmp_path / "log").read_text()
    assert events(vsr("evaluate", *how, "--progress", "json", "--crf", "23,28", "--ablate", "window").stderr)[-1] == {
        "event": "error", "message": "--ablate: give one --crf", "exit_code": 2,
    }  # fmt: skip


def test_plain_is_lines_and_none_is_no_bar(data: tuple[Path, Path]) -> None:
    how = ("--data", data[0], "-m", data[1], "--frames", 2, "--device", "cpu")
    assert "evaluating: frame" in vsr("evaluate", *how, "--progress", "plain").stderr
    assert "evaluating: frame" not in vsr("evaluate", *how, "--progress", "none").stderr


@pytest.mark.slow
def test_train_tells_each_iteration(tmp_path: Path) -> None:
    save_file({"train/a.1": textured(3, 48, 48), "validation/b.1": textured(3, 48, 48, 2)}, tmp_path / "pack")
    (tmp_path / "tiny.toml").write_text(TINY)
    done = vsr(
        *("train", "run", tmp_path / "tiny.toml", "--data", tmp_path / "pack", "--out", tmp_path / "run"),
        *("--iterations", 3, "--device", "cpu", "--progress", "json", "--log-file", tmp_path / "log"),
    )
    assert done.returncode == 0, done.stderr
    found = events(done.stderr)
    frames = [one for one in found if one["event"] == "frame"]
    assert frames[-1] == {"event": "frame", "stage": "training", "done": 3, "total": 3}
    assert any("over bicubic" in one.get("text", "") for one in found)
    assert "over bicubic" in (tmp_path / "log").read_text()
    how = ("--data", tmp_path / "pack", "--out", tmp_path / "run", "--progress", "json")
    (wrong,) = events(vsr("train", "run", tmp_path / "tiny.toml", *how).stderr)
    assert wrong["event"] == "error" and "--resume goes on" in wrong["message"]


def test_shards_and_their_joining(tmp_path: Path, tiny_model: str) -> None:
    source = make.video(tmp_path / "a.mkv", frames=4, width=32, height=32)
    plan, how = tmp_path / "plan.json", ("-m", tiny_model, "--device", "cpu", "--shards", 1)
    planned = vsr("plan", source, "-o", tmp_path / "out.mkv", *how, "--progress", "json")
    assert planned.returncode == 0 and "scanning" in {one.get("stage") for one in events(planned.stderr)}
    plan.write_text(planned.stdout)
    run = vsr("run", plan, "--shard", 1, "--progress", "json", "--log-file", tmp_path / "log")
    assert run.returncode == 0, run.stderr
    assert [one for one in events(run.stderr) if one["event"] == "frame"][-1]["done"] == 4
    join = vsr("join", plan, "--progress", "json", "--log-file", tmp_path / "log")
    assert join.returncode == 0, join.stderr
    assert [one["event"] for one in events(join.stderr)][-1] == "result"
    assert "fps" in (tmp_path / "log").read_text()


@pytest.mark.slow
def test_bench_tells_its_steps() -> None:
    done = vsr("bench", "-m", "rlsp", "--res", "32x32", "--precision", "fp32", "--device", "cpu", "--frames", "2",
               "--json", "--progress", "json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = events(done.stderr)
    assert found[0]["event"] == "line" and "random" in found[0]["text"]
    assert found[1] == {"event": "step", "what": "rlsp fp32", "text": "loading"}
    assert {one["what"] for one in found[1:]} == {"rlsp fp32"}
    silent = vsr("bench", "-m", "rlsp", "--res", "32x32", "--precision", "fp32", "--device", "cpu", "--frames", "2",
                 "--json", "--progress", "none")  # fmt: skip
    assert silent.stderr.splitlines() == ["rlsp: its weights are not here, random ones are used"]
