"""Recipes: invalid ones are rejected, shipped ones are valid, and the learning rate follows its schedule."""

import re
import tomllib
from dataclasses import MISSING, fields, replace
from pathlib import Path

import pytest

from tests.training.make import TINY
from vsrcli.errors import UsageError
from vsrcli.training import changes, recipe
from vsrcli.training.loop.build import build


def test_invalid_recipe_is_rejected() -> None:
    for text, message in [
        (TINY.replace("[loss]", "[losses]"), "unknown section"),
        (TINY.replace("flow = 0.2", "flows = 0.2"), "has no flows: its keys are kind, epsilon, flow,"),
        (TINY.replace('"bi"', '"bicubic"'), "degradation"),
        (TINY.replace("flow = 0.2", "output = 0.5"), "output needs a teacher"),
        (TINY.replace("flow = 0.2", 'features = 1.0\nteacher = "basicvsr"'), "in iconvsr alone"),
        (TINY.replace("warmup = 2", 'schedule = "step"'), "needs a step"),
        ("net = ", "not TOML"),
        ("net = 3", r"net is a section, \[net\]"),
        (TINY.replace("batch = 2", 'batch = "2"'), "batch is '2', not a whole number"),
        (TINY.replace("batch = 2", "batch = true"), "batch is True, not a whole number"),
        (TINY.replace("warmup = 2", "frozen = [1]"), "frozen is .*, not a list of texts"),
    ]:
        with pytest.raises(UsageError, match=message):
            recipe.parse(text, "tiny")
    with pytest.raises(UsageError, match="no recipe called"):
        recipe.load("no-such-recipe")


@pytest.mark.parametrize("line", ['arch = "repvsr"', 'degradation = "bi"', "iterations = 8"])
def test_a_lacking_key_is_named_with_an_example_that_fits(line: str, tmp_path: Path) -> None:
    lacking = TINY.replace(line + "\n", "")
    (tmp_path / "mine.toml").write_text(lacking)
    with pytest.raises(UsageError, match=rf"recipe mine\.toml: \[\w+\] needs {line.split()[0]}, e.g. ") as refused:
        recipe.load(str(tmp_path / "mine.toml"))
    example = str(refused.value).partition("e.g. ")[2]
    assert recipe.parse(TINY.replace(line, example), "tiny") is not None


def test_a_recipe_that_a_shell_wrote_in_utf_16_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(TINY, encoding="utf-16")
    with pytest.raises(UsageError, match=r"recipe mine\.toml: not TOML: its text is not UTF-8"):
        recipe.load(str(path))
    path.write_text(TINY, encoding="utf-8-sig")
    assert recipe.load(str(path)).name == "mine"


@pytest.mark.parametrize(
    ("own", "other", "said"),
    [
        ('"repvsr"', '"repvrs"', "no architecture called repvrs: choose .*repvsr"),
        (
            "blocks =",
            "block =",
            r"\[net\] config got an unexpected keyword argument 'block'; repvsr takes channels, blocks, ",
        ),
    ],
)
def test_a_net_that_cannot_be_built_is_told_in_a_line(own: str, other: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        build(recipe.parse(TINY.replace(own, other), "tiny"), print)


DOCS = Path(__file__).parents[2] / "docs" / "training.md"


def test_the_manual_lists_every_key_with_its_default() -> None:
    listed = {}
    for section in DOCS.read_text(encoding="utf-8").split("\n`[")[1:]:
        rows = re.findall(r"^\| `(\w+)` \| (\S.*?) \|", section, re.MULTILINE)
        listed[section.partition("]")[0]] = {key: default.strip("`") for key, default in rows}
    records = (recipe.NetRecipe, recipe.DataRecipe, recipe.LossRecipe, recipe.OptimiserRecipe)
    kinds = dict(zip(recipe.SECTIONS, records, strict=True))
    assert listed.keys() == kinds.keys()
    for section, kind in kinds.items():
        known = {one.name: one for one in fields(kind)}
        assert listed[section].keys() == known.keys()
        for key, text in listed[section].items():
            if text == "required":
                assert known[key].default is MISSING and known[key].default_factory is MISSING
                continue
            made = known[key].default_factory
            default = made() if made is not MISSING else known[key].default
            value = tomllib.loads(f"value = {text}")["value"]
            assert (tuple(value) if isinstance(value, list) else value) == default, key


def test_the_manuals_recipe_is_valid() -> None:
    text = DOCS.read_text(encoding="utf-8").partition("```toml\n")[2].partition("```")[0]
    assert recipe.parse(text, "mine").data.patch == 32


def test_all_recipes_that_ship_are_valid() -> None:
    assert {"repvsr-bi", "repvsr-bd", "repvsr-real"} <= set(recipe.known())
    for name in recipe.known():
        assert recipe.load(name).optimiser.iterations > 0


def test_a_shorter_run_keeps_the_proportions_of_its_schedule() -> None:
    own = recipe.load("repvsr-bi")
    short = own.changed(iterations=30).optimiser
    assert (short.iterations, short.warmup, short.flow_iterations) == (30, 0, 5)
    half = own.changed(iterations=5500, seed=3)
    assert changes.differences(own.as_dict()["optimiser"], half.as_dict()["optimiser"]) == [
        "iterations 11000 -> 5500",
        "warmup 50 -> 25",
        "flow_iterations 2000 -> 1000",
        "seed 0 -> 3",
    ]
    assert own.changed(iterations=22000).optimiser == replace(own.optimiser, iterations=22000)
    frozen = replace(own.optimiser, flow_iterations=0, frozen=("flownet.",), frozen_iterations=2, step=4)
    tiny = frozen.of_length(1)
    assert (tiny.flow_iterations, tiny.frozen_iterations, tiny.step) == (0, 1, 1), "0 stays 0, and 0 would mean never"


def test_learning_rate_warms_up_and_decays() -> None:
    cosine = recipe.OptimiserRecipe(iterations=100, rate=1.0, final_rate=0.1, warmup=10)
    assert cosine.rate_at(0) == pytest.approx(0.1)
    assert cosine.rate_at(10) == pytest.approx(1.0)
    assert cosine.rate_at(55) == pytest.approx(0.55)
    assert cosine.rate_at(100) == pytest.approx(0.1)
    step = replace(cosine, schedule="step", step=40)
    assert [step.rate_at(i) for i in (39, 40, 80)] == [1.0, 0.5, 0.25]
