"""The papers' degradations: MATLAB's bicubic downscaling (BI) and Gaussian blur with decimation (BD).

Both are separable, so each is one small matrix per axis, `rows @ x @ columns.T`: one batched product on any device,
differentiable, borders included. The matrices are cached by length, scale and device.
"""

import math
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import Tensor

from vsrcli.errors import UsageError
from vsrcli.levels import to_unit

BD_SIGMA = 1.6  # HR pixels, as in the BasicVSR papers


def imresize(x: Tensor, scale: float) -> Tensor:
    """Compute MATLAB's `imresize(x, scale, 'bicubic')` with antialiasing: (..., h, w) to (..., ceil(h s), ceil(w s)).

    The cubic kernel (Keys 1981, a = -0.5) is widened by 1/scale when downscaling; borders are symmetric. As in MATLAB,
    rows are resized before columns, and uint8 is rounded (half up) and clipped to uint8 after each of the two. Floating
    types of any range are neither rounded nor clipped, and keep their type (computed in float32 at least).
    """

    def matrix(length: int, like: Tensor) -> Tensor:
        return _cubic_matrix(length, float(scale), like.dtype, like.device)

    if x.dtype == torch.uint8:
        # float32 is exact here for scales of 2 and 4 either way: the weights are multiples of 1/4096
        return _resample(x.float(), matrix, _to_levels).to(torch.uint8)
    return _resample(x, matrix)


def bi(hr: Tensor, scale: int, *, quantise: bool = True) -> Tensor:
    """Apply the BI degradation: (..., h, w) in [0, 1] to (..., h/scale, w/scale) in [0, 1] of the same type.

    `quantise` selects the 8-bit protocol of the published figures: HR counts as 8-bit, and each of imresize's two
    passes rounds to 8 bits. Without it the result is exact and differentiable but may leave [0, 1] slightly. Raises
    UsageError if `scale` does not divide the size (see `crop_to_multiple`).
    """
    _check_size(hr, scale)
    if not quantise:
        return imresize(hr, 1 / scale)
    levels = _to_levels(hr.float() * 255).to(torch.uint8)
    return to_unit(imresize(levels, 1 / scale)).to(hr.dtype)


def bd(hr: Tensor, scale: int, *, sigma: float = BD_SIGMA, quantise: bool = True) -> Tensor:
    """Apply the BD degradation: (..., h, w) in [0, 1] to (..., h/scale, w/scale) in [0, 1] of the same type.

    It is MATLAB's `fspecial('gaussian', 2*ceil(3*sigma)+2, sigma)`, `imfilter(..., 'replicate')`, then every scale-th
    pixel such that the even kernel is centred on the centre of the LR pixel: HR position 4k + 1.5 for x4 (samples 2, 6,
    10, ... counted from 1, as in the BasicVSR papers). For x2, where no protocol is published, the same rule gives 2k +
    0.5 (samples 1, 3, 5, ...) with the same sigma: LR and HR then cover the same area, without a shift, as in BI. With
    `quantise`, HR counts as 8-bit and the result is rounded to 8 bits once. Raises UsageError if `scale` does not
    divide the size (see `crop_to_multiple`) or is odd.
    """
    _check_size(hr, scale)
    if scale % 2:
        raise UsageError(f"the BD degradation centres an even kernel: the scale must be even, not {scale}")

    def matrix(length: int, like: Tensor) -> Tensor:
        return _gaussian_matrix(length, scale, float(sigma), like.dtype, like.device)

    if not quantise:
        return _resample(hr, matrix)
    return (_to_levels(_resample(_to_levels(hr.float() * 255), matrix)) / 255).to(hr.dtype)


def crop_to_multiple(hr: Tensor, multiple: int) -> Tensor:
    """Crop (..., h, w) at the bottom and right to multiples of `multiple`, as the papers crop their ground truth."""
    h, w = hr.shape[-2:]
    return hr[..., : h - h % multiple, : w - w % multiple]


def _check_size(hr: Tensor, scale: int) -> None:
    h, w = hr.shape[-2:]
    if h % scale or w % scale or not h or not w:
        raise UsageError(f"a frame of {w}x{h} cannot be reduced by {scale}: crop it to a multiple of {scale} first")


def _to_levels(y: Tensor) -> Tensor:
    """Round half up, as MATLAB's uint8() does for positive numbers (torch.round rounds half to even), and clip."""
    return (y + 0.5).floor_().clamp_(0, 255)


def _resample(
    x: Tensor, matrix: Callable[[int, Tensor], Tensor], after_pass: Callable[[Tensor], Tensor] | None = None
) -> Tensor:
    """Multiply rows, then columns, by their matrices, with `after_pass` on each product.

    Computes in float32 at least, also under autocast.
    """
    upcast = x.to(torch.promote_types(x.dtype, torch.float32))
    rows, columns = (matrix(length, upcast) for length in x.shape[-2:])
    with torch.autocast(x.device.type, enabled=False):
        y = torch.matmul(rows, upcast)
        y = torch.matmul(after_pass(y) if after_pass else y, columns.T)
    return (after_pass(y) if after_pass else y).to(x.dtype)


def _cubic(x: Tensor) -> Tensor:
    a = x.abs()
    near = 1.5 * a**3 - 2.5 * a**2 + 1
    far = -0.5 * a**3 + 2.5 * a**2 - 4 * a + 2
    return torch.where(a <= 1, near, torch.where(a <= 2, far, 0))


@lru_cache(maxsize=64)
@torch.inference_mode(False)  # autograd cannot use a cached inference tensor later
def _cubic_matrix(length: int, scale: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return a matrix (ceil(length scale), length) whose row i holds the weights of output sample i."""
    shrink = min(scale, 1.0)
    taps = math.ceil(4 / shrink) + 2
    centre = (torch.arange(math.ceil(length * scale), dtype=torch.float64)[:, None] + 0.5) / scale - 0.5
    index = (centre - 2 / shrink).floor() + torch.arange(taps)
    weight = _cubic((centre - index) * shrink)
    index = index.long() % (2 * length)
    mirrored = torch.where(index < length, index, 2 * length - 1 - index)
    return _dense(mirrored, weight, length).to(device, dtype)


@lru_cache(maxsize=64)
@torch.inference_mode(False)
def _gaussian_matrix(length: int, scale: int, sigma: float, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return a matrix (length / scale, length) whose row i is the Gaussian around LR pixel i, borders replicated."""
    half = math.ceil(3 * sigma) + 1
    offset = torch.arange(2 * half, dtype=torch.float64) - (half - 0.5)
    first = torch.arange(length // scale)[:, None] * scale + scale // 2 - half
    index = (first + torch.arange(2 * half)).clamp(0, length - 1)
    return _dense(index, torch.exp(-(offset**2) / (2 * sigma**2)).expand(index.shape), length).to(device, dtype)


def _dense(index: Tensor, weight: Tensor, length: int) -> Tensor:
    """Return a matrix (out, length) with the normalised `weight` (out, taps) added at the columns in `index`."""
    dense = torch.zeros(index.shape[0], length, dtype=torch.float64)
    return dense.scatter_add_(1, index, weight / weight.sum(1, keepdim=True))
