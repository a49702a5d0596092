"""A small net of each architecture with random weights, to run every net through the whole program."""

from typing import Any

import torch

from vsrcli.nets.recurrent import RecurrentNet
from vsrcli.zoo.architectures import ARCHITECTURES

SMALL: dict[str, dict[str, Any]] = {
    "basicvsr": {"channels": 16, "blocks": 1},
    "basicvsr-uni": {"channels": 16, "blocks": 1},
    "iconvsr": {"channels": 16, "blocks": 1},
    "basicvsr++": {"channels": 16, "blocks": 1},
    "edvr": {"channels": 16, "frames": 5, "blocks": 1},
    "repvsr": {},
    "realbasicvsr": {"channels": 16, "blocks": 1, "cleaning_blocks": 1},
    "animesr": {"channels": 8, "blocks": (3, 2, 1), "hidden": 8},
    "nanovsr": {"channels": 8, "blocks": 2},
    "rrn": {"channels": 16, "blocks": 1},
    "rlsp": {"channels": 16, "layers": 3, "hidden": 8},
    "frvsr": {"channels": 16, "blocks": 1, "bicubic": False},
    "rsdn": {"channels": 16, "blocks": 1},
    "dflow": {"channels": 8, "blocks": 1},
    "tdan": {"channels": 16, "blocks": 1, "reconstruction_blocks": 1},
    "fastdvdnet": {"channels": 8, "hidden": 4},
    "zsm": {"channels": 16, "blocks": 1, "reconstruction_blocks": 1},
}
"""Constructor arguments by architecture."""


def small(arch: str) -> RecurrentNet:
    """Return a small net of an architecture in eval mode, always the same."""
    torch.manual_seed(0)
    return ARCHITECTURES[arch].build(SMALL[arch]).eval()
