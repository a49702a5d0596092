"""The states that a net carries from frame to frame, observed from outside."""

import torch
from torch import Tensor, nn

from vsrcli.nets.recurrent import RecurrentNet, State


def run(net: nn.Module, clip: Tensor) -> tuple[Tensor, list[State]]:
    """Return the output frames of a clip (1, n, 3, h, w) as (n, 3, s*h, s*w), and the states after each step."""
    assert isinstance(net, RecurrentNet)
    states: list[State] = []
    propagate = net.propagate

    def watched(*args: object) -> tuple[Tensor, State]:
        feature, state = propagate(*args)  # type: ignore[arg-type]
        states.append(state)
        return feature, state

    net.propagate = watched  # type: ignore[method-assign,assignment]
    with torch.inference_mode():
        out = net(clip)[0]
    del net.propagate
    return out, states
