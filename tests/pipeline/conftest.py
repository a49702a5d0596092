"""A tiny real model as a checkpoint file, and a tiny real film."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.media import make
from vsrcli.nets.basicvsr import BasicVSR


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """BasicVSR with 8 channels and one block: fast, and not trained."""
    torch.manual_seed(0)
    net = BasicVSR(8, 1)
    for level in net.spynet.basic_module:
        torch.nn.init.normal_(level.basic_module[-1].weight, std=1e-3)
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_file(net.state_dict(), path)
    return str(path)


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 frames of 64x48 with two sound tracks, subtitles, chapters, a cover and tags."""
    return make.rich(tmp_path_factory.mktemp("film") / "film.mkv")
