"""Reference vectors: results of the reference implementations, read from ../shared/golden."""

import functools
import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.conftest import SHARED

GOLDEN = SHARED / "golden"
ABSENT = "the golden vectors (../shared/golden) are not here"
needs_golden = pytest.mark.skipif(not GOLDEN.is_dir(), reason=ABSENT)


@functools.cache
def fill_module() -> ModuleType:
    if not GOLDEN.is_dir():
        pytest.skip(ABSENT)
    spec = importlib.util.spec_from_file_location("golden_fill", GOLDEN / "fill.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Golden:
    """One npz file of reference vectors: its input, its parameters, and how to compare with it."""

    def __init__(self, case: str) -> None:
        with np.load(GOLDEN / f"{case}.npz") as z:
            self.meta: dict[str, Any] = json.loads(str(z["meta"]))
            self.stored = {k: torch.from_numpy(z[k]) for k in z.files if k != "meta"}

    def clip(self) -> Tensor:
        """Return the input frames (1, n, 3, h, w), float32."""
        spec = self.meta["clip"]
        frames = torch.from_numpy(fill_module().clip(spec["n"], spec["h"], spec["w"], spec["seed"]))
        if spec.get("mirror"):
            frames = torch.cat([frames, frames.flip(0)])
        return frames[None]

    def state_dict(self) -> dict[str, Tensor]:
        """Return the reference's parameters under its own key names (without buffers that it defines itself)."""
        state = {}
        for key, shape, kind in (line.split("\t") for line in key_list(self.meta["keys"])):
            value = self.value(key, [int(s) for s in shape.split("x") if s], kind)
            if value is not None:
                state[key] = value
        return state

    def value(self, key: str, shape: list[int], kind: str) -> Tensor | None:
        """Return the values of one parameter by the first special rule of the file that matches; None: keep them."""
        module, gain = fill_module(), self.meta["gain"]
        for pattern, rule in self.meta.get("special", {}).items():
            if re.search(pattern, key) is None:
                continue
            if rule == "keep":
                return torch.zeros(shape, dtype=torch.int64) if "int64" in kind else None
            if "add" in rule:
                return torch.from_numpy(np.float32(rule["add"]) + module.array(key, shape, rule["scale"]))
            gain = rule["gain"]
            break
        else:
            if key.endswith(("mean", "std")):
                return None
        return torch.from_numpy(module.fill(key, shape, gain))

    def check(self, name: str, full: Tensor) -> None:
        """Assert that the array called `name`, cut from `full`, agrees to the tolerance of `full`'s type."""
        info = self.meta["arrays"][name]
        assert list(full.shape) == info["full_shape"], name
        cut = full[tuple(slice(*s) for s in info["slices"])] if info["slices"] else full
        floor = 1e-6 * max(1.0, info["absmax"])
        bound = floor if full.dtype == torch.float64 else max(20 * info["f32_minus_f64"]["max"], floor)
        worst = (cut.double() - self.stored[name].double()).abs().max().item()
        assert worst <= bound, f"{name}: off by {worst:.2e}, allowed {bound:.2e}"


def key_list(name: str) -> list[str]:
    """Return the lines of keys/NAME.tsv: key, shape, type."""
    return (GOLDEN / "keys" / Path(name).with_suffix(".tsv").name).read_text().splitlines()


def key_filled(net: nn.Module, gain: float = 1.0) -> nn.Module:
    """Fill the parameters of a net of any size by their names."""
    module = fill_module()
    for key, parameter in net.named_parameters():
        parameter.data = torch.from_numpy(module.fill(key, parameter.shape, gain)).to(parameter)
    return net


def load_filled(net: nn.Module, golden: Golden, dtype: torch.dtype) -> nn.Module:
    """Put the golden parameters into `net` (keys as in the net) and set its type."""
    missing, unexpected = net.load_state_dict(golden.state_dict(), strict=False)
    assert not unexpected
    assert all(k.endswith(("mean", "std", "kernels")) for k in missing)
    return net.to(dtype).eval()
