"""A tiny model and a set of two clips whose sizes are no multiples of 4."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.evaluate.make import clip, tiny_model
from vsrcli import zoo
from vsrcli.nets.recurrent import RecurrentNet


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def net(tmp_path_factory: pytest.TempPathFactory) -> RecurrentNet:
    return zoo.load(tiny_model(tmp_path_factory.mktemp("model") / "tiny.safetensors")).net


@pytest.fixture(scope="session")
def two_clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("set")
    clip(root / "first", width=74, height=58)
    clip(root / "second", width=74, height=58, seed=1)
    return root
