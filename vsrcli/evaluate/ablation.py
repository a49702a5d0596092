"""Ablation: the loss of each choice of window, tile and precision against the whole clip in fp32."""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor

from vsrcli.engine.device import has_int8, place, why_no_int8
from vsrcli.engine.engine import Engine
from vsrcli.engine.plan import LOOKAHEAD, WINDOW, Plan
from vsrcli.errors import UsageError
from vsrcli.evaluate import new_frames
from vsrcli.evaluate.clips import Pair
from vsrcli.evaluate.datasets import Clip
from vsrcli.evaluate.evaluation import OnFrame, Setting
from vsrcli.evaluate.methods import EngineRunner
from vsrcli.levels import to_unit
from vsrcli.nets.horizon import Horizon
from vsrcli.nets.recurrent import RecurrentNet
from vsrcli.quality.metrics import Channels, mse, planes, psnr
from vsrcli.quality.report import Column, Table, Value
from vsrcli.words import counted

WINDOWS = (8, 15, WINDOW)
LOOKAHEADS = (0, 4, 8, LOOKAHEAD, 16)
SHORT_WINDOW = WINDOW // 2
"""Window for the ablation of lookaheads: test clips of about 40 frames have almost no borders between default windows.
"""

TILE = (96, 96)
KEYFRAME_INTERVALS = (0, 3, 5, 10)
HORIZONS = (15, 30, Horizon().frames)
INTERVAL = "keyframe_interval"
"""The option of nets with keyframes, see `RecurrentNet.options`."""

WARMUPS = (0, 5, 10, 15, 30)
"""Frames that are run before a shard which begins within a shot (`vsr plan`); shards are SHORT_WINDOW frames long."""

SEGMENTS = (2, 4, 8)
"""Numbers of equal parts in which a clip is upscaled, each by itself: BasicVSR's Fig. 3."""

AXES = ("window", "lookahead", "horizon", "tile", "precision", "keyframe-interval", "warmup", "segments")


@dataclass(frozen=True)
class Choice:
    """One way to run a model. `plan` takes height and width of the LR frame. The interval None is the net's own.

    With a `warmup` the clip is run in shards, each of which begins that many frames before its own first frame. With
    `segments` it is cut into so many parts that know nothing of each other.
    """

    axis: str
    label: str
    plan: Callable[[int, int], Plan]
    dtype: torch.dtype = torch.float32
    keyframe_interval: int | None = None
    warmup: int | None = None
    segments: int = 1


@dataclass
class _Sum:
    """Accumulated cost of one choice over all clips."""

    seconds: float = 0.0
    frames: int = 0
    losses: list[float] = field(default_factory=list)
    psnr: list[float] = field(default_factory=list)
    worst: float = -math.inf
    errors: list[float] = field(default_factory=list)
    by_frame: dict[int, list[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Curve:
    """One choice's loss (dB) against the reference in each frame, the mean over clips; `psnr` is the mean of all.

    `keyframes` is the number of keyframes of a clip, the mean over clips, for nets that have them.
    """

    choice: Choice
    losses: tuple[float, ...]
    psnr: float
    keyframes: float | None = None


WHOLE = Plan(window=None)
REFERENCE = Choice("reference", "whole clip, fp32, untiled", lambda h, w: WHOLE)


def check_axes(axes: Sequence[str]) -> None:
    """Raise UsageError for an unknown axis, or none at all."""
    others = ",".join(new_frames.AXES)
    there = f"use {','.join(AXES)}, or {others} without these"
    unknown = [axis for axis in axes if axis not in (*AXES, *new_frames.AXES)]
    if unknown or not axes:
        raise UsageError(f"no such axis: {', '.join(unknown)} ({there})" if unknown else f"no axis is named: {there}")


def choices(axes: Sequence[str], net: RecurrentNet, device: torch.device) -> list[Choice]:
    """Return the grid: each choice differs from whole-clip fp32 in its own axis alone (a lookahead also in its window).

    Axes that the net does not have are left out. Raises UsageError for an unknown axis.
    """
    check_axes(axes)
    made: list[Choice] = []
    for axis in axes:
        if axis == "window" and net.bidirectional:
            made += [_windowed(axis, w, LOOKAHEAD) for w in WINDOWS]
            made.append(Choice(axis, f"exact, window {WINDOWS[0]}", lambda h, w: Plan(WINDOWS[0], exact=True)))
        elif axis == "lookahead" and net.bidirectional:
            made += [_windowed(axis, SHORT_WINDOW, n) for n in LOOKAHEADS]
        elif axis == "horizon" and net.bidirectional:
            made += [_bounded(axis, frames) for frames in HORIZONS]
        elif axis == "tile":
            made.append(Choice(axis, "half the frame", lambda h, w: replace(WHOLE, tile=(-(-w // 2), h))))
            made.append(Choice(axis, "{}x{}".format(*TILE), lambda h, w: replace(WHOLE, tile=TILE)))
        elif axis == "precision":
            # fp16 on a CPU takes 13 times as long as fp32 (measured with BasicVSR), so it is no choice
            kinds = {"bf16": torch.bfloat16} | ({"fp16": torch.float16} if device.type != "cpu" else {})
            kinds |= {"int8": torch.int8} if has_int8(device, net) else {}
            made += [Choice(axis, name, lambda h, w: WHOLE, dtype=dtype) for name, dtype in kinds.items()]
        elif axis == "keyframe-interval" and INTERVAL in net.options:
            kept = [i for i in KEYFRAME_INTERVALS if i != getattr(net, INTERVAL)]
            made += [Choice(axis, str(i) if i else "0 (none)", lambda h, w: WHOLE, keyframe_interval=i) for i in kept]
        elif axis == "warmup":
            made += _warmed(axis, net)
        elif axis == "segments":
            made += [Choice(axis, f"{k} segments", lambda h, w: WHOLE, segments=k) for k in SEGMENTS]
    return made


def covering(grid: Sequence[Choice], lengths: Sequence[int | None]) -> list[Choice]:
    """Return the windows of a grid that see all of every clip, and so lose nothing.

    `lengths` are the clips' numbers of frames, None where not known.
    """
    known = [count for count in lengths if count is not None]
    if not known or len(known) < len(lengths):
        return []
    windowed = [(choice, choice.plan(1, 1)) for choice in grid if choice.axis in ("window", "lookahead")]
    return [c for c, p in windowed if p.window and not p.exact and p.window + p.lookahead >= max(known)]


def notes(
    axes: Sequence[str],
    grid: Sequence[Choice],
    net: RecurrentNet,
    device: torch.device,
    lengths: Sequence[int | None],
) -> list[str]:
    """Return sentences about axes and types that the net does not have, and windows that cover all of every clip."""
    said = []
    absent = [axis for axis in axes if all(choice.axis != axis for choice in grid)]
    windows = [axis for axis in absent if axis in ("window", "lookahead", "horizon")]
    if windows:
        said.append(f"nothing to compare for {', '.join(windows)}: it runs frame by frame, without a backward pass")
    if "keyframe-interval" in absent:
        said.append("nothing to compare for keyframe-interval: it has no keyframes")
    no_int8 = why_no_int8(device, net) if "precision" in axes else None
    if no_int8 is not None:
        said.append(f"precision is compared without int8: {no_int8}")
    labels = [choice.label for choice in covering(grid, lengths)]
    if labels:
        frames = counted(max(count or 0 for count in lengths), "frame")
        said.append(f"not run, since they see the whole of clips of {frames} and so lose nothing: {'; '.join(labels)}")
    return said


def _warmed(axis: str, net: RecurrentNet) -> list[Choice]:
    """Return choices for whole clips in short windows, or as a stream, and in shards with longer warm-ups."""
    plan = Plan(SHORT_WINDOW) if net.bidirectional else Plan(window=1, lookahead=0)
    length = f"shards of {SHORT_WINDOW}"
    return [
        Choice(axis, f"window {plan.window}, one shard", lambda h, w: plan),
        *(Choice(axis, f"{length}, {n} before", lambda h, w: plan, warmup=n) for n in WARMUPS),
    ]


def _windowed(axis: str, window: int, lookahead: int) -> Choice:
    label = f"window {window}, lookahead {lookahead}"
    is_default = (window, lookahead) == (WINDOW, LOOKAHEAD)
    return Choice(axis, label + (" (default)" if is_default else ""), lambda h, w: Plan(window, lookahead))


def _bounded(axis: str, frames: int) -> Choice:
    label = f"{frames} frames" + (" (default)" if frames == Horizon().frames else "")
    return Choice(axis, label, lambda h, w: replace(WHOLE, horizon=Horizon.of(frames)))


def ablate(
    clips: Sequence[Clip],
    net: RecurrentNet,
    grid: Sequence[Choice],
    setting: Setting,
    device: torch.device,
    *,
    channels: Channels = "y",
    on_frame: OnFrame = lambda clip, choice: None,
    on_curve: Callable[[Curve], None] = lambda curve: None,
) -> list[dict[str, Value]]:
    """Return a row for the reference and for each choice; `net` is fp32 and is not changed.

    Keys: axis, choice, psnr (dB, of the result against the ground truth, mean over clips), mean_loss and worst_loss (dB
    a frame against the reference's; negative is a gain), to_reference (dB: PSNR of the result against the reference's
    result, errors pooled over all frames), seconds_per_frame, time_ratio (reference = 1). `on_curve` gets what a plot
    shows, the reference first.
    """
    sums = [_Sum() for _ in range(len(grid) + 1)]
    nets = {dtype: _placed(net, device, dtype) for dtype in {torch.float32, *(c.dtype for c in grid)}}
    lengths: list[int] = []
    for clip in clips:
        frames = list(setting.pairs(clip))
        lengths.append(len(frames))
        scored = range(len(frames)) if clip.scored is None else [n for n in clip.scored if n < len(frames)]
        if device.type != "cpu":
            _run(nets[torch.float32], REFERENCE, frames[:2], device, lambda: None)  # the first run loads kernels
        reference: list[Tensor] = []
        base: list[float] = []
        for choice, total in zip([REFERENCE, *grid], sums, strict=True):
            tell = partial(on_frame, clip.name, choice.label)
            out, seconds = _run(nets[choice.dtype], choice, frames, device, tell)
            reference = reference or out
            values = [float(psnr(_planes(out[n], channels), _planes(frames[n].hr, channels))) for n in scored]
            base = base or values
            total.seconds += seconds
            total.frames += len(frames)
            total.psnr.append(math.fsum(values) / len(values))
            losses = [0.0 if b == v else b - v for b, v in zip(base, values, strict=True)]
            total.losses.append(math.fsum(losses) / len(losses))
            total.worst = max(total.worst, *losses)
            for n, loss in zip(scored, losses, strict=True):
                total.by_frame.setdefault(n, []).append(loss)
            total.errors += [float(mse(_planes(out[n], channels), _planes(reference[n], channels))) for n in scored]
    for choice, total in zip([REFERENCE, *grid], sums, strict=True):
        means = [math.fsum(total.by_frame[n]) / len(total.by_frame[n]) for n in sorted(total.by_frame)]
        mean = math.fsum(total.psnr) / len(total.psnr)
        on_curve(Curve(choice, tuple(means), mean, _keyframes(net, choice, lengths)))
    return [_row(c, s, sums[0]) for c, s in zip([REFERENCE, *grid], sums, strict=True)]


def _keyframes(net: RecurrentNet, choice: Choice, lengths: Sequence[int]) -> float | None:
    """Return the mean number of keyframes of clips of these lengths: every so many frames, and the last one."""
    if INTERVAL not in net.options:
        return None
    interval = getattr(net, INTERVAL) if choice.keyframe_interval is None else choice.keyframe_interval
    counts = [len({*range(0, n, interval), n - 1}) if interval else 0 for n in lengths]
    return sum(counts) / len(counts)


def _run(
    net: RecurrentNet, choice: Choice, frames: Sequence[Pair], device: torch.device, on_frame: Callable[[], None]
) -> tuple[list[Tensor], float]:
    """Return all results of one choice on one clip, uint8 on the CPU, and the seconds for them."""
    own = getattr(net, INTERVAL, None)
    if choice.keyframe_interval is not None:
        setattr(net, INTERVAL, choice.keyframe_interval)
    height, width = frames[0].lr.shape[-2:]
    out: list[Tensor] = []
    seconds = 0.0
    if choice.segments > 1:
        for k in range(choice.segments):
            first, stop = (len(frames) * border // choice.segments for border in (k, k + 1))
            if first < stop:
                part, spent = _run(net, replace(choice, segments=1), frames[first:stop], device, on_frame)
                out += part
                seconds += spent
        return out, seconds
    for first in [0] if choice.warmup is None else range(0, len(frames), SHORT_WINDOW):
        stop = len(frames) if choice.warmup is None else min(len(frames), first + SHORT_WINDOW)
        runner = EngineRunner(Engine(net, choice.plan(height, width), device, detector=None))
        for hr in _shard(runner, frames, first, stop, choice.warmup or 0):
            out.append(hr.cpu())
            on_frame()
        seconds += runner.seconds
    if choice.keyframe_interval is not None:
        setattr(net, INTERVAL, own)
    return out, seconds


def _shard(runner: EngineRunner, frames: Sequence[Pair], first: int, stop: int, warmup: int) -> Iterator[Tensor]:
    """Yield the results of frames [first, stop), run from `warmup` frames before them on, without a state."""
    begin = max(0, first - warmup)
    past = max(0, begin - runner.engine.engine.past)
    runner.engine.look_back([frame.lr for frame in frames[past:begin]], past, scene=0)
    number = begin
    for frame in [*frames[begin:], None]:
        for hr in runner.flush() if frame is None else runner.push(frame.lr):
            if number >= first:
                yield hr
            number += 1
            if number == stop:
                return


def _placed(net: RecurrentNet, device: torch.device, dtype: torch.dtype) -> RecurrentNet:
    return place(copy.deepcopy(net), device, dtype)


def _planes(levels: Tensor, channels: Channels) -> Tensor:
    return planes(to_unit(levels), channels)


def _row(choice: Choice, total: _Sum, reference: _Sum) -> dict[str, Value]:
    pooled = math.fsum(total.errors) / len(total.errors)
    return {
        "axis": choice.axis,
        "choice": choice.label,
        "psnr": math.fsum(total.psnr) / len(total.psnr),
        "mean_loss": math.fsum(total.losses) / len(total.losses),
        "worst_loss": total.worst,
        "to_reference": 10 * math.log10(255**2 / pooled) if pooled else math.inf,
        "seconds_per_frame": total.seconds / total.frames,
        "time_ratio": total.seconds / reference.seconds,
    }


def table(rows: Sequence[dict[str, Value]], notes: Sequence[str] = ()) -> Table:
    """Return the rows as a table, with sentences about them."""
    columns = [
        Column("model", "model"),
        Column("axis", "axis"),
        Column("choice", "choice"),
        Column("psnr", "PSNR (dB)", 3),
        Column("mean_loss", "mean loss (dB)", 3),
        Column("worst_loss", "worst frame (dB)", 3),
        Column("to_reference", "against whole clip (dB)", 1, infinite="equal"),
        Column("seconds_per_frame", "s/frame", 3),
        Column("time_ratio", "time, whole = 1", 2),
    ]
    return Table(columns, rows, notes)
