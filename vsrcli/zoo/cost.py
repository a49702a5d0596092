"""What a net costs: parameters, and floating-point operations per frame, counted on the net itself."""

import copy
from types import MethodType

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from vsrcli.nets.deform import DeformConv
from vsrcli.nets.recurrent import RecurrentNet

FRAMES = (2, 7)
"""Clip lengths whose difference gives the cost of a frame: five frames, IconVSR's keyframe interval."""


def parameters(net: nn.Module) -> int:
    """How many trainable numbers the net has."""
    return sum(p.numel() for p in net.parameters())


def flops(net: RecurrentNet, h: int, w: int) -> float:
    """Floating-point operations for one LR frame of h x w pixels, in the long run of a clip.

    Counted are convolutions and matrix products, two for each multiply-accumulate (the papers' convention), deformable
    convolutions as if they were plain; warping, interpolation and activations are not. Nothing is computed: a copy of
    the net runs on the meta device.
    """
    blank = copy.deepcopy(net).to("meta")
    for module in blank.modules():
        if isinstance(module, DeformConv):
            module.convolve = MethodType(plain, module)  # type: ignore[method-assign]
    short, long = (clip_flops(blank, frames, h, w) for frames in FRAMES)
    return (long - short) / (FRAMES[1] - FRAMES[0])


def plain(self: DeformConv, x: Tensor, offset: Tensor, mask: Tensor) -> Tensor:
    """The plain convolution of the same shape in place of `DeformConv.convolve`."""
    return F.conv2d(x, self.weight, self.bias, padding=1)


def clip_flops(net: RecurrentNet, frames: int, h: int, w: int) -> int:
    """Operations for a whole clip; `net` is on the meta device."""
    dtype = next(net.parameters()).dtype
    with torch.inference_mode(), FlopCounterMode(display=False) as counter:
        net(torch.empty(1, frames, 3, h, w, device="meta", dtype=dtype))
    return counter.get_total_flops()
