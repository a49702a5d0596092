"""Warm starts: reuse weights of a trained net, also for a net of another structure."""

import torch
from torch import Tensor, nn

from vsrcli.nets.reparam import load_merged

State = dict[str, Tensor]


def reuse_weights(net: nn.Module, given: State) -> int:
    """Initialise `net` from the state dict of another; return the number of reused tensors.

    Tensors of equal key and shape are copied. BasicVSR's are converted for IconVSR.
    """
    if type(net).__name__ == "IconVSR" and "fusion.weight" in given and "edvr.fusion.feat_fusion.weight" not in given:
        given = basicvsr_as_iconvsr(given, net.state_dict())
    return load_merged(net, given)


@torch.no_grad()
def basicvsr_as_iconvsr(given: State, own: State) -> State:
    """Return initial weights for IconVSR from BasicVSR's state dict; `own` is IconVSR's new one.

    - The forward trunk's first convolution reads (frame, backward feature, warped feature). BasicVSR has weights for
      the first and the last; the backward feature starts with zero weights and is learnt.
    - The refill convolutions pass the warped feature on and give the keyframe zero weights, so that keyframes are like
      all other frames at first. EDVR-M gets gradients as soon as these weights have changed.
    - BasicVSR upsamples a 1x1 fusion of both branches, IconVSR the forward feature: the first upsampling convolution
      absorbs the forward half of the fusion.
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
