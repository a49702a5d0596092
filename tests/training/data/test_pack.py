"""Packs are read, or rejected by name, and written completely or not at all."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from tests.training.make import TINY, textured
from vsrcli.errors import InputError, UsageError
from vsrcli.training import recipe
from vsrcli.training.data.pack import Pack, write_pack
from vsrcli.training.data.sampler import Sampler


def test_invalid_pack_is_named_in_the_error(tmp_path: Path) -> None:
    (tmp_path / "not.safetensors").write_bytes(b"no pack")
    for name, reason in (("not", "not a pack of training clips"), ("missing", "does not exist")):
        with pytest.raises(InputError, match=rf"{name}\.safetensors:? {reason}"):
            Pack([tmp_path / f"{name}.safetensors"])
    save_file({"train/short": textured(2, 64, 64)}, tmp_path / "short.safetensors")
    with pytest.raises(UsageError, match="clips have 2 frames of 64x64; the recipe wants 3 of 48x48"):
        Sampler(Pack([tmp_path / "short.safetensors"]), recipe.parse(TINY, "tiny").data, 4, 0)


def test_failed_write_leaves_the_old_pack(tmp_path: Path) -> None:
    path = tmp_path / "pack.safetensors"
    assert write_pack(path, {"train/a": torch.zeros(1)}, {}) == 1
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_pack(path, {"train/a": torch.zeros(1)}, {"not": {1, 2}})
    shared = torch.zeros(4)
    with pytest.raises(RuntimeError):  # after the file was begun or before: it must not matter
        write_pack(path, {"train/a": shared, "train/b": shared[1:]}, {})
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["pack.safetensors"]
