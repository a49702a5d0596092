"""Warm starts: reuse weights of a trained net, also for a net of another structure."""

from torch import Tensor

from vsrcli.nets.recurrent import RecurrentNet
from vsrcli.nets.reparam import load_merged


def reuse_weights(net: RecurrentNet, given: dict[str, Tensor]) -> int:
    """Initialise `net` from the state dict of another; return the number of reused tensors.

    Tensors of equal key and shape are copied, after the net has converted what it can (`RecurrentNet.adopt`).
    """
    return load_merged(net, net.adopt(given))
