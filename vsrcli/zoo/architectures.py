"""Which architectures exist: where each class lives, how its checkpoints are recognised and what their shapes say."""

import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from vsrcli.nets.recurrent import RecurrentNet

Shapes = Mapping[str, tuple[int, ...]]
"""The shapes of a state dict by key."""

Config = dict[str, Any]
"""Constructor arguments."""


@dataclass(frozen=True)
class Architecture:
    """One architecture.

    `marker` begins some key of its checkpoints in BasicSR's naming, and of no architecture that stands before it in
    the table. `configure` reads the constructor's arguments from the shapes (None: only files that name their
    arguments can be loaded). `rename` leads from BasicSR's key names to the net's own.
    """

    name: str
    module: str
    class_name: str
    marker: str | None = None
    configure: Callable[[Shapes], Config] | None = None
    rename: tuple[tuple[str, str], ...] = ()

    def build(self, config: Config) -> RecurrentNet:
        """A net with random weights; the module is imported now."""
        net: RecurrentNet = getattr(importlib.import_module(self.module), self.class_name)(**config)
        return net


def count(shapes: Shapes, pattern: str) -> int:
    """How many keys match `pattern` from their start."""
    return sum(re.match(pattern, key) is not None for key in shapes)


def basicvsr_config(shapes: Shapes) -> Config:
    """Width from the fusion convolution, depth from the backward trunk."""
    return {
        "channels": shapes["fusion.weight"][0],
        "blocks": count(shapes, r"backward_trunk\.main\.2\.\d+\.conv1\.weight"),
    }


ARCHITECTURES = {
    a.name: a
    for a in (Architecture("basicvsr", "vsrcli.nets.basicvsr", "BasicVSR", "backward_trunk.", basicvsr_config),)
}
"""All architectures by name, in the order in which a checkpoint's keys are compared with their markers."""

UNSUPPORTED = {
    "image_cleaning.": "RealBasicVSR, which vsr does not run",
    "pcd_align.": "EDVR alone, which vsr runs only as a part of IconVSR",
    "basic_module.": "SPyNet alone, which is only a part of the video nets",
}
"""Known nets that cannot be loaded, by marker, so that the message can say so."""
