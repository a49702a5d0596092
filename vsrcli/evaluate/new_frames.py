"""What new frames between a source's are worth: every other frame of a clip is held out and made anew.

The frames that are kept are upscaled with the new ones between them, as `engine/between.py` makes them by flow, or with
their neighbours' mean; or alone, their results being shown twice or blended. The true small frames say what the net
could reach. The frames of the source pay for it too: the net's memory passes through frames that were made.
"""

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise

import torch
from torch import Tensor

from vsrcli.engine.between import Between, Flow
from vsrcli.engine.engine import Engine
from vsrcli.engine.plan import Plan
from vsrcli.engine.tensors import TensorEngine
from vsrcli.errors import Reason, UsageError
from vsrcli.evaluate.clips import Pair
from vsrcli.evaluate.datasets import Clip
from vsrcli.evaluate.evaluation import OnFrame, Setting
from vsrcli.frame import Frame
from vsrcli.levels import picture_to_unit, to_levels, to_unit, unit_to_picture
from vsrcli.nets.recurrent import RecurrentNet
from vsrcli.quality.metrics import Channels, planes, psnr
from vsrcli.quality.report import Column, Table, Value, mean_row

AXES = ("fps", "twos")
"""Measured cases: held-out frames made anew, and frames that are shown twice."""

WHOLE = Plan(window=None)
LEAST = 3
"""Frames of a clip: two of the source and one between."""


def measure(
    axis: str,
    clips: Sequence[Clip],
    net: RecurrentNet,
    flow: Flow,
    setting: Setting,
    device: torch.device,
    *,
    channels: Channels = "y",
    on_frame: OnFrame = lambda clip, way: None,
) -> list[dict[str, Value]]:
    """Return a row for each clip and way of one of AXES. Whole clips are run, in the net's precision.

    Keys of "fps": axis, clip, way, psnr (dB, of the held-out frames against the ground truth), small (dB, of their LR
    frames against the true ones), own (dB, of the frames that were kept) and own_loss (dB, what those lose against
    being upscaled without any between). Of "twos": axis, clip, way, psnr of frames that each are shown twice, as run
    or held. Raises UsageError for a clip of less than three frames.
    """
    rows: list[dict[str, Value]] = []
    for clip in clips:
        frames = list(setting.pairs(clip))
        frames = frames[: len(frames) - (len(frames) + 1) % 2]
        if len(frames) < LEAST:
            raise UsageError(f"{clip.name} has too few frames for one between two", Reason.TOO_FEW_FRAMES)

        def upscale(small: Sequence[Tensor], way: str, plan: Plan = WHOLE, name: str = clip.name) -> list[Tensor]:
            engine, made = TensorEngine(Engine(net, plan, device, detector=None), bit_depth=8), []
            for hr in engine.upscale(small):
                made.append(hr.cpu())
                on_frame(name, way)
            return made

        measured = _twos(frames, upscale, channels) if axis == "twos" else _fps(frames, upscale, flow, device, channels)
        rows += [{"axis": axis, "clip": clip.name, **row} for row in measured]
    return rows


Upscale = Callable[..., list[Tensor]]


def _fps(
    frames: Sequence[Pair], upscale: Upscale, flow: Flow, device: torch.device, channels: Channels
) -> list[dict[str, Value]]:
    kept, held = frames[::2], frames[1::2]
    alone = upscale([frame.lr for frame in kept], "repeated")
    own = _psnr(alone, [frame.hr for frame in kept], channels)
    ways: list[tuple[str, list[Tensor]]] = [
        ("repeated", [frame.lr for frame in kept[:-1]]),
        ("blended", [_rounded((a.lr + b.lr) / 2) for a, b in pairwise(kept)]),
        ("by flow", made_by_flow([frame.lr for frame in kept], flow, device)),
        ("true small frame", [frame.lr for frame in held]),
    ]
    both_sides = [(to_unit(a) + to_unit(b)) / 2 for a, b in pairwise(alone)]
    held_hr = [frame.hr for frame in held]
    rows: list[dict[str, Value]] = [
        {"way": "results blended", "psnr": _psnr(list(map(to_levels, both_sides)), held_hr, channels)}
    ]
    for way, between in ways:
        if way == "repeated":  # its result is shown again
            new, old = alone[:-1], alone
        else:
            both = [kept[0].lr, *(lr for a, b in zip(between, kept[1:], strict=True) for lr in (a, b.lr))]
            made = upscale(both, way)
            new, old = made[1::2], made[::2]
        kept_psnr = _psnr(old, [frame.hr for frame in kept], channels)
        rows.append(
            {
                "way": way,
                "psnr": _psnr(new, held_hr, channels),
                "small": _psnr(between, [frame.lr for frame in held], channels),
                "own": kept_psnr,
                "own_loss": own - kept_psnr,
            }
        )
    return rows


def made_by_flow(kept: Sequence[Tensor], flow: Flow, device: torch.device) -> list[Tensor]:
    """Return the new frame between each two LR frames (3, h, w) as a job makes it; the first of the two at a cut."""
    between = Between(flow, 2, device, Fraction(1, 25))
    found: dict[int, Tensor] = {}
    frames = [Frame(n, unit_to_picture(lr), pts=n, duration=1) for n, lr in enumerate(kept)]
    for made in [m for frame in frames for m in between.push(frame)] + list(between.flush()):
        found[made.pts] = picture_to_unit(made.data)
    return [found[2 * n + 1] for n in range(len(kept) - 1)]


def _twos(frames: Sequence[Pair], upscale: Upscale, channels: Channels) -> list[dict[str, Value]]:
    kept = [frame for frame in frames[::2] for _ in range(2)]
    plans = {"run": WHOLE, "held": Plan(window=None, hold_repeats=True)}
    truth = [frame.hr for frame in kept]
    small = [frame.lr for frame in kept]
    return [{"way": way, "psnr": _psnr(upscale(small, way, plan), truth, channels)} for way, plan in plans.items()]


def _rounded(lr: Tensor) -> Tensor:
    return picture_to_unit(unit_to_picture(lr))


def _psnr(made: Sequence[Tensor], truth: Sequence[Tensor], channels: Channels) -> float:
    """Return the mean PSNR of frames (3, h, w), levels or floats."""
    both = zip(made, truth, strict=True)
    values = [float(psnr(planes(to_unit(a), channels), planes(to_unit(b), channels))) for a, b in both]
    return math.fsum(values) / len(values)


def with_means(rows: Sequence[dict[str, Value]]) -> list[dict[str, Value]]:
    """Return a model's rows, and for more than one clip the means over them for each axis and way."""
    out = list(rows)
    for axis in dict.fromkeys(row["axis"] for row in rows):
        found = [row for row in rows if row["axis"] == axis]
        if len({row["clip"] for row in found}) < 2:
            continue
        for way in dict.fromkeys(row["way"] for row in found):
            same = [row for row in found if row["way"] == way]
            out.append(mean_row(same, axis=axis, clip="mean", way=way))
    return out


def table(rows: Sequence[dict[str, Value]]) -> Table:
    """Return the rows as a table."""
    columns = [
        Column("model", "model"),
        Column("axis", "axis"),
        Column("clip", "clip"),
        Column("way", "way"),
        Column("psnr", "PSNR (dB)", 3),
        Column("small", "small frame (dB)", 2),
        Column("own", "source's frames (dB)", 3),
        Column("own_loss", "their loss (dB)", 3),
    ]
    return Table([c for c in columns if any(c.key in row for row in rows)], list(rows))
