"""Recognise checkpoints of other frameworks: wrappers that can be removed, and files without PyTorch weights.

Only names and first bytes are examined; nothing is run.
"""

from collections.abc import Mapping, Sequence

WRAPPERS = ("params_ema", "params", "state_dict", "model_state_dict", "ema_state_dict", "model_ema", "model", "weights")
"""Names under which training states keep the net's weights, the preferred first."""

PREFIXES = ("module.", "_orig_mod.", "net.", "model.", "netG.", "net_g.", "ema.")
"""Prefixes that parallel training, torch.compile, Lightning and others add to all keys of a net."""

_BEGINNINGS = {
    b"\x89HDF": "is a Keras or HDF5 file",
    b"ftrt": "is a TensorRT engine",
    b"GGUF": "is a GGUF file",
    b"7767517": "is the description of an ncnn net",
}
_ADVICE = "use the PyTorch weights (.pth or .safetensors) from which it was made"
_ONNX_START = (0x08, 0x12)  # bytes 0 and 2: tags of the format's version and of the producer's name


def foreign_format(suffix: str, head: bytes) -> str | None:
    """Return a description of a file that holds no PyTorch weights, from its suffix and first 16 bytes, else None."""
    # a header of safetensors begins so
    onnx = len(head) > 3 and (head[0], head[2]) == _ONNX_START and head[8:9] != b"{"
    if suffix.lower() == ".onnx" or onnx:
        return f"is an ONNX graph, which vsr cannot run frame by frame: {_ADVICE}"
    for beginning, what in _BEGINNINGS.items():
        if head.startswith(beginning):
            return f"{what}: {_ADVICE}"
    return f"is a TensorFlow Lite model: {_ADVICE}" if head[4:8] == b"TFL3" else None


def foreign_archive(names: Sequence[str]) -> str | None:
    """Return a description of a zip archive without PyTorch weights, from the names of its records, else None."""
    if names and all(name.endswith(".npy") for name in names):
        return f"is a NumPy archive: {_ADVICE}"
    if any("/code/" in name for name in names):
        return f"is a TorchScript program, and vsr runs no code from files: {_ADVICE}"
    return None


def wrapping(content: object) -> str:
    """Return a short description of how a checkpoint is wrapped, for a message; empty if it is not."""
    if not isinstance(content, Mapping):
        return ""
    if "pytorch-lightning_version" in content:
        return "a Lightning checkpoint"
    found = next((name for name in WRAPPERS if isinstance(content.get(name), Mapping)), None)
    return f"a training state with weights under {found}" if found else ""


def is_training_state(content: object) -> bool:
    """Return whether a checkpoint is what `vsr train` goes on from (last.pt)."""
    return isinstance(content, Mapping) and {"recipe", "net", "optimiser", "average"} <= content.keys()


def without_prefixes(key: str) -> str:
    """Return a key without the prefixes of frameworks."""
    while (prefix := next((prefix for prefix in PREFIXES if key.startswith(prefix)), None)) is not None:
        key = key.removeprefix(prefix)
    return key
