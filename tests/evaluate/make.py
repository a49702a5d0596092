"""Tiny evaluation sets of real images, and tiny real nets as checkpoints."""

from pathlib import Path

import torch
from safetensors.torch import save_file

from tests.media import make
from vsrcli.media.images import write_png
from vsrcli.nets.basicvsr import BasicVSR


def tiny_model(path: Path, seed: int = 0) -> Path:
    """BasicVSR with 8 channels and one block, not trained, whose frames do depend on their neighbours."""
    torch.manual_seed(seed)
    net = BasicVSR(8, 1)
    for level in net.spynet.basic_module:
        torch.nn.init.normal_(level.basic_module[-1].weight, std=1e-3)
    save_file(net.state_dict(), path)
    return path


def clip(folder: Path, *, frames: int = 4, width: int = 128, height: int = 96, seed: int = 0) -> Path:
    """A folder of numbered PNG."""
    folder.mkdir(parents=True)
    for n in range(frames):
        write_png(folder / f"{n:03d}.png", make.pattern(n, width, height, seed=seed))
    return folder
