"""Modulated deformable convolution (Zhu et al., Deformable ConvNets v2, CVPR 2019)."""

from collections.abc import Callable
from functools import cache
from importlib import import_module

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.nets.layers import upcast

# How many sampled values a strip of rows may hold. Measured on a CPU with 1 MiB of L2 cache per core: two or three rows
# of 64 channels at width 320 are fastest, a whole frame takes twice the time. A GPU wants few, large kernels.
STRIP_CPU = 2**19
STRIP_GPU = 2**25


Taps = Callable[[slice], tuple[Tensor, Tensor]]
"""Returns offsets and masks of the given output rows. Made strip by strip, they never exist for a whole frame at once.
"""


def deform_conv2d(
    x: Tensor,
    taps: Taps,
    weight: Tensor,
    bias: Tensor,
    *,
    groups: int,
    size: tuple[int, int],
    stride: int = 1,
    padding: int = 1,
    dilation: int = 1,
) -> Tensor:
    """Convolve `x` with an offset and a mask for each tap of each output pixel; return (n, c_out, *size).

    Sampling is bilinear, with zeros outside the frame, in the type of the offsets (float32 or better). Sums over
    channels and the result have the type of `weight`.

    Args:
        x: input (n, c, h, w).
        taps: for m output rows, returns offsets (n, 2 * groups * k_h * k_w, m, w') in pixels, group by group, tap by
            tap in row-major order, each (dy, dx); and masks (n, groups * k_h * k_w, m, w') in the same order.
        weight: kernel (c_out, c, k_h, k_w).
        bias: (c_out,).
        groups: number of groups of input channels, each with offsets of its own.
        size: height and width of the output.
    """
    shape = {"stride": stride, "padding": padding, "dilation": dilation}
    library = torchvision_op()
    if library is None:
        return sampled_conv2d(x, taps, weight, bias, groups=groups, size=size, **shape)
    offset, mask = taps(slice(None))
    kind = offset.dtype
    return library(x.to(kind), offset, weight.to(kind), bias.to(kind), mask=mask, **shape).to(weight.dtype)


def sampled_conv2d(
    x: Tensor,
    taps: Taps,
    weight: Tensor,
    bias: Tensor,
    *,
    groups: int,
    size: tuple[int, int],
    stride: int,
    padding: int,
    dilation: int,
) -> Tensor:
    """Compute `deform_conv2d` in plain PyTorch: `grid_sample` reads every tap, one matrix product sums them.

    Rows are computed in strips, so that the samples (k_h * k_w times the input) stay in the cache and memory stays
    small.
    """
    n, c, h, w = x.shape
    c_out, _, k_h, k_w = weight.shape
    out_h, out_w = size
    kernel = weight.reshape(c_out, -1)
    planes = upcast(x).contiguous().view(n * groups, c // groups, h, w)

    # grid_sample's align_corners=False coordinates: pixel p of a row of size s lies at (2p + 1) / s - 1
    tap_y = torch.arange(k_h, device=x.device).repeat_interleave(k_w)[:, None, None] * dilation - padding
    tap_x = torch.arange(k_w, device=x.device).repeat(k_h)[:, None, None] * dilation - padding
    row = torch.arange(out_h, device=x.device)[:, None] * stride
    column = torch.arange(out_w, device=x.device) * stride
    rest_y = ((tap_y + row) * 2 + 1).to(planes.dtype) / h - 1
    rest_x = ((tap_x + column) * 2 + 1).to(planes.dtype) / w - 1

    strip = max(1, (STRIP_GPU if x.is_cuda else STRIP_CPU) // (n * c * k_h * k_w * out_w))
    parts = []
    for top in range(0, out_h, strip):
        rows = slice(top, min(top + strip, out_h))
        offset, mask = taps(rows)
        # contiguous: in channels-last memory every plane would be read with large strides
        offset = offset.contiguous().view(n * groups, k_h * k_w, 2, -1, out_w)
        grid_x = torch.add(rest_x, offset[:, :, 1], alpha=2.0 / w)
        grid_y = torch.add(rest_y[:, rows], offset[:, :, 0], alpha=2.0 / h)
        grid = torch.stack((grid_x, grid_y), 1).view(n * groups, 2, -1, out_w).permute(0, 2, 3, 1)
        samples = F.grid_sample(planes, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
        samples = samples.view(n * groups, c // groups, -1) * mask.reshape(n * groups, 1, -1)
        columns = samples.view(n, kernel.shape[1], -1).to(weight.dtype)
        parts.append(torch.matmul(kernel, columns).view(n, c_out, -1, out_w))
    return torch.cat(parts, 2) + bias.view(1, -1, 1, 1)


@cache
def torchvision_op() -> Callable[..., Tensor] | None:
    """Return torchvision's compiled operator, or None where torchvision is absent or built for another torch."""
    try:
        op: Callable[..., Tensor] = import_module("torchvision.ops").deform_conv2d
    except (ImportError, OSError, RuntimeError):
        return None
    return op if hasattr(torch.ops.torchvision, "deform_conv2d") else None


class DeformConv(nn.Module):
    """Weights of a 3x3 modulated deformable convolution; the caller computes offsets and masks."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        plain = nn.Conv2d(channels_in, channels, 3)  # for its initial values
        assert plain.bias is not None
        self.weight = plain.weight
        self.bias = plain.bias

    def convolve(self, x: Tensor, taps: Taps, groups: int) -> Tensor:
        """Convolve (n, channels_in, h, w) to (n, channels, h, w); `taps` and `groups` are as in `deform_conv2d`."""
        size = (x.shape[-2], x.shape[-1])
        return deform_conv2d(x, taps, self.weight, self.bias, groups=groups, size=size)
