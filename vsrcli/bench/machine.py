"""Properties of the machine: its name, its peak rate of matrix products, the memory of a process."""

import platform
import sys
import time
from pathlib import Path

import psutil
import torch


def device_name(device: torch.device) -> str:
    """Return the device's name as its maker writes it."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def synchronize(device: torch.device) -> None:
    """Wait until all work queued on the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def gemm_gflops(device: torch.device, dtype: torch.dtype) -> float:
    """Return the highest GFLOP/s of a large matrix product in `dtype`, repeated for about `seconds`.

    In float32 on CUDA the product may use TF32 if convolutions may, since their peak is wanted.
    """
    if device.type == "cuda" and dtype == torch.float32 and torch.backends.cudnn.allow_tf32:
        torch.set_float32_matmul_precision("high")
    best, size, deadline = 0.0, 1024, time.perf_counter() + 0.5
    largest = 4096 if device.type == "cpu" else 8192
    while True:
        a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
        product = torch._int_mm if dtype == torch.int8 else torch.mm
        for _ in range(3):
            synchronize(device)
            start = time.perf_counter()
            product(a, b)
            synchronize(device)
            took = time.perf_counter() - start
            best = max(best, 2 * size**3 / took / 1e9)
            if time.perf_counter() > deadline:
                return best
        if size < largest and 8 * took < 0.5 / 4:
            size *= 2


def resident_memory(*, peak: bool) -> int | None:
    """Return the bytes of this process in memory, now or at its peak; None if the system does not report the peak."""
    now = psutil.Process().memory_info()
    if not peak:
        return int(now.rss)
    status = Path("/proc/self/status")
    if status.exists():  # not getrusage: its peak survives exec and so would be the parent's
        lines = status.read_text().splitlines()
        return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), None)
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return getattr(now, "peak_wset", None)  # Windows
