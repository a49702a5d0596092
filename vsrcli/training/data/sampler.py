"""Sample batches from packed clips: random crops, flips, transposes and time reversal, then degradation."""

import torch
from torch import Tensor

from vsrcli.errors import Reason, UsageError
from vsrcli.levels import to_unit
from vsrcli.quality import degrade
from vsrcli.training.data.pack import Pack
from vsrcli.training.data.real import CHAINS, UNIT, lower_real
from vsrcli.training.recipe import DataRecipe

Pair = tuple[Tensor, Tensor]
"""LR and HR frames: (n, t, 3, h, w) and (n, t, 3, s*h, s*w), float32 in [0, 1]."""


SHAPES_TOLD = 3
"""Number of different sizes of clips that a message lists."""


class Sampler:
    """Batches by number: batch i depends only on the seed, the recipe, the pack and i, so any run can be resumed."""

    def __init__(
        self, pack: Pack, recipe: DataRecipe, scale: int, seed: int, device: torch.device | str = "cpu"
    ) -> None:
        """Select the clips for the recipe. Frames are degraded on `device`.

        Raises UsageError if the pack has no clip that fits the recipe.
        """
        self.pack, self.recipe, self.scale, self.seed, self.device = pack, recipe, scale, seed, torch.device(device)
        self.names = fitting(pack, recipe, scale)

    def batch(self, number: int) -> Pair:
        """Return LR frames (n, t, 3, p, p) and HR targets (n, t, 3, s*p, s*p) of batch `number`.

        With `mirrored` there are twice as many frames.
        """
        generator = torch.Generator().manual_seed((self.seed << 32) + number)
        clips = [self._clip(generator) for _ in range(self.recipe.batch)]

        def stacked(part: str) -> Tensor:
            return to_unit(torch.stack([clip[part] for clip in clips]).to(self.device))

        hr = stacked("hr")
        own = self.recipe
        lr = stacked("lr") if own.degradation in CHAINS else lower(hr, own.degradation, self.scale, sigma=own.sigma)
        target = hr.lerp(stacked("answer"), self.recipe.answers) if self.recipe.answers else hr
        target = with_mean_of(target, lr) if own.degradation in CHAINS else target
        return (mirrored(lr), mirrored(target)) if self.recipe.mirrored else (lr, target)

    def _clip(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Return one crop of a random clip: its "hr" frames and, if the recipe needs them, "lr" and "answer"."""

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
        degradation = self.recipe.degradation
        if degradation in CHAINS:
            crop["lr"] = cut(lower_real(hr[times], s, generator, degradation) if lr is None else lr[times], 1)
        answer = self.pack.answer("train", name)
        if self.recipe.answers and answer is not None:
            crop["answer"] = cut(answer[times], s)
        return crop


def fitting(pack: Pack, recipe: DataRecipe, scale: int) -> list[str]:
    """Return the names of the clips to train on that fit a recipe. Raises UsageError with what they lack if none do."""
    size = recipe.patch * scale
    clips = {name: pack.pair("train", name) for name in pack.names("train")}
    large = {n: c for n, c in clips.items() if len(c[0]) >= recipe.frames and min(c[0].shape[-2:]) >= size}
    if not large:
        shapes = sorted({(len(hr), *hr.shape[-2:]) for hr, _ in clips.values()}, reverse=True)
        held = " or ".join(f"{t} frames of {w}x{h}" for t, h, w in shapes[:SHAPES_TOLD])
        whose = "its" if len(pack.paths) == 1 else "their"
        longest = shapes[0][0]
        raise UsageError(
            f"{pack}: {whose} clips have {held}; the recipe wants {recipe.frames} of {size}x{size}",
            Reason.SHORT_CLIPS if longest < recipe.frames else None,
            frames=recipe.frames,
            held=longest,
        )
    usable = large
    if recipe.degradation in CHAINS:
        usable = {
            n: c for n, c in large.items() if c[1] is not None or not any(s % (UNIT * scale) for s in c[0].shape[-2:])
        }
        if not usable:
            raise UsageError(
                f"{pack}: no clip can be compressed, whose sides must be multiples of {UNIT * scale}",
                Reason.NO_COMPRESSED_CLIP,
            )
    names = [name for name in usable if not recipe.answers or pack.answer("train", name) is not None]
    if not names:
        raise UsageError(
            f"{pack}: no clip with {recipe.frames} frames of {size}x{size} has a teacher's answer", Reason.NO_ANSWERS
        )
    return names


def lower(hr: Tensor, degradation: str, scale: int, *, sigma: float = degrade.BD_SIGMA) -> Tensor:
    """Return the LR frames of HR frames by the degradation "bi", or "bd" with that Gaussian."""
    return degrade.bi(hr, scale) if degradation == "bi" else degrade.bd(hr, scale, sigma=sigma)


def mirrored(clips: Tensor) -> Tensor:
    """Return clips (n, t, c, h, w), each followed by its frames in reverse (n, 2*t, c, h, w)."""
    return torch.cat([clips, clips.flip(1)], 1)


def with_mean_of(hr: Tensor, lr: Tensor) -> Tensor:
    """Return `hr` (..., s*h, s*w) with the mean of each channel of each frame set to that of `lr` (..., h, w).

    Encoders shift colours a little (x264 at CRF 35: 0.2 to 1 level up). A net that learns to undo this shifts the
    colours of every video; one that learns to keep the mean does not.
    """
    return hr + (lr.mean((-2, -1), keepdim=True) - hr.mean((-2, -1), keepdim=True))
