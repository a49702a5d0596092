"""A tiny pack for all training tests."""

from pathlib import Path

import pytest
from safetensors.torch import save_file

from tests.training.make import textured


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.safetensors"
    save_file(
        {"train/a": textured(5, 64, 64), "train/b": textured(5, 64, 72, 1), "validation/c": textured(3, 48, 48, 2)},
        path,
    )
    return path
