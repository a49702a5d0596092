"""Losses for training: distances between frames, stillness of static scenes, and errors of the flow."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from vsrcli.nets.folded import warp_folded

_TINY = 1e-30  # with less, the square root has no gradient at 0 in float32


Distance = Callable[[Tensor, Tensor], Tensor]
"""Of two tensors of one shape: their mean distance."""


def charbonnier(a: Tensor, b: Tensor, epsilon: float = 1e-3) -> Tensor:
    """Return the mean of sqrt(d^2 + epsilon^2) over all values (Lai et al. 2017, LapSRN): a smooth L1.

    From |d| on that is far above `epsilon` the gradient no longer grows. BasicVSR's 1e-8 is |d| in effect.
    """
    return torch.sqrt((a - b).square() + max(epsilon**2, _TINY)).mean()


def l2(a: Tensor, b: Tensor) -> Tensor:
    """Return the mean squared distance (REPVSR eq. 8)."""
    return (a - b).square().mean()


def distance(kind: str, epsilon: float = 1e-3) -> Distance:
    """Return the distance called "charbonnier", with its `epsilon`, or "l2"."""
    return partial(charbonnier, epsilon=epsilon) if kind == "charbonnier" else l2


def static_scene_loss(sr: Tensor, hr: Tensor, between: Distance) -> Tensor:
    """Return the change of SR frames from one to the next in clips whose truth is static, both (n, t, 3, h, w).

    With the truth as the only target a slow drift remains, too small to matter within a clip's length; over hundreds of
    frames it is visible.
    """
    still = (hr == hr[:, :1]).flatten(1).all(1)
    if not still.any():
        return sr.new_zeros(())
    return between(sr[still, 1:], sr[still, :-1])


def endpoint_error(flow: Tensor, target: Tensor) -> Tensor:
    """Return the mean distance of flows (..., 2, h, w) in pixels, at most 4: motion out of a crop cannot be learnt."""
    return torch.sqrt((flow - target).square().sum(-3) + 1e-4).clamp(max=4).mean()


def flow_warping(frame: Tensor, neighbour: Tensor, flow: Tensor, scale: int, between: Distance) -> Tensor:
    """Return the distance of `frame` to `neighbour` warped by the LR `flow` from `frame` to it (REPVSR eq. 9).

    Frames are (n, 3, s*h, s*w), with a scale of 1 LR ones; the flow is (n, 2, h, w). The paper compares LR frames. HR
    frames show errors of a fraction of an LR pixel, which matter for warping the previous HR estimate, and they are
    clean where the LR ones were compressed.

    Where the flow leaves the frame, the border is replicated. These pixels must count: without them, the loss is least
    for a flow that leaves the frame everywhere, and training finds it.
    """
    return between(warp_folded(neighbour, flow, scale), F.pixel_unshuffle(frame, scale))
