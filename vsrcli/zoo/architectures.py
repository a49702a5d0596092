"""Which architectures exist: where each class lives, how its checkpoints are recognised and what their shapes say."""

import importlib
import math
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

    `marker` begins some key of its checkpoints in BasicSR's naming, and none of an architecture that stands after it
    in the table. `configure` reads the constructor's arguments from the shapes. `rename` leads from BasicSR's key
    names to the net's own.
    """

    name: str
    module: str
    class_name: str
    marker: str
    configure: Callable[[Shapes], Config]
    rename: tuple[tuple[str, str], ...] = ()

    def build(self, config: Config) -> RecurrentNet:
        """A net with random weights; the module is imported now."""
        net: RecurrentNet = getattr(importlib.import_module(self.module), self.class_name)(**config)
        return net


def count(shapes: Shapes, pattern: str) -> int:
    """How many keys match `pattern` from their start."""
    return sum(re.match(pattern, key) is not None for key in shapes)


def trunk_config(shapes: Shapes, trunk: str) -> Config:
    """Width and depth of a residual trunk whose keys begin with `trunk`."""
    return {
        "channels": shapes[f"{trunk}.main.0.weight"][0],
        "blocks": count(shapes, re.escape(trunk) + r"\.main\.2\.\d+\.conv1\.weight"),
    }


def basicvsr_config(shapes: Shapes) -> Config:
    """Width and depth from the backward trunk."""
    return trunk_config(shapes, "backward_trunk")


def realbasicvsr_config(shapes: Shapes) -> Config:
    """Width and depth from the backward trunk, the cleaning module's depth from its own."""
    return {
        **trunk_config(shapes, "backward_trunk"),
        "cleaning_blocks": trunk_config(shapes, "image_cleaning.0")["blocks"],
    }


def iconvsr_config(shapes: Shapes) -> Config:
    """Width and depth from the backward trunk, the refill window's reach from the frames that EDVR fuses."""
    fused, joined, *_ = shapes["edvr.fusion.feat_fusion.weight"]
    return {**trunk_config(shapes, "backward_trunk"), "padding": joined // fused // 2}


def basicvsrpp_config(shapes: Shapes) -> Config:
    """Width and depth from the first backward trunk."""
    return trunk_config(shapes, "backbone.backward_1")


def edvr_config(shapes: Shapes) -> Config:
    """Width and window from the fusion convolution, depth from the reconstruction."""
    fused, joined, *_ = shapes["fusion.feat_fusion.weight"]
    return {
        "channels": fused,
        "frames": joined // fused,
        "blocks": count(shapes, r"reconstruction\.\d+\.conv1\.weight"),
    }


def repvsr_config(shapes: Shapes) -> Config:
    """Width, depth and scale of a merged net."""
    return {
        "channels": shapes["srnet.head.weight"][0],
        "blocks": count(shapes, r"srnet\.body\.\d+\.conv1\.weight"),
        "scale": math.isqrt(shapes["srnet.tail.weight"][0] // 3),
    }


def animesr_config(shapes: Shapes) -> Config:
    """Width from the first convolution, depths by scale, the hidden state's channels from those that come out."""
    cell = "recurrent_cell."
    return {
        "channels": shapes[cell + "conv_s1_first.0.weight"][0],
        "blocks": [count(shapes, rf"{re.escape(cell)}body_s{s}_first\.\d+\.conv1\.weight") for s in (1, 2, 4)],
        "hidden": shapes[cell + "fusion.2.weight"][0] - 3 * 4**2,
    }


ARCHITECTURES = {
    a.name: a
    for a in (
        Architecture(
            "basicvsr++",
            "vsrcli.nets.basicvsrpp",
            "BasicVSRPP",
            marker="backbone.",
            configure=basicvsrpp_config,
            rename=((r"^upconv(\d)\.", r"upsample\1.upsample_conv."),),
        ),
        Architecture(
            "realbasicvsr",
            "vsrcli.nets.realbasicvsr",
            "RealBasicVSR",
            marker="image_cleaning.",
            configure=realbasicvsr_config,
        ),
        Architecture("iconvsr", "vsrcli.nets.iconvsr", "IconVSR", marker="edvr.", configure=iconvsr_config),
        Architecture(
            "basicvsr", "vsrcli.nets.basicvsr", "BasicVSR", marker="backward_trunk.", configure=basicvsr_config
        ),
        Architecture("edvr", "vsrcli.nets.edvr", "EDVR", marker="reconstruction.0.", configure=edvr_config),
        Architecture("repvsr", "vsrcli.nets.repvsr", "RepVSR", marker="srnet.", configure=repvsr_config),
        Architecture("animesr", "vsrcli.nets.animesr", "AnimeSR", marker="recurrent_cell.", configure=animesr_config),
    )
}
"""All architectures by name, in the order in which a checkpoint's keys are compared with their markers."""

UNSUPPORTED = {
    "pcd_align.": "EDVR's feature extractor alone, which is only a part of IconVSR",
    "basic_module.": "SPyNet alone, which is only a part of the video nets",
}
"""Known nets that cannot be loaded, by marker, so that the message can say so."""
