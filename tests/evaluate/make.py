"""Tiny evaluation sets of real images, and tiny real nets as checkpoints."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file

from tests.media import make
from vsrcli.media.photo.images import write_png
from vsrcli.nets.basicvsr import BasicVSR
from vsrcli.quality.report import Value


def tiny_model(path: Path, seed: int = 0) -> Path:
    """Save an untrained BasicVSR with 8 channels and one block, whose frames depend on their neighbours."""
    torch.manual_seed(seed)
    net = BasicVSR(8, 1)
    for level in range(len(net.spynet.basic_module)):
        torch.nn.init.normal_(net.get_parameter(f"spynet.basic_module.{level}.basic_module.8.weight"), std=1e-3)
    save_file(net.state_dict(), path)
    return path


def clip(folder: Path, *, frames: int = 4, width: int = 128, height: int = 96, seed: int = 0) -> Path:
    """Write a folder of numbered PNG files."""
    folder.mkdir(parents=True)
    for n in range(frames):
        write_png(folder / f"{n:03d}.png", make.pattern(n, width, height, seed=seed))
    return folder


def figure(row: Mapping[str, Value], key: str) -> float:
    """A figure of a table's row; fails where there is none."""
    value = row[key]
    assert isinstance(value, int | float), f"{key} is {value!r}"
    return value
