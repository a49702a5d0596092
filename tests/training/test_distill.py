"""Every net can be taught from and learn: its features are found, one a frame."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from vsrcli.nets.basicvsr import BasicVSR
from vsrcli.nets.basicvsrpp import BasicVSRPP
from vsrcli.nets.edvr import EDVR
from vsrcli.nets.iconvsr import IconVSR
from vsrcli.nets.recurrent import RecurrentNet
from vsrcli.nets.repvsr import RepVSR
from vsrcli.training.data import write_pack
from vsrcli.training.distill import FEATURES, feature_channels, tapped

NETS: dict[type[RecurrentNet], Callable[[], RecurrentNet]] = {
    BasicVSR: lambda: BasicVSR(8, 1),
    IconVSR: lambda: IconVSR(16, 1),
    BasicVSRPP: lambda: BasicVSRPP(16, 1),
    EDVR: lambda: EDVR(),
    RepVSR: lambda: RepVSR(),
}


@pytest.mark.parametrize("kind", NETS, ids=lambda kind: kind.__name__)
def test_every_net_s_features_are_found_one_a_frame(kind: type[RecurrentNet]) -> None:
    net = NETS[kind]().eval()
    side = max(net.min_size, 8 * net.multiple)
    with torch.no_grad(), tapped(net) as seen:
        net(torch.rand(1, 3, 3, side, side))
    assert [tuple(x.shape[::2]) for x in seen] == [(1, side)] * 3
    assert feature_channels(net, torch.device("cpu")) == seen[0].shape[1]


def test_no_name_stands_for_a_net_that_is_not_there() -> None:
    assert set(FEATURES) == {kind.__name__ for kind in NETS}


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
