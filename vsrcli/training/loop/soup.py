"""Greedy soups (Wortsman et al., ICML 2022): the mean of several runs' weights, where it validates no worse.

Runs that start from the same weights end in one basin of the loss, each off its centre by the noise of its last
batches. Their mean is closer to the centre and costs nothing at inference. Runs that start from different weights have
no basin in common: their mean is much worse than each, and the greedy choice leaves them out. The choice is made on the
validation clips, so its score is slightly optimistic.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from vsrcli.engine.device import pick_device, pick_precision, place
from vsrcli.errors import Reason, UsageError
from vsrcli.nets.recurrent import RecurrentNet
from vsrcli.training.data.pack import Pack
from vsrcli.training.loop.validation import score, validation_pairs
from vsrcli.training.recipe import DEGRADATIONS
from vsrcli.words import counted

Say = Callable[[str], None]


@dataclass(frozen=True)
class Soup:
    """What was mixed: names of the models, and the means of its PSNR-Y and bicubic's over the validation clips."""

    taken: tuple[str, ...]
    psnr: float
    bicubic: float


def cook(
    models: list[str],
    packs: list[Path],
    output: Path,
    *,
    shares: Sequence[float] | None = None,
    degradation: str | None = None,
    device: str = "auto",
    say: Say,
) -> Soup:
    """Write the soup of some models to `output` in float16, and return what it is.

    Models are added from the best to the worst, and each one is kept if the mean with it is no worse than without. With
    `shares`, one for each model, all are mixed by these. A single model is only scored and copied. `say` is called with
    the score of each model. They are scored on frames of `degradation`, by default the models' own, for which the soup
    then is. Raises UsageError if the models do not have the same shape, or without `degradation` not the same one, the
    packs have no validation clip, or the shares do not fit.
    """
    if shares is not None and (len(shares) != len(models) or min(shares) < 0 or sum(shares) <= 0):
        raise UsageError(f"{counted(len(models), 'model')} need as many shares, none below 0 and not all 0")
    from vsrcli.zoo import formats, loading

    loaded = [loading.load(name) for name in models]
    first = loaded[0]
    shapes = [{key: x.shape for key, x in model.net.state_dict().items()} for model in loaded]
    alike = degradation is not None or all(model.degradation == first.degradation for model in loaded)
    if not alike or any(shape != shapes[0] for shape in shapes):
        raise UsageError(f"{', '.join(models)}: only weights of one net and degradation can be mixed")
    degradation = degradation or first.degradation
    if degradation not in DEGRADATIONS:
        raise UsageError(f"{models[0]}: does not say for which degradation it is: {', '.join(DEGRADATIONS)}")
    pairs = validation_pairs(Pack(packs), degradation, first.scale)
    if not pairs:
        raise UsageError("the packs hold no validation clip", Reason.NO_VALIDATION_CLIP)
    where = pick_device(device)

    def scored(net: RecurrentNet) -> tuple[float, float]:
        return score(place(copy.deepcopy(net), where, pick_precision("auto", where)), pairs, where)

    scores = {}
    for name, model in zip(models, loaded, strict=True):
        scores[name], bicubic = scored(model.net)
        say(f"{name}: {scores[name]:.3f} dB, {scores[name] - bicubic:+.3f} over bicubic")
    named = dict(zip(models, loaded, strict=True))
    best, *others = sorted(scores, key=lambda name: -scores[name])
    taken, soup, psnr = [best], named[best].net, scores[best]
    if shares is not None:
        taken, soup = models, mean([model.net for model in loaded], shares)
        psnr, _ = scored(soup)
        others = []
    for name in others:
        tried = mean([named[n].net for n in (*taken, name)])
        reached, _ = scored(tried)
        say(f"with {name}: {reached:.3f} dB, {'taken in' if reached >= psnr else 'left out'}")
        if reached >= psnr:
            taken, soup, psnr = [*taken, name], tried, reached
    state, known = formats.read(named[best].path)
    architecture, config, _ = formats.identify(state, known, named[best].path)
    about = {**known, "scale": first.scale, "degradation": degradation, "mean_of": [Path(n).name for n in taken]}
    about |= {} if shares is None else {"shares": list(shares)}
    formats.save(output, soup, arch=architecture.name, config=config, extra=about, dtype=torch.float16)
    return Soup(tuple(taken), psnr, bicubic)


@torch.no_grad()
def mean(nets: list[RecurrentNet], shares: Sequence[float] | None = None) -> RecurrentNet:
    """Return a net whose weights are the mean of those of nets of the same shape, by default with equal shares."""
    states = [net.state_dict() for net in nets]
    parts = torch.tensor([1.0] * len(nets) if shares is None else shares, dtype=torch.float32)
    parts /= parts.sum()
    out = copy.deepcopy(nets[0])
    out.load_state_dict(
        {key: torch.tensordot(parts, torch.stack([s[key].float() for s in states]), 1) for key in states[0]}
    )
    return out
