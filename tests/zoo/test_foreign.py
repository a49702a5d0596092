"""Checkpoints of other frameworks are unwrapped if they hold a known net, else the message says what they are."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from vsrcli.errors import WeightsError
from vsrcli.nets.basicvsr import BasicVSR
from vsrcli.zoo import formats

CONFIG = {"channels": 8, "blocks": 1}


@pytest.fixture(scope="module")
def net() -> nn.Module:
    torch.manual_seed(0)
    return BasicVSR(**CONFIG)


@pytest.mark.parametrize("wrapper", ["model_state_dict", "model", "weights", "params"])
@pytest.mark.parametrize("prefix", ["", "net.", "model.", "module.net.", "_orig_mod.", "netG."])
def test_wrapped_nets_load(net: nn.Module, tmp_path: Path, wrapper: str, prefix: str) -> None:
    state = {prefix + key: value for key, value in net.state_dict().items()}
    torch.save({wrapper: state, "epoch": 3}, tmp_path / "a.pth")
    loaded, architecture, _ = formats.load_net(tmp_path / "a.pth")
    assert architecture.name == "basicvsr"
    assert all(torch.equal(value, net.state_dict()[key]) for key, value in loaded.state_dict().items())


def test_a_lightning_checkpoint_loads(net: nn.Module, tmp_path: Path) -> None:
    state = {f"net.{key}": value for key, value in net.state_dict().items()}
    state["loss.weight"] = torch.zeros(1)  # beside the net
    torch.save({"state_dict": state, "pytorch-lightning_version": "2.1.0"}, tmp_path / "a.ckpt")
    assert formats.load_net(tmp_path / "a.ckpt")[1].name == "basicvsr"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ({"model_state_dict": {"head.weight": torch.zeros(2)}}, "a training state with weights under model_state_dict"),
        (
            {"state_dict": {"net.head.weight": torch.zeros(2)}, "pytorch-lightning_version": "2.1"},
            "a Lightning checkpoint",
        ),
        ({"model_state_dict": {}}, "model_state_dict"),
    ],
)
def test_other_nets_are_named(tmp_path: Path, content: dict[str, Any], what: str) -> None:
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match=what):
        formats.load_net(tmp_path / "a.pth")


@pytest.mark.parametrize(
    ("name", "data", "what"),
    [
        ("a.onnx", b"\x08\x07\x12\x07pytorch\x1a\x052.1.0", "ONNX"),
        ("a.pth", b"\x08\x07\x12\x07pytorch\x1a\x052.1.0", "ONNX"),
        ("a.h5", b"\x89HDF\r\n\x1a\n" + bytes(20), "Keras"),
        ("a.engine", b"ftrt" + bytes(20), "TensorRT"),
        ("a.param", b"7767517\n3 3\n", "ncnn"),
    ],
)
def test_files_without_weights_are_named(tmp_path: Path, name: str, data: bytes, what: str) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(WeightsError, match=what):
        formats.load_net(tmp_path / name)


def test_programs_and_arrays_are_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", weight=np.zeros(3))
    with pytest.raises(WeightsError, match="NumPy"):
        formats.load_net(tmp_path / "a.npz")
    with zipfile.ZipFile(tmp_path / "a.pt", "w") as archive:
        archive.writestr("a/code/__torch__.py", "class Net: pass")
    with pytest.raises(WeightsError, match="TorchScript"):
        formats.load_net(tmp_path / "a.pt")
