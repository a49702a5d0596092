"""One training pass of a net over clips: the flows of all frames in one batch, then the net's steps in time."""

import torch
from torch import Tensor

from vsrcli.nets.recurrent import RecurrentNet, Window, pad_frame, upsample_window
from vsrcli.nets.reparam import merged_once


def clip_flows(net: RecurrentNet, lr: Tensor, *, forward: bool) -> Tensor:
    """Return the flows (n, t-1, 2, h, w) of clips (n, t, 3, h, w): from each frame to the next one, or back."""
    h, w = lr.shape[-2:]
    lr = _padded(net, lr)
    earlier, later = lr[:, :-1].flatten(0, 1), lr[:, 1:].flatten(0, 1)
    flow = net.flow(earlier, later) if forward else net.flow(later, earlier)
    return flow[..., :h, :w].reshape(lr.shape[0], -1, 2, h, w)


def clip_window(net: RecurrentNet, lr: Tensor) -> tuple[Window, Tensor]:
    """Return clips (n, t, 3, h, w) as a window, and the flows to the previous frames (n, t-1, 2, h, w).

    Both are padded as the net needs it (`multiple` and `min_size`).
    """
    lr = _padded(net, lr)
    t = lr.shape[1]
    lr = net.prepare(lr.flatten(0, 1)).view_as(lr)
    backward = clip_flows(net, lr, forward=False)
    onward = clip_flows(net, lr, forward=True).unbind(1) if net.bidirectional else (None,) * (t - 1)
    frames = lr.unbind(1)
    window = Window(
        lr=frames,
        to_next=[*onward, None],
        to_previous=[None, *backward.unbind(1)],
        encoded=[net.encode(frames, i, number=i, length=t) for i in range(t)],
        keep=t,
    )
    return window, backward


def unroll(net: RecurrentNet, lr: Tensor) -> tuple[Tensor, Tensor]:
    """Upscale clips (n, t, 3, h, w); return HR (n, t, 3, s*h, s*w) and the flows to the previous frames."""
    h, w = lr.shape[-2:]
    with merged_once(net):
        window, backward = clip_window(net, lr)
        hr = torch.stack(list(upsample_window(net, window)), 1)
    return hr[..., : h * net.scale, : w * net.scale], backward[..., :h, :w]


def _padded(net: RecurrentNet, lr: Tensor) -> Tensor:
    padded = pad_frame(lr.flatten(0, 1), net.multiple, net.min_size)
    return padded.view(*lr.shape[:2], *padded.shape[1:])
