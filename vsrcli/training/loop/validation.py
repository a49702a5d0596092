"""Validation of a net on clips that are not used for training."""

import torch

from vsrcli.levels import to_unit
from vsrcli.nets.recurrent import RecurrentNet
from vsrcli.quality import degrade, metrics
from vsrcli.training.data.pack import Pack, spread
from vsrcli.training.data.real import CHAINS, UNIT, lower_real
from vsrcli.training.data.sampler import Pair, lower


def validation_pairs(pack: Pack, degradation: str, scale: int, *, sigma: float = degrade.BD_SIGMA) -> list[Pair]:
    """Return LR and HR of whole validation clips with n = 1, at most VALIDATION_CLIPS, evenly spread."""
    pairs = []
    for number, name in enumerate(spread(pack.names("validation"))):
        hr, lr = pack.pair("validation", name)
        if degradation in CHAINS and lr is None:
            if any(side % (UNIT * scale) for side in hr.shape[-2:]):
                continue
            lr = lower_real(hr, scale, torch.Generator().manual_seed(number), degradation)
        target = degrade.crop_to_multiple(to_unit(hr)[None], scale)
        given = to_unit(lr)[None] if degradation in CHAINS and lr is not None else None
        pairs.append((lower(target, degradation, scale, sigma=sigma) if given is None else given, target))
    return pairs


@torch.no_grad()
def score(net: RecurrentNet, pairs: list[Pair], device: torch.device) -> tuple[float, float]:
    """Return the mean PSNR-Y of the net and of MATLAB's bicubic on clips, over all their frames."""
    ours, bicubic = [], []
    for lr, hr in pairs:
        target = metrics.planes(hr)
        ours.append(metrics.psnr(metrics.planes(net(lr.to(device)).cpu()), target).mean())
        bicubic.append(metrics.psnr(metrics.planes(degrade.imresize(lr, net.scale)), target).mean())
    return torch.stack(ours).mean().item(), torch.stack(bicubic).mean().item()
