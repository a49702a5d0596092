"""`vsr train` by its commands and in its former spelling: both do the same, and what is wrong is said in a line."""

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result
from safetensors.torch import load_file, save_file

from tests.training.make import TINY, textured, write_video
from vsrcli.cli import cli
from vsrcli.errors import UsageError
from vsrcli.nets.repvsr import RepVSR
from vsrcli.training import recipe
from vsrcli.training.data.pack import Pack
from vsrcli.zoo import formats, loading

COMMANDS = ["run", "pack", "teach", "compact", "soup", "recipes"]


def train(*words: object) -> Result:
    return CliRunner().invoke(cli, ["train", *map(str, words)])


def done(*words: object) -> str:
    result = train(*words)
    assert result.exit_code == 0 and result.exception is None, result.output
    return result.output


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    save_file({"train/a.1": textured(3, 48, 48), "validation/b.1": textured(3, 48, 48, 2)}, path)
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "model.safetensors"
    config = {"channels": 8, "blocks": 1}
    formats.save(path, RepVSR(8, 1), arch="repvsr", config=config, extra={"scale": 4, "degradation": "bi"})
    return path


def test_both_spellings_list_the_recipes() -> None:
    lines = done("recipes").splitlines()
    assert lines == done("--list").splitlines()
    assert [line.split()[0] for line in lines] == recipe.known()
    assert all(len(line.split()) > 4 and "#" not in line for line in lines), "each says what it is for"
    assert not any("--teacher" in recipe.text_of(name) for name in recipe.known()), "that is the former spelling"


def test_a_shipped_recipe_is_printed_to_start_ones_own_from(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(done("recipes", "repvsr-bi"), encoding="utf-8")
    mine = recipe.load(str(tmp_path / "mine.toml"))
    assert mine.name == "mine" and mine.net == recipe.load("repvsr-bi").net
    assert mine.optimiser == recipe.load("repvsr-bi").optimiser


def test_both_spellings_write_equal_packs(tmp_path: Path) -> None:
    write_video(tmp_path / "walk.mp4", textured(6, 272, 272))
    how = ("--frames", 3, "--clips", 1, "--seed", 5)
    done("pack", tmp_path / "walk.mp4", "-o", tmp_path / "new", *how)
    done("--pack", tmp_path / "walk.mp4", "-o", tmp_path / "old", *how)
    done(*how, tmp_path / "walk.mp4", "--pack", "-o", tmp_path / "late")
    made = [load_file(tmp_path / name) for name in ("new", "old", "late")]
    assert len(made[0]) == 1
    for other in made[1:]:
        assert made[0].keys() == other.keys()
        assert all(torch.equal(made[0][key], other[key]) for key in other)


def test_quiet_commands_print_only_errors(packed: Path, tmp_path: Path) -> None:
    write_video(tmp_path / "walk.mp4", textured(6, 272, 272))
    made = ("-o", tmp_path / "new", "--frames", 3)
    assert "walk.mp4: 2 clips (train, as video)" in done("pack", tmp_path / "walk.mp4", *made)
    assert done("pack", tmp_path / "walk.mp4", *made, "-q") == ""
    assert done("--pack", tmp_path / "walk.mp4", *made, "--quiet") == ""
    assert done("compact", packed, "--mib", 1, "-o", tmp_path / "small", "-q") == ""
    assert len(Pack([tmp_path / "new"]).names("train")) == 2
    assert "no such file" in str(train("pack", tmp_path / "missing", *made, "-q").exception)


def test_both_spellings_ask_a_teacher(packed: Path, model: Path, tmp_path: Path) -> None:
    done("teach", packed, "-m", model, "-o", tmp_path / "new", "--device", "cpu")
    done("--teacher", model, packed, "-o", tmp_path / "old", "--device", "cpu")
    new, old = Pack([tmp_path / "new"]), Pack([tmp_path / "old"])
    answers = [pack.answer("train", name) for pack in (new, old) for name in pack.names("train")]
    assert len(answers) == 2 and answers[0] is not None and answers[1] is not None
    assert torch.equal(answers[0], answers[1]) and new.origins.teachers == [str(model)]


def test_both_spellings_compress_a_pack(packed: Path, tmp_path: Path) -> None:
    assert "2 clips" in done("compact", packed, "--mib", 1, "-o", tmp_path / "new")
    assert "2 clips" in done("--compact", 1, packed, "-o", tmp_path / "old")
    assert (tmp_path / "new").read_bytes() == (tmp_path / "old").read_bytes()


def test_both_spellings_average_models(packed: Path, model: Path, tmp_path: Path) -> None:
    how = ("--data", packed, "--device", "cpu")
    new = done("soup", model, *how, "-o", tmp_path / "new.safetensors")
    old = done("--soup", model, *how, "-o", tmp_path / "old.safetensors")
    assert "over bicubic" in new and new.replace("new.s", "old.s") == old
    assert loading.load(tmp_path / "new.safetensors").sha256 == loading.load(tmp_path / "old.safetensors").sha256


@pytest.mark.slow
def test_both_spellings_train_and_resume(packed: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(TINY)
    how = ("--data", packed, "--out", tmp_path / "out", "--device", "cpu")
    assert "1 of 1 iterations" in done("run", plan, *how, "--iterations", 1)
    assert "has 1 iteration already: nothing to do" in done(plan, *how, "--iterations", 1, "--resume")
    assert "2 of 2 iterations" in done(plan, *how, "--iterations", 2, "--resume")
    assert "3 of 3 iterations" in done(*how, "--iterations", 3, "--resume", plan)
    for words in (("run", plan), (plan,)):
        assert "holds a run already" in str(train(*words, *how).exception)


def test_fewer_iterations_shorten_the_schedule_and_a_resumed_run_keeps_it(packed: Path, tmp_path: Path) -> None:
    plan, out = tmp_path / "plan.toml", tmp_path / "out"
    plan.write_text(TINY)
    how = ("run", plan, "--data", packed, "--out", out, "--device", "cpu", "--iterations", 4)
    said = "recipe plan, changed: iterations 8 -> 4, warmup 2 -> 1, flow_iterations 2 -> 1"
    assert said in done(*how, "--minutes", 1e-5)
    resumed = done(*how, "--resume")
    assert said in resumed and "4 of 4 iterations" in resumed
    assert "- optimiser.flow_iterations: 1\n" in (out / "best.md").read_text()


def test_a_source_may_have_the_name_of_a_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pack").mkdir()
    write_video(tmp_path / "pack" / "walk.mp4", textured(3, 272, 272))
    assert "1 clip," in done("pack", "--pack", "-o", "old.safetensors", "--frames", 3)
    assert "1 clip," in done("pack", "pack", "-o", "new.safetensors", "--frames", 3)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("bogus",), "no command or recipe called bogus"),
        (("pak", "videos", "-o", "x"), "no command or recipe called pak"),
        (("run", "bogus", "--data", "x"), "no recipe called bogus"),
        (("recipes", "bogus"), "no recipe called bogus: choose basicvsr-paper, "),
        (("run",), "name one recipe"),
        (("run", "repvsr-bi", "repvsr-bd", "--data", "x"), "name one recipe"),
        (("repvsr-bi", "repvsr-bd", "--data", "x"), "name one recipe"),
        (("run", "repvsr-bi"), "--data: name a pack"),
        (("repvsr-bi",), "--data: name a pack"),
        (("soup", "repvsr.bi", "-o", "x"), "--data: name a pack"),
        (("soup", "--data", "x", "-o", "x"), "name the models"),
        (("teach", "x", "-o", "y"), "-m: name the model"),
        (("teach", "x", "-m", "repvsr.bi"), "-o: name the file"),
        (("pack", "videos"), "-o: name the file"),
        (("--pack", "videos"), "-o: name the file"),
        (("compact", "x", "--mib", "1"), "-o: name the file"),
        (("--pack", "--teacher", "basicvsr", "videos", "-o", "out"), "--pack and --teacher exclude each other"),
    ],
)
def test_wrong_usage_is_reported(words: tuple[str, ...], said: str) -> None:
    result = train(*words)
    assert isinstance(result.exception, UsageError) and said in str(result.exception)
    assert "\n" not in str(result.exception)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--bogus",), "--bogus"),
        (("run", "repvsr-bi", "--bogus"), "--bogus"),
        (("pack", "nowhere", "--soup"), "--soup"),
        (("compact", "x", "-o", "y"), "--mib"),
        (("recipes", "repvsr-bi", "more"), "more"),
        (("run", "repvsr-bi", "--threads", "-1"), "-1"),
    ],
)
def test_unknown_options_are_refused(words: tuple[str, ...], said: str) -> None:
    result = train(*words)
    assert result.exit_code == 2 and said in result.output and not result.output.count("Traceback")


def test_help_shows_the_commands_and_the_former_spelling() -> None:
    for words in (("--help",), ("-h",)):
        shown = done(*words)
        assert all(f"\n  {name} " in shown for name in COMMANDS)
        assert "vsr train RECIPE --data PACK" in shown
    assert "--teacher" in done("repvsr-bi", "--help")
    assert "--minutes" in done("run", "-h") and "--mib" not in done("run", "-h")
