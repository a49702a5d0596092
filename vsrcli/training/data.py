"""Packed clips and the batches drawn from them: random crops, flips, transposes and time reversal, then degradation.

A pack is one safetensors file of uint8 clips (t, 3, h, w): `train/NAME` and `validation/NAME`, and where the
low-resolution side was made at packing time (degradation "real") also `train-lr/NAME` and `validation-lr/NAME`, where
a teacher was asked (answers.py) `train-answer/NAME`; or compressed (pictures.py). It needs no video library to read, so
training runs where there is none. Where there is one, degradation "real" is drawn anew for every batch unless the pack
holds low-resolution frames.
"""

import json
from collections import Counter
from itertools import zip_longest
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from vsrcli.errors import InputError, Reason, UsageError
from vsrcli.files import replacing
from vsrcli.levels import to_unit
from vsrcli.quality import degrade
from vsrcli.training.pictures import decompress
from vsrcli.training.real import UNIT, lower_real
from vsrcli.training.recipe import DataRecipe

Pair = tuple[Tensor, Tensor]
"""LR and HR frames: (n, t, 3, h, w) and (n, t, 3, s*h, s*w), float32 in [0, 1]."""


class Pack:
    """The clips of one or more pack files, all in memory."""

    def __init__(self, paths: list[Path]) -> None:
        """Raises InputError where a file is missing or no pack, or all together hold no clip to train on."""
        self.parts: dict[str, dict[str, Tensor]] = {}
        self.sources: list[str] = []
        stems = Counter(path.stem for path in paths)
        for path in paths:
            label = path.stem if stems[path.stem] == 1 else str(path)
            try:
                with safe_open(path, "pt") as file:
                    tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
                    about = file.metadata() or {}
                known = json.loads(about.get("vsr", "{}"))
                for key, length in known.get("lengths", {}).items():
                    tensors[key] = decompress(tensors[key], length)
                self.sources += known.get("sources", [])
            except (OSError, ValueError, SafetensorError) as error:
                raise InputError(f"{path}: not a pack of training clips ({error})", Reason.NOT_A_PACK) from None
            for key, clip in tensors.items():
                part, _, name = key.partition("/")
                self.parts.setdefault(part, {})[f"{label}/{name}"] = clip
        if not self.parts.get("train"):
            raise InputError("the pack holds no clip to train on")

    def names(self, part: str) -> list[str]:
        """The clips of "train" or "validation", sorted."""
        return sorted(self.parts.get(part, {}))

    def pair(self, part: str, name: str) -> tuple[Tensor, Tensor | None]:
        """A clip's uint8 HR frames (t, 3, h, w), and its LR frames where the pack has them."""
        return self.parts[part][name], self.parts.get(f"{part}-lr", {}).get(name)

    def answer(self, part: str, name: str) -> Tensor | None:
        """A teacher's uint8 HR frames for a clip, where the pack has them."""
        return self.parts.get(f"{part}-answer", {}).get(name)


def write_pack(path: Path, tensors: dict[str, Tensor], about: dict[str, Any]) -> int:
    """Write a pack of tensors by key, with what is to be known of it; returns the number of its clips.

    The file appears whole or not at all, and what it replaces stays until then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        save_file(tensors, temporary, metadata={"vsr": json.dumps(about)})
    return sum("-" not in key.partition("/")[0] for key in tensors)


class Sampler:
    """Batches by number: batch i depends on the seed, the recipe, the pack and i alone, so any run can be resumed."""

    def __init__(
        self, pack: Pack, recipe: DataRecipe, scale: int, seed: int, device: torch.device | str = "cpu"
    ) -> None:
        """Raises UsageError where the pack cannot serve the recipe. Frames are degraded on the `device`."""
        self.pack, self.recipe, self.scale, self.seed, self.device = pack, recipe, scale, seed, torch.device(device)
        size = recipe.patch * scale
        self.names = []
        for name in pack.names("train"):
            hr, lr = pack.pair("train", name)
            if recipe.answers and pack.answer("train", name) is None:
                continue
            if recipe.degradation == "real" and lr is None and any(side % (UNIT * scale) for side in hr.shape[-2:]):
                continue
            if len(hr) >= recipe.frames and min(hr.shape[-2:]) >= size:
                self.names.append(name)
        if not self.names:
            real = recipe.degradation == "real"
            raise UsageError(
                f"no clip of the pack has {recipe.frames} frames of {size}x{size}"
                + (" that can be compressed" if real else "")
                + (" with a teacher's answer" if recipe.answers else ""),
                Reason.NO_ANSWERS if recipe.answers else Reason.NO_COMPRESSED_CLIP if real else None,
            )

    def batch(self, number: int) -> Pair:
        """LR (n, t, 3, p, p) and HR targets (n, t, 3, s*p, s*p) of batch `number`."""
        generator = torch.Generator().manual_seed((self.seed << 32) + number)
        clips = [self._clip(generator) for _ in range(self.recipe.batch)]

        def stacked(part: str) -> Tensor:
            return to_unit(torch.stack([clip[part] for clip in clips]).to(self.device))

        hr = stacked("hr")
        lr = stacked("lr") if self.recipe.degradation == "real" else lower(hr, self.recipe.degradation, self.scale)
        target = hr.lerp(stacked("answer"), self.recipe.answers) if self.recipe.answers else hr
        return lr, with_mean_of(target, lr) if self.recipe.degradation == "real" else target

    def _clip(self, generator: torch.Generator) -> dict[str, Tensor]:
        """One crop of a random clip: its "hr" frames and, where the recipe wants them, its "lr" and "answer"."""

        def pick(stop: int) -> int:
            return int(torch.randint(stop, (), generator=generator))

        name = self.names[pick(len(self.names))]
        hr, lr = self.pack.pair("train", name)
        p, s, t = self.recipe.patch, self.scale, self.recipe.frames
        stride = 1 + pick(2) if len(hr) >= 2 * t - 1 else 1
        if self.recipe.still and float(torch.rand((), generator=generator)) < self.recipe.still:
            stride = 0
        start = pick(len(hr) - (t - 1) * stride)
        y, x = pick(hr.shape[-2] // s - p + 1), pick(hr.shape[-1] // s - p + 1)
        reverse, transpose = pick(2), pick(2)
        flips = [dim for dim in (-2, -1) if pick(2)]

        times = [start + i * stride for i in range(t)]

        def cut(clip: Tensor, unit: int) -> Tensor:
            clip = clip[..., y * unit : (y + p) * unit, x * unit : (x + p) * unit]
            if reverse:
                clip = clip.flip(0)
            return (clip.transpose(-2, -1) if transpose else clip).flip(flips)

        crop = {"hr": cut(hr[times], s)}
        if self.recipe.degradation == "real":
            crop["lr"] = cut(lower_real(hr[times], s, generator) if lr is None else lr[times], 1)
        answer = self.pack.answer("train", name)
        if self.recipe.answers and answer is not None:
            crop["answer"] = cut(answer[times], s)
        return crop


def lower(hr: Tensor, degradation: str, scale: int) -> Tensor:
    """The LR frames of HR frames by "bi" or "bd"."""
    return (degrade.bi if degradation == "bi" else degrade.bd)(hr, scale)


def with_mean_of(hr: Tensor, lr: Tensor) -> Tensor:
    """Return `hr` (..., s*h, s*w), shifted channel by channel so that each frame has the mean of `lr` (..., h, w).

    Encoders shift colours a little (x264 at CRF 35: 0.2 to 1 level up). A net that learns to undo this shifts the
    colours of every video; one that is taught to leave the mean alone does not.
    """
    return hr + (lr.mean((-2, -1), keepdim=True) - hr.mean((-2, -1), keepdim=True))


def in_turns(names: list[str], each: int | None = None) -> list[str]:
    """The first clip of every source, then the second of every source, and so on, `each` of them at most."""
    sources: dict[str, list[str]] = {}
    for name in names:
        sources.setdefault(name.rpartition(".")[0], []).append(name)
    return [name for turn in list(zip_longest(*sources.values()))[:each] for name in turn if name is not None]
