"""Temporal consistency of consecutive frames: warping error, unexplained change and tOF, for any optical flow.

The flow is an argument, `flow(a, b)` on frames (n, 3, h, w) in [0, 1], which returns (n, 2, h, w), x then y in pixels,
such that pixel p of `a` is at p + flow(p) in `b`. With SPyNet it is the flow by which most VSR nets align. Flow takes
most of the time, so the reference's `motion` is computed once for a pair of frames and used for all methods and
figures.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from vsrcli.warp import flow_warp

Flow = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Motion:
    """Motion of the reference between two frames: flow both ways (n, 2, h, w), and a mask (n, h, w) of valid pixels."""

    to_next: Tensor
    to_previous: Tensor
    visible: Tensor


def motion(previous: Tensor, frame: Tensor, flow: Flow) -> Motion:
    """Return the motion between the reference's frames, both (n, 3, h, w) in [0, 1]; n may be pairs of one clip."""
    to_next, to_previous = flow(previous, frame), flow(frame, previous)
    return Motion(to_next, to_previous, not_occluded(to_previous, to_next))


def warping_error(previous: Tensor, frame: Tensor, reference: Motion) -> Tensor:
    """Return the warping error of a frame and its predecessor, both (n, 3, h, w) in [0, 1]: (n,), in levels squared.

    It is that of Lai et al. 2018, "Learning Blind Video Temporal Consistency": the mean squared difference of the frame
    and its warped predecessor over pixels that are not occluded, here also averaged over R, G and B and in 8-bit
    levels, like `mse`. Flow and occlusion are those of the ground truth, so that all methods are measured along the
    same motion. Blur lowers this figure, and the ground truth's own is not zero: compare it with the latter, or with
    `unexplained_change`.
    """
    return _difference(frame, flow_warp(previous, reference.to_previous, padding="border"), reference.visible)


def unexplained_change(previous: Tensor, frame: Tensor, reference: Motion) -> Tensor:
    """Return the part of the change between two frames (n, 3, h, w) that motion does not explain: (n,), 0 to about 1.

    It is the warping error divided by the error without a warp. 0 means that all change is motion. 1 means that
    following the motion is as wrong as not moving at all, and all change is flicker. A frame with less detail changes
    less in both, so blur, which lowers the warping error itself, does not lower this figure.
    """
    return warping_error(previous, frame, reference) / _difference(frame, previous, reference.visible).clamp(min=1e-6)


def _difference(a: Tensor, b: Tensor, visible: Tensor) -> Tensor:
    """Return the mean squared difference of (n, 3, h, w) in [0, 1] where `visible` is 1: (n,), in levels squared."""
    squared = (a - b).mul(255).square().mean(1)
    return (squared * visible).sum((-2, -1)) / visible.sum((-2, -1)).clamp(min=1)


def tof(previous: Tensor, frame: Tensor, reference: Motion, flow: Flow) -> Tensor:
    """Return the difference of the motion between two frames to the reference's: (n,), in pixels.

    It is the tOF of Chu et al. 2020, "Learning Temporal Coherence via Self-Supervision for GAN-based Video Generation"
    (TecoGAN): |OF(b[t-1], b[t]) - OF(g[t-1], g[t])|, mean over pixels and both components. Frames are (n, 3, h, w) in
    [0, 1].
    """
    return (flow(previous, frame) - reference.to_next).abs().mean((-3, -2, -1))


def not_occluded(forth: Tensor, back: Tensor) -> Tensor:
    """Return a mask (n, h, w): 1.0 where forward and backward flow (n, 2, h, w) agree and stay inside the frame.

    It is the check of Sundaram et al. 2010 with the constants of Ruder et al. 2016 ("Artistic Style Transfer for
    Videos"), as used by Lai et al.: |forth + back|^2 <= 0.01 (|forth|^2 + |back|^2) + 0.5.
    """
    h, w = forth.shape[-2:]
    returned = flow_warp(back, forth, padding="border")
    gap = (forth + returned).square().sum(1)
    agrees = gap <= 0.01 * (forth.square().sum(1) + returned.square().sum(1)) + 0.5
    xs = forth[:, 0] + torch.arange(w, device=forth.device)
    ys = forth[:, 1] + torch.arange(h, device=forth.device)[:, None]
    inside = (xs >= 0) & (xs <= w - 1) & (ys >= 0) & (ys <= h - 1)
    return (agrees & inside).to(forth.dtype)
