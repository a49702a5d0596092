"""Transfer frames to a device and back: each is uploaded once and its result downloaded once, both as levels.

The numbers by which the engine checks a result (is it finite, does its detail grow) come down with it, so that nothing
else waits for the device. On CUDA both transfers use pinned memory and streams of their own, beside the computation.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from vsrcli.levels import bits_of_levels, levels_of_bits, planes_to_picture


class Lane:
    """Transfers between main memory and `device`; on a CPU nothing is moved."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._up = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._down = torch.cuda.Stream(device) if device.type == "cuda" else None

    def up(self, planes: Tensor) -> Tensor:
        """Return planes of levels or float32 on the device, where uint16 is int16 with the same bits."""
        if planes.device.type == self.device.type:
            return planes
        planes = bits_of_levels(planes)
        if self._up is None:
            return planes.to(self.device)
        pinned = planes.contiguous().pin_memory()  # torch keeps it until it is copied
        current = torch.cuda.current_stream(self.device)
        with torch.cuda.stream(self._up):
            there = pinned.to(self.device, non_blocking=True)
        current.wait_stream(self._up)
        there.record_stream(current)
        return there

    def down(self, planes: Tensor, facts: Sequence[Tensor]) -> tuple[np.ndarray, list[float]]:
        """Return planes (3, h, w) of `levels_on_device` as a picture (h, w, 3), and the numbers `facts`, together."""
        if planes.device.type == "cpu":
            return planes_to_picture(levels_of_bits(planes)), [float(fact) for fact in facts]
        return unpacked(self._fetched(packed(planes, facts)), planes, len(facts))

    def _fetched(self, packed: Tensor) -> Tensor:
        """Return bytes of the device in main memory."""
        if self._down is None:
            return packed.cpu()
        there = torch.empty(packed.shape, dtype=packed.dtype, pin_memory=True)
        self._down.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(self._down):
            there.copy_(packed, non_blocking=True)
        packed.record_stream(self._down)
        self._down.synchronize()
        return there


def packed(planes: Tensor, facts: Sequence[Tensor]) -> Tensor:
    """Return numbers and planes (3, h, w), as a picture (h, w, 3), in one tensor of bytes."""
    parts = [fact.float().reshape(1) for fact in facts] + [planes.permute(1, 2, 0).contiguous()]
    return torch.cat([part.view(torch.uint8).flatten() for part in parts])


def unpacked(data: Tensor, planes: Tensor, facts: int) -> tuple[np.ndarray, list[float]]:
    """Return the picture and the numbers that `packed` has made of planes of that shape and type."""
    split = 4 * facts
    picture = data[split:].view(planes.dtype).view(*planes.shape[1:], len(planes))
    return levels_of_bits(picture).numpy(), data[:split].view(torch.float32).tolist()
