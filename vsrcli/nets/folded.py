"""Upsampling and warping with results folded to LR resolution (space-to-depth), for nets and losses.

Each upsampling is a convolution from LR pixels to the s*s HR positions that they cover. An HR frame is sampled at those
positions directly in the folded order. `repvsr.py` gives the time that this saves.
"""

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from vsrcli.nets.observe import stage


@stage("reconstruct")
def enlarge_folded(x: Tensor, scale: int, *, mode: str) -> Tensor:
    """Upsample (n, c, h, w) to (n, c*s*s, h, w): `F.interpolate(x, scale, mode)` folded by pixel_unshuffle.

    `mode` is "bilinear" or "bicubic" with align_corners=False. One convolution over the replicated border is five times
    as fast as these two steps on a CPU.
    """
    kernel = _phase_kernel(x.shape[1], scale, mode, x.dtype, x.device)
    reach = kernel.shape[-1] // 2
    x = F.pad(x.contiguous(memory_format=torch.channels_last), (reach,) * 4, mode="replicate")
    return F.conv2d(x, kernel)


@stage("warp")
def warp_folded(hr: Tensor, flow: Tensor, scale: int) -> Tensor:
    """Warp `hr` (n, c, s*h, s*w) by the LR `flow` (n, 2, h, w), upsampled bilinearly by s; return it folded.

    The result, channels last, equals `pixel_unshuffle(flow_warp(hr, s * interpolate(flow), padding="border"), s)`,
    (n, c*s*s, h, w), without an HR-sized flow. grid_sample visits the HR pixels of one LR pixel after another, so that
    what they share stays in the cache. The sampling positions are upsampled instead of the flow, which is the same
    because positions are linear.
    """
    n, _, h, w = flow.shape
    unit = _pixel(h, w, scale, flow.dtype, flow.device)
    shift = F.pad((flow * unit).contiguous(memory_format=torch.channels_last), (1,) * 4, mode="replicate")
    target = shift + _positions(h, w, scale, flow.dtype, flow.device)
    target = F.conv2d(target, _position_kernel(scale, flow.dtype, flow.device))
    grid = target.permute(0, 2, 3, 1).reshape(n, h, w * scale**2, 2)
    warped = F.grid_sample(hr, grid, mode="bilinear", padding_mode="border", align_corners=True)
    by_pixel = warped.view(n, -1, h, w, scale**2).permute(0, 2, 3, 1, 4)
    folded: Tensor = by_pixel.flatten(3).permute(0, 3, 1, 2)
    return folded


@lru_cache(maxsize=8)
@torch.inference_mode(False)
def _position_kernel(scale: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the kernel (s*s*2, 2, 3, 3) that upsamples positions bilinearly: x and y of each of the s*s in turn."""
    kernel = _phase_kernel(2, scale, "bilinear", dtype, device).unflatten(0, (2, scale**2))
    ordered: Tensor = kernel.transpose(0, 1).flatten(0, 1).contiguous(memory_format=torch.channels_last)
    return ordered


@lru_cache(maxsize=32)
@torch.inference_mode(False)
def _phase_kernel(channels: int, scale: int, mode: str, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return the kernel (c*s*s, c, k, k) of `enlarge_folded`: the response of F.interpolate to single pixels."""
    reach = 1 if mode == "bilinear" else 2
    k = 2 * reach + 1
    pixels = torch.eye(k * k, dtype=torch.float64).view(k * k, 1, k, k)
    response = F.interpolate(F.pad(pixels, (k,) * 4), scale_factor=scale, mode=mode, align_corners=False)
    middle = (k + reach) * scale
    response = response[:, 0, middle : middle + scale, middle : middle + scale].reshape(k, k, scale**2)
    kernel = torch.zeros(channels, scale**2, channels, k, k, dtype=torch.float64)
    for c in range(channels):
        kernel[c, :, c] = response.permute(2, 0, 1)
    return kernel.flatten(0, 1).to(device, dtype).contiguous(memory_format=torch.channels_last)


@lru_cache(maxsize=4)
@torch.inference_mode(False)
def _pixel(h: int, w: int, scale: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return an LR pixel in grid_sample's align_corners=True coordinates, (2, 1, 1).

    There -1 and 1 are the centres of the outermost HR pixels. It is cached, since moving a constant to a device stops
    its queue.
    """
    return (
        torch.tensor([2 * scale / (w * scale - 1), 2 * scale / (h * scale - 1)], dtype=dtype).to(device).view(2, 1, 1)
    )


@lru_cache(maxsize=4)
@torch.inference_mode(False)
def _positions(h: int, w: int, scale: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return grid_sample's coordinates (1, 2, h + 2, w + 2) of the centres of LR pixels and of one ring around them."""

    def along(length: int) -> Tensor:
        centres = scale * (torch.arange(-1, length + 1, dtype=torch.float64) + 0.5) - 0.5
        return centres * (2 / (length * scale - 1)) - 1

    grid = torch.stack(torch.broadcast_tensors(along(w), along(h)[:, None]))[None]
    return grid.to(device, dtype).contiguous(memory_format=torch.channels_last)
