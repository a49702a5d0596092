"""Converts between levels, as files have them, and float32 in [0, 1], as nets do. The only place where it is written.

Both ways give the same bits on every device: CUDA would divide by a number through its reciprocal.
"""

import numpy as np
import torch
from torch import Tensor

from vsrcli.frame import LARGEST

_TOPS = {torch.uint8: float(LARGEST[8]), torch.uint16: float(LARGEST[16])}


def to_unit(levels: Tensor) -> Tensor:
    """Return levels (uint8 or uint16, any shape) as float32 with white at 1; what is float already stays as it is."""
    top = _TOPS.get(levels.dtype)
    if top is None:
        return levels
    unit = levels.to(torch.float32)
    return unit.div_(torch.full((), top, device=unit.device))


def to_levels(unit: Tensor, bit_depth: int = 8) -> Tensor:
    """Return floats (any shape), clamped to [0, 1] and rounded, as levels: uint8, or for 16 bits uint16 on the host.

    A bit depth of 32 is that of float32, which nothing is done to.
    """
    if bit_depth not in LARGEST:
        return unit
    scaled = unit.clamp(0, 1).mul_(LARGEST[bit_depth]).round_()
    return scaled.to(torch.uint8) if bit_depth == 8 else scaled.to(torch.int32).cpu().to(torch.uint16)


def picture_tensor(picture: np.ndarray) -> Tensor:
    """Return a picture as a contiguous tensor (h, w, 3) of its own type, which shares its memory where it may."""
    return torch.from_numpy(np.require(picture, requirements=["C", "W"]))


def picture_to_unit(picture: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """Return a picture (h, w, 3) of levels or float32 as float32 (3, h, w), contiguous, on `device`."""
    return planes_to_unit(picture_tensor(picture).permute(2, 0, 1), torch.device(device))


def planes_to_unit(planes: Tensor, device: torch.device) -> Tensor:
    """Return planes (..., h, w) on the host, levels or float32, as float32 on `device`, contiguous.

    Levels of 8 bits are moved as such; few devices know uint16.
    """
    if planes.dtype == torch.uint8:
        planes = planes.to(device)
    return to_unit(planes).to(device).contiguous()


def unit_to_picture(unit: Tensor, bit_depth: int = 8) -> np.ndarray:
    """Return floats (3, h, w), clamped and rounded, as a picture (h, w, 3) of uint8 or uint16 on the host.

    For a bit depth of 32 it is of float32, and neither clamped nor rounded.
    """
    return planes_to_picture(to_levels(unit, bit_depth))


def planes_to_picture(planes: Tensor) -> np.ndarray:
    """Return planes (3, h, w) as a picture (h, w, 3) on the host; of levels it is contiguous, as writers need it."""
    picture: np.ndarray = planes.cpu().permute(1, 2, 0).numpy()
    return picture if planes.dtype == torch.float32 else np.ascontiguousarray(picture)
