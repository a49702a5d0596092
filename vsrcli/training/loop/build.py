"""Build the net of a recipe, and the groups of its parameters."""

from collections.abc import Callable
from inspect import signature
from typing import Any

from torch import nn

from vsrcli.errors import UsageError
from vsrcli.nets.recurrent import RecurrentNet
from vsrcli.training.loop.warm import reuse_weights
from vsrcli.training.recipe import OptimiserRecipe, Recipe
from vsrcli.zoo import loading
from vsrcli.zoo.architectures import ARCHITECTURES

Say = Callable[[str], None]


def build(recipe: Recipe, say: Say) -> RecurrentNet:
    """Return the recipe's net, with new weights except for those reused from `start`.

    Raises UsageError if the architecture or a key of its config is unknown, or nothing of `start` fits.
    """
    if recipe.net.arch not in ARCHITECTURES:
        listed = ", ".join(sorted(ARCHITECTURES))
        raise UsageError(f"recipe {recipe.name}: no architecture called {recipe.net.arch}: choose {listed}")
    architecture = ARCHITECTURES[recipe.net.arch]
    try:
        net = architecture.build(dict(recipe.net.config))
    except TypeError as error:
        reason, known = str(error).split("() ")[-1], ", ".join(signature(architecture.net).parameters)
        raise UsageError(f"recipe {recipe.name}: [net] config {reason}; {recipe.net.arch} takes {known}") from None
    if recipe.net.start:
        given = loading.load(recipe.net.start, say=say).net.state_dict()
        if recipe.net.start_parts:
            given = {key: value for key, value in given.items() if key.startswith(recipe.net.start_parts)}
        taken = reuse_weights(net, given)
        if not taken:
            raise UsageError(f"recipe {recipe.name}: no weights of {recipe.net.start} fit the net")
        say(f"reused {taken} of the {len(given)} tensors of {recipe.net.start}")
    return net


def groups_of(net: nn.Module, recipe: OptimiserRecipe) -> list[dict[str, Any]]:
    """Return groups of parameters for the optimiser by the factor of their rate.

    Frozen ones get no gradient; those that are frozen for good are in no group.
    """
    groups: dict[float, list[nn.Parameter]] = {}
    for name, parameter in net.named_parameters():
        frozen = recipe.is_frozen(name)
        if frozen:
            parameter.requires_grad_(False)
        if not frozen or recipe.frozen_iterations:
            groups.setdefault(recipe.factor_of(name), []).append(parameter)
    return [{"params": parameters, "factor": factor} for factor, parameters in groups.items()]


def thaw(net: nn.Module, recipe: OptimiserRecipe, iteration: int) -> None:
    """Let the parameters that are frozen at first be trained from iteration `frozen_iterations` on, and not before."""
    for name, parameter in net.named_parameters():
        if recipe.is_frozen(name):
            parameter.requires_grad_(iteration >= recipe.frozen_iterations)
