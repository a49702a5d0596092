"""Checkpoints that claim too much are rejected with one line, before anything of them is built."""

import json
import os
import struct
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from vsrcli.errors import WeightsError
from vsrcli.nets.basicvsr import BasicVSR
from vsrcli.nets.repvsr import RepVSR
from vsrcli.zoo import load

CONFIG: dict[str, Any] = {"channels": 16, "blocks": 2, "scale": 4}


def refusal(path: Path) -> str:
    with pytest.raises(WeightsError) as caught:
        load(path)
    message = str(caught.value)
    assert message.isprintable() and len(message) < len(str(path)) + 400
    return message


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    return RepVSR(**CONFIG).state_dict()


@pytest.fixture(scope="module")
def trunk() -> dict[str, Tensor]:
    """Return the tensors by which a small BasicVSR is recognised."""
    state = BasicVSR(8, 1).state_dict()
    return {key: value for key, value in state.items() if key.startswith("backward_trunk.")}


def pickled(path: Path, data: bytes, compression: int = zipfile.ZIP_STORED) -> Path:
    """Return a file in PyTorch's format with this pickle."""
    torch.save({"a": torch.zeros(2)}, path)
    with zipfile.ZipFile(path) as archive:
        records = {record.filename: archive.read(record) for record in archive.infolist()}
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in records.items():
            archive.writestr(name, data if name.endswith("data.pkl") else content)
    return path


@pytest.mark.parametrize("name", sorted(CONFIG))
@pytest.mark.parametrize(
    "value", [-1, 30_000, 10**9, 10**30, True, "2", [2], [], None, {}, 2.5, float("nan"), "x" * 10**5]
)
def test_invalid_arguments_in_metadata_are_rejected(
    name: str, value: Any, weights: dict[str, Tensor], tmp_path: Path
) -> None:
    about = json.dumps({"arch": "repvsr", "config": {**CONFIG, name: value}})
    save_file(weights, tmp_path / "net.safetensors", metadata={"vsr": about})
    assert "no repvsr can be built" in refusal(tmp_path / "net.safetensors")


@pytest.mark.parametrize(
    "about",
    [
        "[1]",
        '"x"',
        "1",
        "null",
        "[[",
        "[" * 10**5 + "]" * 10**5,
        '{"a":' * 10**5,
        '{"arch":["repvsr"],"config":{}}',
        '{"arch":{},"config":{}}',
        '{"arch":"repvsr","config":[]}',
        '{"arch":"repvsr"}',
        "1" * 6000,
        json.dumps({"arch": "\x1b]0;x\x07\n" * 500, "config": {}}),
        json.dumps({"arch": "repvsr", "config": {"\x1b[2J\n": 1}}),
        json.dumps({"arch": "repvsr", "config": {**CONFIG, "channels": 256, "blocks": 128}}),
    ],
)
def test_invalid_metadata_is_rejected(about: str, weights: dict[str, Tensor], tmp_path: Path) -> None:
    save_file(weights, tmp_path / "net.safetensors", metadata={"vsr": about})
    refusal(tmp_path / "net.safetensors")


def test_special_files_are_rejected(tmp_path: Path) -> None:
    assert "no regular file" in refusal(tmp_path)
    if os.name == "posix":
        os.mkfifo(tmp_path / "fifo.pth")
        (tmp_path / "device.pth").symlink_to("/dev/zero")
        assert "no regular file" in refusal(tmp_path / "fifo.pth")
        assert "no regular file" in refusal(tmp_path / "device.pth")


def test_zip_bomb_is_rejected(tmp_path: Path) -> None:
    path = pickled(tmp_path / "bomb.pth", b"\x80\x02}N" + bytes(10**7), zipfile.ZIP_DEFLATED)
    assert "compressed archive" in refusal(path)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x80\x02}N" + b"\x85" * 100_000 + b"K\x01s.", "deep"),
        (b"\x80\x02}N" + b"\x85q\x01h\x01" * 1000 + b"K\x01s.", "deep"),
        (b"\x80\x02" + b"]" * 1000 + b"a" * 999 + b".", "deep"),
        (b"\x80\x02" + b"N0" * 900_000 + b"}.", "length"),
        (b"\x80\x02cbuiltins\nbytearray\n\x8a\x05\x00\x00\x00\x00\x10\x85R.", "builtins.bytearray"),
        (b"\x80\x02c_codecs\nencode\n0}.", "_codecs.encode"),
        (b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R.", "os.system"),
        (b"\x80\x02000.", "damaged"),
        (b"\xff\x00", "damaged"),
    ],
    ids=["tuple", "memo", "list", "long", "bytearray", "encode", "call", "pops", "garbage"],
)
def test_malicious_pickles_are_rejected(data: bytes, words: str, tmp_path: Path) -> None:
    assert words in refusal(pickled(tmp_path / "net.pth", data))
    if words == "deep":
        head = b"\x80\x02M\xe9\x03.\x80\x02}."
        (tmp_path / "old.pth").write_bytes(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19." + head + data)
        assert words in refusal(tmp_path / "old.pth")


def test_unsuitable_tensors_are_rejected(trunk: dict[str, Tensor], tmp_path: Path) -> None:
    def complaint(**odd: Tensor) -> str:
        torch.save({**trunk, **{key.replace("__", "."): value for key, value in odd.items()}}, tmp_path / "net.pth")
        return refusal(tmp_path / "net.pth")

    one = torch.zeros(1)
    assert "more numbers" in complaint(backward_trunk__main__0__weight=one.expand(10**6, 11, 3, 3))
    assert "channels" in complaint(backward_trunk__main__0__weight=one.repeat(1000)[:, None, None, None])
    assert "channels" in complaint(backward_trunk__main__0__weight=torch.zeros(0, 11, 3, 3))
    assert "fit none" in complaint(backward_trunk__main__0__weight=torch.tensor(1.0))
    assert "sparse" in complaint(a=torch.zeros(3, 3).to_sparse())
    assert "sparse" in complaint(a=torch.zeros(3, device="meta"))
    assert "complex" in complaint(a=torch.zeros(3, dtype=torch.complex64))
    assert "characters" in complaint(**{"a." * 1000: one})
    blocks = {f"backward_trunk__main__2__{i}__conv1__weight": torch.zeros(0) for i in range(200)}
    assert "blocks" in complaint(**blocks)


def test_names_in_messages_are_one_clean_line(tmp_path: Path) -> None:
    torch.save({"\x1b]0;x\x07\n" + "k" * 250: torch.zeros(1)}, tmp_path / "net.pth")
    assert r"\x1b]0;x\x07\nkkk" in refusal(tmp_path / "net.pth")


def test_a_flipped_bit_in_the_weights_is_noticed(weights: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    torch.save(weights, path)
    data = bytearray(path.read_bytes())
    largest = max(weights.values(), key=torch.Tensor.numel).numpy().tobytes()
    data[data.index(largest) + len(largest) // 2] ^= 1
    path.write_bytes(data)
    assert "is damaged or not a checkpoint" in refusal(path)


@pytest.mark.parametrize("header", [b"{" + b" " * (5 << 20), b'{"a":' * 10**5, b"{}"], ids=["long", "deep", "lie"])
def test_invalid_headers_are_rejected(header: bytes, tmp_path: Path) -> None:
    length = 2**62 if header == b"{}" else len(header)
    (tmp_path / "net.safetensors").write_bytes(struct.pack("<Q", length) + header)
    refusal(tmp_path / "net.safetensors")


def test_too_many_keys_or_weights_are_rejected(tmp_path: Path) -> None:
    nothing = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    header = json.dumps({f"backward_trunk.{i}": nothing for i in range(9000)}).encode()
    (tmp_path / "many.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    assert "more than 8000" in refusal(tmp_path / "many.safetensors")
    with (tmp_path / "large.pth").open("wb") as file:
        file.truncate(3 << 30)
    assert "3.0 GiB" in refusal(tmp_path / "large.pth")


@pytest.mark.parametrize("zipped", [True, False])
def test_whole_training_states_and_old_files_load(zipped: bool, weights: dict[str, Tensor], tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    content = {"state_dict": weights, "meta": {"epoch": 1, "log": [{"loss": [0.5] * 100}]}}
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    assert load(path).arch == "repvsr"
