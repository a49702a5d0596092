"""Cost of a net: parameters, and floating-point operations per frame, counted on the net itself."""

import copy
from collections.abc import Callable, Sequence
from types import MethodType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from vsrcli.nets.deform import DeformConv
from vsrcli.nets.recurrent import RecurrentNet


def parameters(net: nn.Module) -> int:
    """Return the number of the net's parameters."""
    return sum(p.numel() for p in net.parameters())


def flops(net: RecurrentNet, h: int, w: int) -> float:
    """Return the floating-point operations per LR frame of h x w pixels in a long clip.

    Convolutions and matrix products count, two operations for each multiply-accumulate (the papers' convention),
    deformable convolutions as if they were plain. Warping, interpolation and activations do not count. Nothing is
    computed: a copy of the net runs on the meta device.
    """
    blank = copy.deepcopy(net).to("meta")
    for module in blank.modules():
        if isinstance(module, DeformConv):
            module.convolve = MethodType(plain, module)  # type: ignore[method-assign]
    short, long = (clip_flops(blank, frames, h, w) for frames in (2, 2 + net.cost_period))
    return (long - short) / net.cost_period


def plain(self: DeformConv, x: Tensor, offset: Tensor, mask: Tensor) -> Tensor:
    """Compute the plain convolution of the same shape, in place of `DeformConv.convolve`."""
    return F.conv2d(x, self.weight, self.bias, padding=1)


SHAPES: dict[object, Callable[..., Sequence[int]]] = {
    torch.ops.aten.grid_sampler_2d.default: lambda x, grid, *rest: (*x.shape[:2], *grid.shape[1:3]),
    torch.ops.aten.upsample_bilinear2d.default: lambda x, size, *rest: (*x.shape[:2], *size),
}
"""Shapes of the results of operators that do not count and that the meta device would decompose."""


class Counter(TorchDispatchMode):
    """Counter of the operations of convolutions and matrix products.

    Unlike torch's own FlopCounterMode it does not decompose other operators, which costs seconds a clip.
    """

    def __init__(self) -> None:
        TorchDispatchMode.__init__(self)
        self.flops: int = 0

    def __torch_dispatch__(
        self, func: torch._ops.OpOverload, types: object, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Run one operator and count it."""
        if (shape := SHAPES.get(func)) and args[0].is_meta:
            return args[0].new_empty(shape(*args))
        out = func(*args, **(kwargs or {}))
        if count := flop_registry.get(func.overloadpacket):
            self.flops += count(*args, **(kwargs or {}), out_val=out)
        return out


def clip_flops(net: RecurrentNet, frames: int, h: int, w: int) -> int:
    """Return the operations for a whole clip; `net` is on the meta device."""
    dtype = next(net.parameters()).dtype
    counter = Counter()
    with torch.no_grad(), counter:  # inference_mode would hide convolutions inside composite operators
        net(torch.empty(1, frames, 3, h, w, device="meta", dtype=dtype))
    return counter.flops
