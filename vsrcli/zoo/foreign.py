"""Knows checkpoints of other frameworks: wrappings that come off, and files that are no weights to load.

Only names and first bytes are looked at; nothing is run.
"""

from collections.abc import Mapping, Sequence

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
_ADVICE = "give the PyTorch weights (.pth or .safetensors) that it was made from"
_ONNX_START = (0x08, 0x12)  # the version of the format, then who made it: bytes 0 and 2


def foreign_format(suffix: str, head: bytes) -> str | None:
    """Return what a file is that holds no PyTorch weights, by its name's ending and its first 16 bytes; else None."""
    onnx = len(head) > 3 and (head[0], head[2]) == _ONNX_START and head[8:9] != b"{"  # which is safetensors
    if suffix.lower() == ".onnx" or onnx:
        return f"is an ONNX graph, whose net vsr cannot string over time: {_ADVICE}"
    for beginning, what in _BEGINNINGS.items():
        if head.startswith(beginning):
            return f"{what}: {_ADVICE}"
    return f"is a TensorFlow Lite model: {_ADVICE}" if head[4:8] == b"TFL3" else None


def foreign_archive(names: Sequence[str]) -> str | None:
    """Return what a zip archive is that holds no PyTorch weights, by the names of its records; else None."""
    if names and all(name.endswith(".npy") for name in names):
        return f"is a NumPy archive: {_ADVICE}"
    if any("/code/" in name for name in names):
        return f"is a TorchScript program, which would be run: {_ADVICE}"
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
