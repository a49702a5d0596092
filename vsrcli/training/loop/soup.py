"""Greedy soups (Wortsman et al., ICML 2022): the mean of several runs' weights, where it validates no worse.

Runs that start from the same weights end in one basin of the loss, each off its centre by the noise of its last
batches. Their mean is closer to the centre and costs nothing at inference. Runs that start from different weights have
no basin in common: their mean is much worse than each, and the greedy choice leaves them out. The choice is made on the
validation clips, so its score is slightly optimistic.
"""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from vsrcli.engine.device import pick_device, pick_precision, place
from vsrcli.errors import Reason, UsageError
from vsrcli.nets.recurrent import RecurrentNet
from vsrcli.training.data.pack import Pack
from vsrcli.training.data.sampler import Pair
from vsrcli.training.loop.validation import score, validation_pairs
from vsrcli.training.recipe import DEGRADATIONS
from vsrcli.words import counted

Say = Callable[[str], None]


@dataclass(frozen=True)
class Soup:
    """What was mixed: names of the models, and the means of its PSNR-Y and bicubic's over the validation clips.

    Both are nan if nothing was scored.
    """

    taken: tuple[str, ...]
    psnr: float = math.nan
    bicubic: float = math.nan


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
    `shares`, one for each model, all are mixed by these, and nothing needs to be scored: `packs` may be empty. A single
    model is only scored and copied. `say` is called with the score of each model. They are scored on frames of
    `degradation`, by default the models' own, for which the soup then is. Raises UsageError if the models do not have
    the same shape, or without `degradation` not the same one, the packs have no validation clip, or the shares do not
    fit.
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
    mixed = None if shares is None else mean([model.net for model in loaded], shares)
    if mixed is not None and not packs:
        made, soup = Soup(tuple(models)), mixed
    else:
        if degradation not in DEGRADATIONS:
            raise UsageError(f"{models[0]}: does not say for which degradation it is: {', '.join(DEGRADATIONS)}")
        pairs = validation_pairs(Pack(packs), degradation, first.scale)
        if not pairs:
            raise UsageError("the packs hold no validation clip", Reason.NO_VALIDATION_CLIP)
        nets = [(name, model.net) for name, model in zip(models, loaded, strict=True)]
        made, soup = _validated(nets, mixed, pairs, pick_device(device), say)
    like = loaded[models.index(made.taken[0])]
    state, known = formats.read(like.path)
    architecture, config, _ = formats.identify(state, known, like.path)
    about = {**known, "scale": first.scale, "degradation": degradation, "mean_of": [Path(n).name for n in made.taken]}
    about |= {} if shares is None else {"shares": list(shares)}
    formats.save(output, soup, arch=architecture.name, config=config, extra=about, dtype=torch.float16)
    return made


def _validated(
    nets: list[tuple[str, RecurrentNet]], mixed: RecurrentNet | None, pairs: list[Pair], device: torch.device, say: Say
) -> tuple[Soup, RecurrentNet]:
    """Return a soup and its scores: `mixed` if it is given, else the greedy one. `say` hears how each net does."""

    def scored(net: RecurrentNet) -> tuple[float, float]:
        return score(place(copy.deepcopy(net), device, pick_precision("auto", device)), pairs, device)

    scores = {}
    for name, net in nets:
        scores[name], bicubic = scored(net)
        say(f"{name}: {scores[name]:.3f} dB, {scores[name] - bicubic:+.3f} over bicubic")
    if mixed is not None:
        return Soup(tuple(name for name, _ in nets), scored(mixed)[0], bicubic), mixed
    named = dict(nets)
    best, *others = sorted(scores, key=lambda name: -scores[name])
    taken, soup, psnr = [best], named[best], scores[best]
    for name in others:
        tried = mean([named[n] for n in (*taken, name)])
        reached, _ = scored(tried)
        say(f"with {name}: {reached:.3f} dB, {'taken in' if reached >= psnr else 'left out'}")
        if reached >= psnr:
            taken, soup, psnr = [*taken, name], tried, reached
    return Soup(tuple(taken), psnr, bicubic), soup


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
