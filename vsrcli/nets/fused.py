"""Convolutions fused with the ReLU and the residual sum that follow them, in one pass over memory.

oneDNN, which is part of PyTorch's CPU builds, has them, so that no compiler is needed. The results are the same to the
last bit. Other devices, half precision (whose sums must stay in float32) and training run one step after another.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.nets.int8 import int8_of, residual_int8

_HAS_ONEDNN = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_convolution_pointwise")


def residual(x: Tensor, conv1: nn.Module, conv2: nn.Module) -> Tensor:
    """Return x + conv2(relu(conv1(x))), without rounding the sum to the convolutions' type."""
    int8 = int8_of(conv1), int8_of(conv2)
    if int8[0] and int8[1] and (out8 := residual_int8(x, int8[0], int8[1])) is not None:
        return out8
    if not (fusible(x, conv1) and fusible(x, conv2)):
        summed: Tensor = x + conv2(F.relu(conv1(x), inplace=True))
        return summed
    pointwise = torch.ops.mkldnn._convolution_pointwise
    first = pointwise.default(x, conv1.weight, conv1.bias, *_shape(conv1), "relu", [], "")
    out: Tensor = pointwise.binary(first, x, conv2.weight, conv2.bias, *_shape(conv2), "add", 1.0, None, [], None)
    return out


def fusible(x: Tensor, conv: nn.Module) -> bool:
    """Return whether a convolution of `x` can be fused with what follows it."""
    return (
        _HAS_ONEDNN
        and isinstance(conv, nn.Conv2d)
        and conv.padding_mode == "zeros"
        and not conv._forward_pre_hooks  # who watches the inputs of convolutions sees this one's too
        and not torch.is_grad_enabled()
        and not torch.compiler.is_compiling()  # it fuses by itself, and would break the graph here
        and x.device.type == "cpu"
        and x.dtype == conv.weight.dtype == torch.float32
        and getattr(conv, "compute_dtype", None) in (None, torch.float32)
        and x.is_contiguous(memory_format=torch.channels_last)
    )


def _shape(conv: nn.Module) -> tuple[object, object, object, object]:
    """Return padding, stride, dilation and groups in the order of oneDNN's operators."""
    return conv.padding, conv.stride, conv.dilation, conv.groups
