"""Knows checkpoints of other frameworks: wrappings that come off, and files that are no weights to load.

Only names and first bytes are looked at; nothing is run.
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path

WRAPPERS = ("params_ema", "params", "state_dict", "model_state_dict", "ema_state_dict", "model_ema", "model", "weights")
"""Under which names a training state keeps the net's weights, the preferred first."""

PREFIXES = ("module.", "_orig_mod.", "net.", "model.", "netG.", "net_g.", "ema.")
"""What parallel training, torch.compile, Lightning and others put before every key of a net."""

_BEGINNINGS = {
    b"\x89HDF": "is a Keras or HDF5 file",
    b"ftrt": "is a TensorRT engine",
    b"GGUF": "is a GGUF file",
    b"7767517": "is the description of an ncnn net",
}
_ONNX_START = (0x08, 0x12)  # the version of the format, then who made it: bytes 0 and 2


def foreign_format(path: Path) -> str | None:
    """Return what a file is that holds no PyTorch weights, None if it may hold some. Raises OSError."""
    with path.open("rb") as file:
        head = file.read(16)
    advice = "give the PyTorch weights (.pth or .safetensors) that it was made from"
    if path.suffix.lower() == ".onnx" or (len(head) > 3 and (head[0], head[2]) == _ONNX_START):
        return f"is an ONNX graph, whose net vsr cannot string over time: {advice}"
    for beginning, what in _BEGINNINGS.items():
        if head.startswith(beginning):
            return f"{what}: {advice}"
    if head[4:8] == b"TFL3":
        return f"is a TensorFlow Lite model: {advice}"
    if head.startswith(b"PK\x03\x04") and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
        if names and all(name.endswith(".npy") for name in names):
            return f"is a NumPy archive: {advice}"
        if any("/code/" in name for name in names):
            return f"is a TorchScript program, which would be run: {advice}"
    return None


def wrapping(content: object) -> str:
    """Return how a checkpoint is wrapped, in a few words for a message; empty if it is bare."""
    if not isinstance(content, Mapping):
        return ""
    if "pytorch-lightning_version" in content:
        return "a Lightning checkpoint"
    found = next((name for name in WRAPPERS if isinstance(content.get(name), Mapping)), None)
    return f"a training state with weights under {found}" if found else ""


def bare(key: str) -> str:
    """Return a key without what frameworks put before it."""
    while (prefix := next((prefix for prefix in PREFIXES if key.startswith(prefix)), None)) is not None:
        key = key.removeprefix(prefix)
    return key
