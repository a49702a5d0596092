"""Losses for training: distances between frames, stillness of static scenes, and errors of the flow."""

import torch
import torch.nn.functional as F
from torch import Tensor

from vsrcli.nets.folded import warp_folded


def charbonnier(a: Tensor, b: Tensor) -> Tensor:
    """Return the mean of sqrt(d^2 + 1e-6) over all values (Lai et al. 2017, LapSRN): a smooth L1."""
    return torch.sqrt((a - b).square() + 1e-6).mean()


def l2(a: Tensor, b: Tensor) -> Tensor:
    """Return the mean squared distance (REPVSR eq. 8)."""
    return (a - b).square().mean()


DISTANCES = {"charbonnier": charbonnier, "l2": l2}


def static_scene_loss(sr: Tensor, hr: Tensor, kind: str) -> Tensor:
    """Return the change of SR frames from one to the next in clips whose truth is static, both (n, t, 3, h, w).

    With the truth as the only target a slow drift remains, too small to matter within a clip's length; over hundreds of
    frames it is visible.
    """
    still = (hr == hr[:, :1]).flatten(1).all(1)
    if not still.any():
        return sr.new_zeros(())
    return DISTANCES[kind](sr[still, 1:], sr[still, :-1])


def endpoint_error(flow: Tensor, target: Tensor) -> Tensor:
    """Return the mean distance of flows (..., 2, h, w) in pixels, at most 4: motion out of a crop cannot be learnt."""
    return torch.sqrt((flow - target).square().sum(-3) + 1e-4).clamp(max=4).mean()


def flow_warping(frame: Tensor, neighbour: Tensor, flow: Tensor, scale: int, kind: str) -> Tensor:
    """Return the distance of `frame` to `neighbour` warped by the LR `flow` from `frame` to it (REPVSR eq. 9).

    Frames are (n, 3, s*h, s*w), the flow is (n, 2, h, w). The paper compares LR frames. HR frames show errors of a
    fraction of an LR pixel, which matter for warping the previous HR estimate, and they are clean where the LR ones
    were compressed.

    Where the flow leaves the frame, the border is replicated. These pixels must count: without them, the loss is least
    for a flow that leaves the frame everywhere, and training finds it.
    """
    return DISTANCES[kind](warp_folded(neighbour, flow, scale), F.pixel_unshuffle(frame, scale))
