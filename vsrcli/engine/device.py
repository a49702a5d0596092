"""Device, precision, memory layout and allocator for a net."""

import ctypes
import functools
import platform

import torch

from vsrcli.errors import Reason, UsageError
from vsrcli.nets.instructions import cpu_has_bf16, cpu_has_int8
from vsrcli.nets.recurrent import RecurrentNet
from vsrcli.words import counted

CPU_BUILD = "this PyTorch is the CPU build: see README, GPU"
CALIBRATE = "`vsr weights calibrate MODEL VIDEO...`"
NO_INT8_PART = "this model has no part that runs in int8"
PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16, "int8": torch.int8}


def pick_device(name: str = "auto") -> torch.device:
    """Return the device called `name` (auto, cpu, cuda, cuda:1, mps). Raises UsageError if this machine has none."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        known = device.type in ("cpu", "cuda", "mps")
    except RuntimeError:
        known = False
    if not known:
        raise UsageError(f"no such device: {name} (use auto, cpu, cuda, cuda:1 or mps)")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        message = f"there is no device {name}: {_cuda_seen()}"
        raise UsageError(message, Reason.NO_SUCH_DEVICE)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UsageError("there is no device mps: PyTorch sees no Apple GPU here", Reason.NO_SUCH_DEVICE)
    return device


def _cuda_seen() -> str:
    """Return what PyTorch sees of NVIDIA's (or AMD's) GPUs, fit to follow "there is no such device"."""
    if torch.version.cuda is None and torch.version.hip is None:
        return CPU_BUILD
    found = torch.cuda.device_count()
    return f"PyTorch sees {counted(found, 'GPU')} here" if found else "PyTorch sees no GPU here (see vsr doctor)"


def pick_precision(
    name: str, device: torch.device, net: RecurrentNet | None = None, *, exact: bool = False
) -> torch.dtype:
    """Return the type of the convolutions: the requested one, or for "auto" the fastest without loss of quality.

    That is fp16 on GPUs (11 bits of mantissa against bf16's 8). On CPUs it is int8 where they have instructions for it
    and the net `prefers_int8`, unless `exact` results are promised; else bf16 where it is multiplied in hardware, else
    fp32. Raises UsageError for a precision that is not known, or that the device or the net does not have.
    """
    if name == "int8" and net is not None:
        check_int8(device, net)
    if name != "auto":
        if name not in PRECISIONS:
            raise UsageError(f"no such precision: {name} (use auto, fp32, fp16, bf16 or int8)")
        return PRECISIONS[name]
    if device.type in ("cuda", "mps"):
        return torch.float16
    if net is not None and net.prefers_int8 and has_int8(device, net) and not exact:
        return torch.int8
    return torch.bfloat16 if cpu_has_bf16() else torch.float32


def precision_name(dtype: torch.dtype) -> str:
    """Return the name of a precision as options spell it: fp32, fp16, bf16 or int8."""
    return next(name for name, kind in PRECISIONS.items() if kind == dtype)


def has_int8(device: torch.device, net: RecurrentNet) -> bool:
    """Return whether the net can run in int8 on the device; `why_no_int8` says why not."""
    return why_no_int8(device, net) is None


def check_int8(device: torch.device, net: RecurrentNet) -> None:
    """Raise UsageError, in one line, if the net cannot run in int8 on the device."""
    reason = why_no_int8(device, net)
    if reason is not None:
        raise UsageError(f"{reason}; or use auto, fp32 or bf16")


def why_no_int8(device: torch.device, net: RecurrentNet) -> str | None:
    """Return why the net cannot run in int8 on the device; None if it can."""
    if device.type != "cpu":
        return f"int8 is for CPUs only, not for {device}"
    if not cpu_has_int8():
        return "this CPU has no instructions for int8 (VNNI)"
    if not net.int8_parts:
        return NO_INT8_PART
    if net.ranges is not None:
        return None
    if net.unfit_ranges:
        return f"the ranges in {net.unfit_ranges} are of other weights: make them again by {CALIBRATE}"
    return f"int8 needs the ranges of these weights: make them once by {CALIBRATE}"


def check_int8_parts(net: RecurrentNet) -> None:
    """Raise UsageError if the net has no part that runs in int8 on any device."""
    if not net.int8_parts:
        raise UsageError(f"{NO_INT8_PART}: use auto, fp32 or bf16")


def use_threads(count: int | None) -> None:
    """Set the number of threads on a CPU for the whole process; None changes nothing."""
    if count is not None:
        torch.set_num_threads(count)


def place(net: RecurrentNet, device: torch.device, dtype: torch.dtype) -> RecurrentNet:
    """Move a net to its device, precision and fastest memory layout, in place, and return it."""
    keep_freed_memory()
    torch.backends.cudnn.allow_tf32 = dtype != torch.float32  # its 10 bits of mantissa are not what fp32 asks for
    net.to(device).set_precision(dtype)
    net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return net.eval().requires_grad_(False)


@functools.cache
def keep_freed_memory() -> None:
    """Make glibc reuse freed blocks instead of returning them to the system at once.

    Feature maps are larger than malloc's threshold for mmap, so each one costs a system call and a page fault per 4
    KiB. Measured on BasicVSR's trunk (two cores, fp32): 1.2 times as fast with this at 180x144, 1.3 at 480x360.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    libc = ctypes.CDLL("libc.so.6")
    m_trim_threshold, m_mmap_max = -1, -4
    libc.mallopt(m_mmap_max, 0)
    libc.mallopt(m_trim_threshold, (1 << 31) - 1)
