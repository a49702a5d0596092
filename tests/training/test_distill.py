"""Every net can be taught from and learn: its features are found, one a frame."""

from pathlib import Path

import pytest
import torch

from tests.nets.small import small
from vsrcli.training.data.pack import write_pack
from vsrcli.training.distill.teacher import feature_channels, tapped
from vsrcli.zoo.architectures import ARCHITECTURES


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_net_s_features_are_found_one_a_frame(arch: str) -> None:
    net = small(arch)
    side = max(net.min_size, 8 * net.multiple)
    with torch.no_grad(), tapped(net) as seen:
        net(torch.rand(1, 3, 3, side, side))
    assert [tuple(x.shape[::2]) for x in seen] == [(1, side)] * 3
    assert feature_channels(net, torch.device("cpu")) == seen[0].shape[1]


def test_a_pack_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
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
