"""What training minimises: distances between frames, and how well flow explains the next frame."""

import torch
from torch import Tensor

from vsrcli.nets.layers import flow_warp


def charbonnier(a: Tensor, b: Tensor) -> Tensor:
    """Mean of sqrt(d^2 + 1e-6) over everything (Lai et al. 2017, LapSRN): a smooth L1."""
    return torch.sqrt((a - b).square() + 1e-6).mean()


def l2(a: Tensor, b: Tensor) -> Tensor:
    """Mean squared distance (REPVSR eq. 8)."""
    return (a - b).square().mean()


DISTANCES = {"charbonnier": charbonnier, "l2": l2}


def flow_warping(frame: Tensor, neighbour: Tensor, flow: Tensor, kind: str) -> Tensor:
    """REPVSR eq. 9: `neighbour` (n, 3, h, w), warped by `flow` (n, 2, h, w) from `frame` to it, should be `frame`.

    Pixels whose flow leaves the frame are not counted: what is there cannot be known, and on small patches of moving
    video they are many.
    """
    h, w = frame.shape[-2:]
    x = flow[:, :1] + torch.arange(w, device=flow.device)
    y = flow[:, 1:] + torch.arange(h, device=flow.device)[:, None]
    inside = ((x >= 0) & (x <= w - 1) & (y >= 0) & (y <= h - 1)).to(frame.dtype)
    warped = flow_warp(neighbour, flow, padding="border")
    return DISTANCES[kind](warped * inside, frame * inside)
