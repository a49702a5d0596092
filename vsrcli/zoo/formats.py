"""Checkpoint files: read BasicSR's, mmagic's and vsr's own format without running code, and build the net they hold.

Architecture, width and depth are read from key names and shapes. Keys are compared strictly: a file that does not fit
its net exactly is rejected, with the names of missing and extra keys.
"""

import json
import pickle
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialize
from torch import Tensor, nn

from vsrcli.errors import WeightsError
from vsrcli.files import write_durably
from vsrcli.nets.recurrent import RecurrentNet
from vsrcli.zoo.architectures import ARCHITECTURES, UNSUPPORTED, Architecture, Config
from vsrcli.zoo.bounds import DAMAGED, MOST_KEYS, TOO_MANY_KEYS, check_file, check_tensors, shown
from vsrcli.zoo.foreign import WRAPPERS, is_training_state, without_prefixes, wrapping

StateDict = dict[str, Tensor]

METADATA_KEY = "vsr"
"""Key of vsr's own metadata in safetensors: JSON of {"arch", "config", ...}."""

MMAGIC_TO_BASICSR = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"^basicvsr\.", ""),
        (r"((?:^|\.)basic_module\.\d+\.basic_module\.)(\d+)\.conv\.", lambda m: f"{m[1]}{2 * int(m[2])}."),
        (r"^(backward|forward)_resblocks\.", r"\1_trunk."),
        (r"^upsample(\d)\.upsample_conv\.", r"upconv\1."),
        (r"(^|\.)feat_l(\d)_conv(\d)\.conv\.", r"\1conv_l\2_\3."),
        (r"(^|\.)pcd_alignment\.", r"\1pcd_align."),
        (r"\.conv\.(weight|bias)$", r".\1"),
    )
)
"""Rules that convert mmagic's key names to BasicSR's. BasicSR's own names are not changed."""


def basicsr_name(key: str) -> str:
    """Return BasicSR's name of the tensor that mmagic or BasicSR calls `key`."""
    for pattern, replacement in MMAGIC_TO_BASICSR:
        key = pattern.sub(replacement, key)
    return key


def read(path: Path) -> tuple[StateDict, dict[str, Any]]:
    """Return the unwrapped tensors of a .pth, .pt or .safetensors file, and vsr's own metadata ({} for other formats).

    Raises WeightsError if the file is missing, damaged, claims more than it holds, holds anything but tensors and plain
    data, or no tensors.
    """
    kind = check_file(path)
    if kind == "safetensors":
        return read_safetensors(path)
    try:
        # mapped, so that of a training state only the net's own weights are read
        content = torch.load(path, map_location="cpu", weights_only=True, mmap=kind == "zip")
    except pickle.UnpicklingError as error:
        reason = re.search(r"GLOBAL (\S+)", str(error))
        what = f"holds code or objects besides tensors ({shown(reason[1])})" if reason else DAMAGED
        raise WeightsError(f"{path}: {what}; only plain weights are loaded") from error
    except Exception as error:  # torch.load has no narrower family for damaged files
        raise WeightsError(f"{path}: {DAMAGED}") from error
    state = unwrap(content, path)
    check_tensors(state, path)
    return state, {}


def read_safetensors(path: Path) -> tuple[StateDict, dict[str, Any]]:
    """Return the tensors and vsr's own metadata of a safetensors file."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {}).get(METADATA_KEY, "{}"))
            keys = file.keys()
            if len(keys) > MOST_KEYS:
                raise WeightsError(f"{path}: holds {TOO_MANY_KEYS}")
            state = {key: file.get_tensor(key) for key in keys}
    except (SafetensorError, ValueError, OSError, RecursionError) as error:
        raise WeightsError(f"{path}: is a damaged safetensors file") from error
    if not isinstance(metadata, dict):
        raise WeightsError(f"{path}: its metadata {METADATA_KEY!r} is no JSON object")
    state = state if metadata else unwrap(state, path)
    check_tensors(state, path)
    return state, metadata


def unwrap(content: object, path: Path) -> StateDict:
    """Return the net's state dict from the content of a training framework's file.

    BasicSR: under params_ema or params. mmagic: under state_dict, with the net's keys under generator_ema. (averaged
    weights, preferred) or generator., beside training parts. Either: under module. after parallel training.
    """
    wrapped = wrapping(content)
    for wrapper in WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(wrapper), Mapping):
            content = content[wrapper]
            break
    state: StateDict = {}
    if isinstance(content, Mapping):
        state = {key: value for key, value in content.items() if isinstance(key, str) and isinstance(value, Tensor)}
    if not state and is_training_state(content):
        raise WeightsError(
            f"{path}: is the state of a training run, which `vsr train run` goes on with: its weights are in "
            "best.safetensors beside it"
        )
    if not state:
        raise WeightsError(f"{path}: holds no weights{f', though it is {wrapped}' if wrapped else ''}")
    state = strip(state, "module.")
    for prefix in ("generator_ema.", "generator."):
        if any(key.startswith(prefix) for key in state):
            inside = strip({key: value for key, value in state.items() if key.startswith(prefix)}, prefix)
            state = strip({key: value for key, value in inside.items() if key != "steps"}, "module.")
            break
    state.pop("step_counter", None)
    if not any(is_known_key(key) for key in state):  # a whole net inside another module
        inside = {without_prefixes(key): value for key, value in state.items() if without_prefixes(key) != key}
        if any(is_known_key(key) for key in inside):
            return inside
        if wrapped:
            nets = ", ".join(ARCHITECTURES)
            raise WeightsError(
                f"{path}: is {wrapped}, but holds none of {nets}; its keys begin with {first_few(state)}"
            )
    return state


def is_known_key(key: str) -> bool:
    """Return whether a key belongs to a known net, supported or not."""
    name = basicsr_name(key)
    return any(name.startswith(marker) for marker in (*(each.marker for each in ARCHITECTURES.values()), *UNSUPPORTED))


def strip(state: StateDict, prefix: str) -> StateDict:
    """Remove `prefix` from the keys that have it."""
    return {key.removeprefix(prefix): value for key, value in state.items()}


def first_few(keys: Iterable[str]) -> str:
    """Return the first few of `keys` as text for a message."""
    limit = 3
    listed = [shown(key) for key in keys]
    more = f" and {len(listed) - limit} more" if len(listed) > limit else ""
    return ", ".join(listed[:limit]) + more


def identify(state: StateDict, metadata: dict[str, Any], path: Path) -> tuple[Architecture, Config, StateDict]:
    """Return the architecture, its constructor's arguments, and the same tensors under the net's own names."""
    if metadata:
        name = metadata.get("arch")
        if not isinstance(name, str) or name not in ARCHITECTURES or not isinstance(metadata.get("config"), dict):
            raise WeightsError(f"{path}: is for the architecture {name!r:.60}, which this version of vsr does not know")
        return ARCHITECTURES[name], metadata["config"], state
    named = {basicsr_name(key): value for key, value in state.items()}
    if len(named) < len(state):
        raise WeightsError(f"{path}: holds some weights twice, under BasicSR's and mmagic's names")
    shapes = {key: tuple(value.shape) for key, value in named.items()}
    for architecture in ARCHITECTURES.values():
        if not any(key.startswith(architecture.marker) for key in named):
            continue
        try:
            config = architecture.configure(shapes)
            own = architecture.adapt(named)
        except KeyError as error:
            raise WeightsError(
                f"{path}: cannot be loaded as {architecture.name}: missing: {shown(error.args[0])}"
            ) from error
        except (IndexError, ValueError, ZeroDivisionError, RuntimeError) as error:
            raise WeightsError(f"{path}: looks like {architecture.name}, but its shapes fit none") from error
        return architecture, config, own
    for marker, what in UNSUPPORTED.items():
        if any(key.startswith(marker) for key in named):
            raise WeightsError(f"{path}: holds {what}")
    known = ", ".join(ARCHITECTURES)
    raise WeightsError(f"{path}: holds none of {known}; its {len(state)} keys begin with {first_few(state)}")


def load_net(path: Path) -> tuple[RecurrentNet, Architecture, dict[str, Any]]:
    """Return the net of a checkpoint file (float32, eval mode, no gradients), its architecture and the file's metadata.

    Raises WeightsError, naming keys or shapes, if the file does not hold exactly one complete net.
    """
    state, metadata = read(path)
    architecture, config, state = identify(state, metadata, path)
    complaint = f"{path}: cannot be loaded as {architecture.name}"
    try:
        architecture.check(config, sum(tensor.numel() for tensor in state.values()))
        net = architecture.build(config)
    except (TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(f"{path}: no {architecture.name} can be built from {config!r:.100}: {error}") from error
    fill(net, state, complaint)
    net.requires_grad_(False)
    return net.eval(), architecture, metadata


def fill(net: nn.Module, state: StateDict, complaint: str) -> None:
    """Copy `state` into `net`, which must have exactly these keys and shapes. Raises WeightsError."""
    wanted = net.state_dict()
    constant = {name for name, _ in net.named_buffers()}  # SPyNet's mean and std, which some files leave out
    missing = [key for key in wanted if key not in state and key not in constant]
    unexpected = [key for key in state if key not in wanted]
    wrong = [
        f"{key} {tuple(state[key].shape)} for {tuple(wanted[key].shape)}"
        for key in wanted
        if key in state and state[key].shape != wanted[key].shape
    ]
    found = [
        f"{label}: {first_few(keys)}"
        for label, keys in (("missing", missing), ("unexpected", unexpected), ("wrong shape", wrong))
        if keys
    ]
    if found:
        raise WeightsError(f"{complaint}: {'; '.join(found)}")
    broken = [key for key, value in state.items() if not torch.isfinite(value.float()).all()]
    if broken:
        raise WeightsError(f"{complaint}: not finite: {first_few(broken)}")
    net.load_state_dict(state, strict=False)


def save(
    path: Path,
    net: nn.Module,
    *,
    arch: str,
    config: Config,
    extra: dict[str, Any] | None = None,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write a net in vsr's own format: safetensors that name its architecture and constructor arguments.

    Args:
        dtype: type in which parameters are stored (float16 halves the file); buffers keep their type.
        extra: JSON data about the weights (scale, degradation, recipe, licence), returned as metadata.
    """
    parameters = {name for name, _ in net.named_parameters()}
    tensors = {
        key: value.detach().to("cpu", dtype if key in parameters else value.dtype).contiguous()
        for key, value in net.state_dict().items()
    }
    about = {**(extra or {}), "arch": arch, "config": config}
    # save_file would leave a file that only its owner can read
    write_durably(path, serialize(tensors, metadata={METADATA_KEY: json.dumps(about, sort_keys=True)}))
