"""What training minimises: distances between frames, and how well flow explains the next frame."""

import torch
import torch.nn.functional as F
from torch import Tensor

from vsrcli.nets.folded import warp_folded


def charbonnier(a: Tensor, b: Tensor) -> Tensor:
    """Mean of sqrt(d^2 + 1e-6) over everything (Lai et al. 2017, LapSRN): a smooth L1."""
    return torch.sqrt((a - b).square() + 1e-6).mean()


def l2(a: Tensor, b: Tensor) -> Tensor:
    """Mean squared distance (REPVSR eq. 8)."""
    return (a - b).square().mean()


DISTANCES = {"charbonnier": charbonnier, "l2": l2}


def unrest(sr: Tensor, hr: Tensor, kind: str) -> Tensor:
    """How much SR frames change from one to the next in those clips whose truth stands still, both (n, t, 3, h, w).

    The truth as the only target leaves a slow creep, too small to cost anything within a clip's length; over hundreds
    of frames it shows.
    """
    still = (hr == hr[:, :1]).flatten(1).all(1)
    if not still.any():
        return sr.new_zeros(())
    return DISTANCES[kind](sr[still, 1:], sr[still, :-1])


def endpoint_error(flow: Tensor, target: Tensor) -> Tensor:
    """Mean distance of flows (..., 2, h, w) in pixels, at most 4: what a crop does not show cannot be learnt."""
    return torch.sqrt((flow - target).square().sum(-3) + 1e-4).clamp(max=4).mean()


def flow_warping(frame: Tensor, neighbour: Tensor, flow: Tensor, scale: int, kind: str) -> Tensor:
    """REPVSR eq. 9 on HR frames: `neighbour` (n, 3, s*h, s*w), warped by the LR `flow` (n, 2, h, w) from `frame` to it,
    should be `frame`.

    The paper compares LR frames. HR frames show errors of a fraction of an LR pixel, which is what the warp of the
    previous HR estimate needs, and they are clean where the LR ones were compressed.

    Where the flow leaves the frame, the border's pixels stand in. They must count: with them left out, the cheapest
    flow is one that leaves the frame everywhere, and training finds it.
    """
    return DISTANCES[kind](warp_folded(neighbour, flow, scale), F.pixel_unshuffle(frame, scale))
