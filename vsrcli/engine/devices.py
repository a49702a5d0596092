"""The devices of this machine, their memory and precision, and the reason if no GPU can be used."""

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from vsrcli.engine.device import CPU_BUILD, pick_device, pick_precision, precision_name
from vsrcli.engine.memory import room
from vsrcli.words import counted


@dataclass(frozen=True)
class Device:
    """One device: its PyTorch name ("cuda:0"), product name, total and free bytes, and default precision.

    `used` says whether it is the one that is taken unless another is named.
    """

    name: str
    title: str
    memory: int
    free: int
    precision: str
    used: bool


def devices() -> list[Device]:
    """Return the CPU and each GPU that PyTorch can use here."""
    names = [f"cuda:{i}" for i in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    if torch.backends.mps.is_available():
        names.append("mps")
    taken = pick_device()
    default = "cuda:0" if taken.type == "cuda" and taken.index is None else str(taken)
    return [_described(name, used=name == default) for name in [*names, "cpu"]]


def _described(name: str, *, used: bool) -> Device:
    device = torch.device(name)
    dtype = pick_precision("auto", device)
    precision = precision_name(dtype)
    memory, free = psutil.virtual_memory().total, room().size
    if device.type == "cuda":
        free, memory = torch.cuda.mem_get_info(device)
        return Device(name, torch.cuda.get_device_name(device), memory, free, precision, used)
    if device.type == "mps":
        return Device(name, "Apple GPU", memory, free, precision, used)
    return Device(name, f"{cpu_name()}, {counted(torch.get_num_threads(), 'thread')}", memory, free, precision, used)


def cpu_name() -> str:
    """Return the processor's product name, or its architecture where the system does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return named or platform.processor() or platform.machine() or "CPU"


def torch_build() -> str:
    """Return for what this PyTorch was built: "CUDA 12.6", "ROCm 6.2", "Apple GPU" or "CPU"."""
    if torch.version.cuda:
        return f"CUDA {torch.version.cuda}"
    if torch.version.hip:
        return f"ROCm {torch.version.hip}"
    return "Apple GPU" if torch.backends.mps.is_built() else "CPU"


def has_nvidia_driver() -> bool:
    """Return whether a driver for NVIDIA's GPUs is installed."""
    if shutil.which("nvidia-smi") or Path("/proc/driver/nvidia/version").exists():
        return True
    windows = os.environ.get("SystemRoot")  # noqa: SIM112
    return windows is not None and (Path(windows) / "System32" / "nvcuda.dll").exists()


def why_no_gpu() -> str | None:
    """Return in one line why no GPU is used here; None where one is."""
    if pick_device().type != "cpu":
        return None
    if sys.platform == "darwin":
        if not torch.backends.mps.is_built():
            return "this PyTorch is built without Apple's GPU"
        return "PyTorch cannot use this Mac's GPU (it needs Apple silicon or a recent AMD GPU, and macOS 12.3)"
    driver = has_nvidia_driver()
    if not torch.version.cuda and not torch.version.hip:
        return CPU_BUILD if driver else f"no NVIDIA driver is installed, and {CPU_BUILD}"
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None and hidden.strip() in ("", "-1"):
        return f"CUDA_VISIBLE_DEVICES={hidden} hides all GPUs"
    if torch.version.cuda and not driver:
        return f"no NVIDIA driver is installed (this PyTorch is built for CUDA {torch.version.cuda})"
    try:
        torch.cuda.init()
    except (RuntimeError, AssertionError) as error:
        lines = str(error).strip().splitlines()
        return f"CUDA does not start: {lines[0] if lines else type(error).__name__}"
    return "PyTorch sees no GPU"
