"""What this CPU multiplies in hardware: bf16, and 8-bit integers."""

import torch


def cpu_has_bf16() -> bool:
    """Return whether this CPU multiplies bf16 matrices in hardware (AVX512-BF16 or AMX)."""
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return any(bool(getattr(torch.cpu, check, lambda: False)()) for check in checks)


def cpu_has_int8() -> bool:
    """Return whether this CPU sums products of 8-bit integers in 32 bits (VNNI or AMX).

    Without these instructions pairs of products are summed in 16 bits, which overflow unless the weights are halved.
    """
    found: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    names = ("avx512_vnni", "avx_vnni", "amx_int8")
    known = any(found.get(name) for name in names) or bool(getattr(torch.cpu, "_is_vnni_supported", lambda: False)())
    return known and hasattr(torch.ops.onednn, "qconv2d_pointwise")


def dtype_beside_int8() -> torch.dtype:
    """Return the type of a net's other convolutions where most run in int8."""
    return torch.bfloat16 if cpu_has_bf16() else torch.float32
