"""What the file of a net declares: how its checkpoints are recognised, and how their shapes give its configuration.

The module of each net that can be loaded ends with one `Architecture` called ARCHITECTURE, and
`vsrcli/zoo/architectures.py` lists those modules. So a new net needs one file here, a line there, and its models in the
catalogue. Options, the feature module and all that planning needs are class attributes of the net (`RecurrentNet`).
"""

import inspect
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

BOUNDS = {
    "channels": (1, 256),
    "hidden": (1, 256),
    "blocks": (0, 128),
    "cleaning_blocks": (0, 128),
    "reconstruction_blocks": (0, 128),
    "layers": (1, 128),
    "passes": (1, 16),
    "frames": (1, 15),
    "padding": (0, 7),
    "keyframe_interval": (0, 1_000_000),
    "scale": (1, 8),
    "bicubic": (False, True),
    "attention": (False, True),
    "deblur": (False, True),
    "fine": (False, True),
}
"""Smallest and largest value of each argument that a checkpoint may ask for, whatever its net. The papers have up to
128 channels, 60 blocks and windows of 7 frames. A net that needs tighter bounds checks them in its constructor."""


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

    `marker`, or one of several, is a prefix of some key of its checkpoints in BasicSR's naming, and of no key of an
    architecture after it in the list. `configure` reads the constructor's arguments from the shapes. `adapt` converts
    the checkpoint's state dict to the net's own. Both may raise KeyError, IndexError, ValueError, ZeroDivisionError or
    RuntimeError where the checkpoint holds no such net. `kernels` returns the smallest number of 3x3 convolutions from
    `channels` to `channels` in a net of these arguments.
    """

    name: str
    net: type[RecurrentNet]
    marker: str | tuple[str, ...]
    configure: Callable[[Shapes], Config]
    adapt: Callable[[StateDict], StateDict] = unchanged
    kernels: Callable[[Config], int] = TWO_A_BLOCK

    def build(self, config: Config) -> RecurrentNet:
        """Return a net with random weights."""
        return self.net(**config)

    def check(self, config: Config, weights: int) -> None:
        """Raise ValueError, naming the argument, unless all are numbers (or lists of them) within `BOUNDS`.

        `weights` is the number of weights in the file. It must be enough for the convolutions that `kernels` counts, so
        that the net is not much larger than the file.
        """
        for name, value in config.items():
            if name not in BOUNDS:
                raise ValueError(f"{name!r:.40} is not known")
            least, most = BOUNDS[name]
            numbers = value if isinstance(value, list) and len(value) <= _LONGEST_LIST else [value]
            if not all(type(n) is type(least) and least <= n <= most for n in numbers):
                raise ValueError(f"{name!r} must be from {least} to {most}")
        whole = {name: each.default for name, each in inspect.signature(self.net).parameters.items()} | config
        if 9 * whole["channels"] ** 2 * max(1, self.kernels(whole)) > weights:
            raise ValueError(f"the file's {weights} weights are too few")


_LONGEST_LIST = 8  # of depths by scale


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
