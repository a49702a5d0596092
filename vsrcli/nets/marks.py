"""The description of a net: how its checkpoints are recognised, and how its configuration follows from their shapes.

The module of each net that can be loaded ends with one `Architecture` called ARCHITECTURE, by which
`vsrcli/zoo/architectures.py` finds it. So a new net needs one file here and its models in the catalogue. Options, the
feature module and all that planning needs are class attributes of the net (`RecurrentNet`).
"""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from vsrcli.nets.recurrent import RecurrentNet

Shapes = Mapping[str, tuple[int, ...]]
"""The shapes of a state dict by key."""

Config = dict[str, Any]
"""Constructor arguments."""

StateDict = dict[str, Tensor]
"""Tensors by key."""

Bounds = Mapping[str, tuple[int, int]]
"""Smallest and largest value of constructor arguments that a checkpoint may ask for."""

BOUNDS: Bounds = {"channels": (1, 256), "blocks": (0, 128), "scale": (1, 8)}
"""Bounds of the arguments that most nets have. The papers have up to 128 channels and 60 blocks. Those of a net's other
arguments are given by its `Architecture`; a net that needs tighter bounds checks them in its constructor."""


def unchanged(state: StateDict) -> StateDict:
    """Return the state dict as it is."""
    return state


def in_blocks(each: int) -> Callable[[Config], int]:
    """Return a `kernels` function for nets that have `each` such convolutions in every block."""

    def kernels(config: Config) -> int:
        depths = [value for name, value in config.items() if name.endswith("blocks")]
        return each * sum(sum(depth) if isinstance(depth, list | tuple) else depth for depth in depths)

    return kernels


TWO_A_BLOCK = in_blocks(2)


@dataclass(frozen=True)
class Architecture:
    """One architecture: its name, the class of its net, and how to read its checkpoints.

    `marker`, or one of several, is a prefix of some key of its checkpoints in BasicSR's naming. `before` names
    architectures whose markers its checkpoints have too: this one is tried first. `configure` reads the constructor's
    arguments from the shapes. `adapt` converts the checkpoint's state dict to the net's own. Both may raise KeyError,
    IndexError, ValueError, ZeroDivisionError or RuntimeError where the checkpoint holds no such net. `kernels` returns
    the smallest number of 3x3 convolutions from `channels` to `channels` in a net of these arguments. `bounds` are
    those of arguments that are not in `BOUNDS`.
    """

    name: str
    net: type[RecurrentNet]
    marker: str | tuple[str, ...]
    configure: Callable[[Shapes], Config]
    adapt: Callable[[StateDict], StateDict] = unchanged
    kernels: Callable[[Config], int] = TWO_A_BLOCK
    bounds: Bounds = field(default_factory=dict)
    before: tuple[str, ...] = ()

    def build(self, config: Config) -> RecurrentNet:
        """Return a net with random weights."""
        return self.net(**config)

    def check(self, config: Config, weights: int) -> None:
        """Raise ValueError, naming the argument, unless all are numbers (or lists of them) within their bounds.

        `weights` is the number of weights in the file. It must be enough for the convolutions that `kernels` counts, so
        that the net is not much larger than the file.
        """
        bounds = {**BOUNDS, **self.bounds}
        for name, value in config.items():
            if name not in bounds:
                raise ValueError(f"{name!r:.40} is not known")
            least, most = bounds[name]
            numbers = value if isinstance(value, list) and len(value) <= _LONGEST_LIST else [value]
            if not all(type(n) is type(least) and least <= n <= most for n in numbers):
                raise ValueError(f"{name!r} must be from {least} to {most}")
        whole = {name: each.default for name, each in inspect.signature(self.net).parameters.items()} | config
        if 9 * whole["channels"] ** 2 * max(1, self.kernels(whole)) > weights:
            raise ValueError(f"the file's {weights} weights are too few")


_LONGEST_LIST = 8  # AnimeSR has three depths, one for each size


def count(shapes: Shapes, pattern: str) -> int:
    """Return the number of keys that match `pattern` from their start."""
    return sum(re.match(pattern, key) is not None for key in shapes)


def trunk_config(shapes: Shapes, trunk: str) -> Config:
    """Return width and depth of the `ResidualTrunk` whose keys begin with `trunk`."""
    return {
        "channels": shapes[f"{trunk}.main.0.weight"][0],
        "blocks": count(shapes, re.escape(trunk) + r"\.main\.2\.\d+\.conv1\.weight"),
    }


def renamed(*rules: tuple[str, str]) -> Callable[[StateDict], StateDict]:
    """Return an `adapt` function that applies the rules (pattern, replacement) to each key, in order."""

    def adapt(state: StateDict) -> StateDict:
        for pattern, replacement in rules:
            state = {re.sub(pattern, replacement, key): value for key, value in state.items()}
        return state

    return adapt
