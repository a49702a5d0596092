"""Temporal consistency of consecutive frames: warping error, unexplained change and tOF, given any optical flow.

The flow is an argument, `flow(a, b)` on frames (n, 3, h, w) in [0, 1] -> (n, 2, h, w), x then y in pixels, such that
pixel p of `a` is seen in `b` at p + flow(p). With SPyNet it is the flow that most VSR nets align by. Flow is by far the
dearest part, so the reference's `motion` is found once for a pair of frames and serves all methods and figures.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from vsrcli.warp import flow_warp

Flow = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Motion:
    """How the reference moves between two frames: flow both ways (n, 2, h, w), and 1.0 where it holds (n, h, w)."""

    to_next: Tensor
    to_previous: Tensor
    visible: Tensor


def motion(previous: Tensor, frame: Tensor, flow: Flow) -> Motion:
    """The motion between the reference's frames, (n, 3, h, w) in [0, 1] each; pairs of a clip may form the batch."""
    to_next, to_previous = flow(previous, frame), flow(frame, previous)
    return Motion(to_next, to_previous, not_occluded(to_previous, to_next))


def warping_error(previous: Tensor, frame: Tensor, reference: Motion) -> Tensor:
    """How far a frame is from its predecessor moved onto it: (n, 3, h, w) in [0, 1] each -> (n,), in levels squared.

    The warping error of Lai et al. 2018, "Learning Blind Video Temporal Consistency": the mean squared difference
    over pixels that are not occluded, here also averaged over R, G and B and in 8-bit levels, like `mse`. Flow and
    occlusion are those of the ground truth, so that all methods are judged along the same motion. Blur lowers this
    figure and the ground truth's own is not zero: read it beside the latter, or beside `unexplained_change`.
    """
    return _difference(frame, flow_warp(previous, reference.to_previous, padding="border"), reference.visible)


def unexplained_change(previous: Tensor, frame: Tensor, reference: Motion) -> Tensor:
    """The part of the change between two frames that motion does not explain: (n, 3, h, w) each -> (n,), 0 to about 1.

    The warping error over what it is without a warp. 0: all that changes has moved; 1: following the motion is as far
    off as not moving at all, and all change is flicker. A frame that shows less detail changes less in both ways, so
    that blur, which lowers the warping error itself, brings nothing here.
    """
    return warping_error(previous, frame, reference) / _difference(frame, previous, reference.visible).clamp(min=1e-6)


def _difference(a: Tensor, b: Tensor, visible: Tensor) -> Tensor:
    """Mean squared difference of (n, 3, h, w) in [0, 1] where `visible` (n, h, w) is 1: (n,), in levels squared."""
    squared = (a - b).mul(255).square().mean(1)
    return (squared * visible).sum((-2, -1)) / visible.sum((-2, -1)).clamp(min=1)


def tof(previous: Tensor, frame: Tensor, reference: Motion, flow: Flow) -> Tensor:
    """How far the motion between two frames is from the reference's: (n, 3, h, w) in [0, 1] each -> (n,), in pixels.

    tOF of Chu et al. 2020, "Learning Temporal Coherence via Self-Supervision for GAN-based Video Generation"
    (TecoGAN): |OF(b[t-1], b[t]) - OF(g[t-1], g[t])|, mean over pixels and both components.
    """
    return (flow(previous, frame) - reference.to_next).abs().mean((-3, -2, -1))


def not_occluded(forth: Tensor, back: Tensor) -> Tensor:
    """1.0 where flow and backward flow agree and stay inside the frame, else 0.0: two (n, 2, h, w) -> (n, h, w).

    The check of Sundaram et al. 2010 with the constants of Ruder et al. 2016 ("Artistic Style Transfer for Videos"),
    which Lai et al. use: |forth + back|^2 <= 0.01 (|forth|^2 + |back|^2) + 0.5.
    """
    h, w = forth.shape[-2:]
    returned = flow_warp(back, forth, padding="border")
    gap = (forth + returned).square().sum(1)
    agrees = gap <= 0.01 * (forth.square().sum(1) + returned.square().sum(1)) + 0.5
    xs = forth[:, 0] + torch.arange(w, device=forth.device)
    ys = forth[:, 1] + torch.arange(h, device=forth.device)[:, None]
    inside = (xs >= 0) & (xs <= w - 1) & (ys >= 0) & (ys <= h - 1)
    return (agrees & inside).to(forth.dtype)
