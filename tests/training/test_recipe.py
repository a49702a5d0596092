"""Recipes: invalid ones are rejected, shipped ones are valid, and the learning rate follows its schedule."""

from dataclasses import replace

import pytest

from tests.training.make import TINY
from vsrcli.errors import UsageError
from vsrcli.training import recipe


def test_invalid_recipe_is_rejected() -> None:
    for text, message in [
        (TINY.replace("[loss]", "[losses]"), "unknown section"),
        (TINY.replace("flow = 0.2", "flows = 0.2"), "has no flows"),
        (TINY.replace('"bi"', '"bicubic"'), "degradation"),
        (TINY.replace("flow = 0.2", "output = 0.5"), "output needs a teacher"),
        (TINY.replace("flow = 0.2", 'features = 1.0\nteacher = "basicvsr"'), "in iconvsr alone"),
        (TINY.replace("warmup = 2", 'schedule = "step"'), "needs a step"),
        ("net = ", "not TOML"),
    ]:
        with pytest.raises(UsageError, match=message):
            recipe.parse(text, "tiny")
    with pytest.raises(UsageError, match="no recipe called"):
        recipe.load("no-such-recipe")


def test_all_recipes_that_ship_are_valid() -> None:
    assert {"repvsr-bi", "repvsr-bd", "repvsr-real"} <= set(recipe.known())
    for name in recipe.known():
        assert recipe.load(name).optimiser.iterations > 0


def test_learning_rate_warms_up_and_decays() -> None:
    cosine = recipe.OptimiserRecipe(iterations=100, rate=1.0, final_rate=0.1, warmup=10)
    assert cosine.rate_at(0) == pytest.approx(0.1)
    assert cosine.rate_at(10) == pytest.approx(1.0)
    assert cosine.rate_at(55) == pytest.approx(0.55)
    assert cosine.rate_at(100) == pytest.approx(0.1)
    step = replace(cosine, schedule="step", step=40)
    assert [step.rate_at(i) for i in (39, 40, 80)] == [1.0, 0.5, 0.25]
