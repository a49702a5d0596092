"""Warm starts: weights taken over from a trained net, also where the new one is built differently."""

import torch
from torch import Tensor, nn

from vsrcli.nets.reparam import load_merged

State = dict[str, Tensor]


def take_over(net: nn.Module, given: State) -> int:
    """Start `net` from the state dict of another: equal keys and shapes as they are, and BasicVSR into IconVSR.

    Returns how many tensors were taken over.
    """
    if type(net).__name__ == "IconVSR" and "fusion.weight" in given and "edvr.fusion.feat_fusion.weight" not in given:
        given = basicvsr_as_iconvsr(given, net.state_dict())
    return load_merged(net, given)


@torch.no_grad()
def basicvsr_as_iconvsr(given: State, own: State) -> State:
    """What IconVSR can begin with from BasicVSR's state dict; `own` is IconVSR's fresh one.

    - The forward trunk's first convolution reads (frame, backward feature, warped feature): BasicVSR knows the first
      and the last; the backward feature starts at zero weight and is learnt.
    - The refill convolutions pass the warped feature on and give the keyframe's no weight, so that a keyframe begins as
      any other frame; EDVR-M gets gradients as soon as they have moved.
    - BasicVSR upsamples a 1x1 fusion of both branches, IconVSR the forward feature: the first upsampling convolution
      absorbs the fusion's forward half.
    """
    state = dict(given)
    channels = given["backward_trunk.main.0.weight"].shape[0]
    first = torch.zeros_like(own["forward_trunk.main.0.weight"])
    known = given["forward_trunk.main.0.weight"]
    first[:, :3], first[:, 3 + channels :] = known[:, :3], known[:, 3:]
    state["forward_trunk.main.0.weight"] = first
    for name in ("backward_fusion", "forward_fusion"):
        weight = torch.zeros_like(own[f"{name}.weight"])
        weight[:, :channels, 1, 1] = torch.eye(channels)
        state[f"{name}.weight"], state[f"{name}.bias"] = weight, torch.zeros_like(own[f"{name}.bias"])
    fusion = given["fusion.weight"][:, channels:, 0, 0]
    upconv = given["upconv1.weight"]
    state["upconv1.weight"] = torch.einsum("omyx,mi->oiyx", upconv, fusion)
    state["upconv1.bias"] = given["upconv1.bias"] + upconv.sum((2, 3)) @ given["fusion.bias"]
    return state
