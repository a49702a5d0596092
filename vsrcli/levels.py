"""Conversion between levels, as in files, and float32 in [0, 1], as in nets. No other module converts them.

Both directions give the same bits on every device: CUDA would divide by a number through its reciprocal.
"""

import numpy as np
import torch
from torch import Tensor

from vsrcli.frame import LARGEST

_AT_ONCE = 1 << 20  # numbers that are converted at once on a CPU
_TOPS = {torch.uint8: float(LARGEST[8]), torch.uint16: float(LARGEST[16]), torch.int16: float(LARGEST[16])}


def to_unit(levels: Tensor) -> Tensor:
    """Convert levels (uint8, uint16 or its bits, any shape) to float32 with white at 1; return floats unchanged."""
    top = _TOPS.get(levels.dtype)
    if top is None:
        return levels
    unit = (levels.to(torch.int32) & 0xFFFF if levels.dtype == torch.int16 else levels).to(torch.float32)
    return unit.div_(torch.full((), top, device=unit.device))


def to_levels(unit: Tensor, bit_depth: int = 8) -> Tensor:
    """Convert floats (any shape), clamped to [0, 1] and rounded, to levels: uint8, or uint16 in main memory.

    With the bit depth 32 they are returned unchanged.
    """
    levels = levels_on_device(unit, bit_depth)
    return levels_of_bits(levels.cpu()) if levels.dtype == torch.int16 else levels


def levels_on_device(unit: Tensor, bit_depth: int = 8) -> Tensor:
    """Convert floats to levels on their device as `to_levels` does, but uint16, which few devices have, as int16."""
    if bit_depth not in LARGEST:
        return unit
    if unit.device.type != "cpu" or unit.numel() <= _AT_ONCE or unit.dim() < 2:
        return _levels(unit, bit_depth)
    levels = torch.empty(unit.shape, dtype=torch.uint8 if bit_depth == 8 else torch.int16)
    rows = max(1, _AT_ONCE * unit.shape[-2] // unit.numel())
    for first in range(0, unit.shape[-2], rows):  # the floats of a whole frame would be allocated once more
        levels[..., first : first + rows, :] = _levels(unit[..., first : first + rows, :], bit_depth)
    return levels


def _levels(unit: Tensor, bit_depth: int) -> Tensor:
    scaled = unit.clamp(0, 1).mul_(LARGEST[bit_depth]).round_()
    return scaled.to(torch.uint8) if bit_depth == 8 else scaled.to(torch.int32).to(torch.int16)


def bits_of_levels(levels: Tensor) -> Tensor:
    """Return uint16 as int16 of the same bits, all else as it is."""
    return levels.view(torch.int16) if levels.dtype == torch.uint16 else levels


def levels_of_bits(levels: Tensor) -> Tensor:
    """Return int16 as the uint16 whose bits it holds, all else as it is."""
    return levels.view(torch.uint16) if levels.dtype == torch.int16 else levels


def picture_tensor(picture: np.ndarray) -> Tensor:
    """Return a picture as a contiguous tensor (h, w, 3) of its own type, which shares its memory if possible."""
    return torch.from_numpy(np.require(picture, requirements=["C", "W"]))


def picture_to_unit(picture: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """Convert a picture (h, w, 3) of levels or float32 to float32 (3, h, w), contiguous, on `device`."""
    return planes_to_unit(picture_tensor(picture).permute(2, 0, 1), torch.device(device))


def planes_to_unit(planes: Tensor, device: torch.device) -> Tensor:
    """Convert planes (..., h, w) in main memory, levels or float32, to float32 on `device`, contiguous.

    Levels of 8 bits are transferred as such; few devices support uint16.
    """
    if planes.dtype == torch.uint8:
        planes = planes.to(device)
    return to_unit(planes).to(device).contiguous()


def unit_to_picture(unit: Tensor, bit_depth: int = 8) -> np.ndarray:
    """Convert floats (3, h, w), clamped and rounded, to a picture (h, w, 3) of uint8 or uint16 in main memory.

    For a bit depth of 32 the picture is float32, neither clamped nor rounded.
    """
    return planes_to_picture(to_levels(unit, bit_depth))


def planes_to_picture(planes: Tensor) -> np.ndarray:
    """Return planes (3, h, w) as a picture (h, w, 3) in main memory; levels are contiguous, as writers need them."""
    planes = planes.cpu()
    if planes.dtype == torch.float32:
        floats: np.ndarray = planes.permute(1, 2, 0).numpy()
        return floats
    picture = np.empty((*planes.shape[1:], len(planes)), planes[:0].numpy().dtype)
    for channel, plane in enumerate(planes.numpy()):  # a ninth of the time of a copy through all strides at once
        picture[..., channel] = plane
    return picture
