"""What a net's own file says about it: how its checkpoints are recognised, and what their shapes tell.

The module of each net that can be loaded ends with one `Architecture` called ARCHITECTURE, and
`vsrcli/zoo/architectures.py` lists those modules. So a new net is one file here, a line there, and its models in the
catalogue. Options, the feature module and all that planning needs are class attributes of the net (`RecurrentNet`).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from vsrcli.nets.recurrent import RecurrentNet

Shapes = Mapping[str, tuple[int, ...]]
"""The shapes of a state dict by key."""

Config = dict[str, Any]
"""Constructor arguments."""

StateDict = dict[str, Tensor]
"""Tensors by key."""


def unchanged(state: StateDict) -> StateDict:
    """Return the state dict as it is."""
    return state


@dataclass(frozen=True)
class Architecture:
    """One architecture: its name, its net's class, and how to read its checkpoints.

    `marker`, or one of several, begins some key of its checkpoints in BasicSR's naming, and none of an architecture
    that stands after it in the list. `configure` reads the constructor's arguments from the shapes, `adapt` makes the
    net's own state dict of the checkpoint's; both may raise KeyError, IndexError, ValueError, ZeroDivisionError or
    RuntimeError where the checkpoint holds no such net.
    """

    name: str
    net: type[RecurrentNet]
    marker: str | tuple[str, ...]
    configure: Callable[[Shapes], Config]
    adapt: Callable[[StateDict], StateDict] = unchanged

    def build(self, config: Config) -> RecurrentNet:
        """Return a net with random weights."""
        return self.net(**config)


def count(shapes: Shapes, pattern: str) -> int:
    """Return how many keys match `pattern` from their start."""
    return sum(re.match(pattern, key) is not None for key in shapes)


def trunk_config(shapes: Shapes, trunk: str) -> Config:
    """Return width and depth of a `ResidualTrunk` whose keys begin with `trunk`."""
    return {
        "channels": shapes[f"{trunk}.main.0.weight"][0],
        "blocks": count(shapes, re.escape(trunk) + r"\.main\.2\.\d+\.conv1\.weight"),
    }


def renamed(*rules: tuple[str, str]) -> Callable[[StateDict], StateDict]:
    """Return an `adapt` that puts each key through the rules (pattern, replacement), in order."""

    def adapt(state: StateDict) -> StateDict:
        for pattern, replacement in rules:
            state = {re.sub(pattern, replacement, key): value for key, value in state.items()}
        return state

    return adapt
