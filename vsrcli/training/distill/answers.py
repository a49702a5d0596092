"""Answers of large nets, packed beside the clips: targets without the detail that no net can predict.

Most of the remaining error of a small net is detail that the LR frames do not determine. In a target it acts as noise:
it averages out over many batches and makes the gradient of each one worse. A good teacher's frame is about the mean of
all HR frames that are consistent with the LR frames, so it has the same optimum as the truth, with less noise. Computed
once and stored, an answer costs a second a clip instead of several times the student's own work in every iteration. The
teacher may also see more than the student, the whole clip and the frame around a crop, since a mean over that is still
the mean.
"""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from vsrcli import log
from vsrcli.engine.device import pick_device, pick_precision, place
from vsrcli.errors import UsageError
from vsrcli.levels import to_levels, to_unit
from vsrcli.nets.recurrent import RecurrentNet
from vsrcli.training.data.pack import Pack, in_turns, write_pack
from vsrcli.training.data.sampler import lower

Say = Callable[[str], None]


def add_answers(
    packs: list[Path],
    output: Path,
    teachers: list[str],
    *,
    clips_per_source: int,
    device: str = "auto",
    say: Say | None = None,
) -> int:
    """Write a pack of the packs' clips with answers; return the number of clips.

    An answer is the mean of the teachers' results for the degraded clip. Raises UsageError if the teachers do not have
    one degradation and scale, InputError if a pack cannot be read, and the errors of loading a model.

    Args:
        packs: paths of the packs.
        output: path of the new pack.
        teachers: names or paths of models of one degradation and scale.
        clips_per_source: largest number of training clips of one source.
        device: where the teachers run.
        say: called with a line for each clip.
    """
    nets, degradation = _load(teachers, device)
    whole = Pack(packs)
    train = in_turns(whole.names("train"), clips_per_source)
    tensors: dict[str, Tensor] = {}
    for part, names in (("validation", whole.names("validation")), ("train", train)):
        for number, name in enumerate(names, 1):
            hr, lr = whole.pair(part, name)
            tensors[f"{part}/{name}"] = hr
            if lr is not None:
                tensors[f"{part}-lr/{name}"] = lr
            if part == "train":
                tensors[f"{part}-answer/{name}"] = answer(nets, hr, degradation)
                (say or log.note)(f"{number} of {len(names)} clips: {name}")
    whole.origins.add({"teachers": teachers})
    return write_pack(output, tensors, asdict(whole.origins))


@torch.inference_mode()
def answer(nets: list[RecurrentNet], hr: Tensor, degradation: str) -> Tensor:
    """Return the mean of the nets' HR frames for a degraded clip (t, 3, h, w), uint8: the same shape and type."""
    device = next(nets[0].parameters()).device
    lr = lower(to_unit(hr)[None], degradation, nets[0].scale).to(device)
    mean = torch.stack([net(lr) for net in nets]).mean(0)[0]
    return to_levels(mean.cpu())


def _load(names: list[str], device: str) -> tuple[list[RecurrentNet], str]:
    from vsrcli.zoo import loading

    where = pick_device(device)
    models = [loading.load(name) for name in names]
    kinds = {(model.degradation, model.scale) for model in models}
    degradation = models[0].degradation
    if len(kinds) > 1 or degradation not in ("bi", "bd"):
        raise UsageError(f"{', '.join(names)}: teachers answer to one degradation, bi or bd, and one scale")
    return [place(model.net, where, pick_precision("auto", where)) for model in models], degradation
