"""Measure several methods on one clip in a single pass: each frame is read, degraded and scored once, then dropped."""

import importlib
import math
import os
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vsrcli.errors import InputError, Reason, UsageError, VsrError, unwritable
from vsrcli.evaluate.clips import Pair
from vsrcli.evaluate.methods import Method, Runner
from vsrcli.levels import planes_to_picture, to_unit
from vsrcli.media.photo.images import write_png
from vsrcli.quality.colour import colour_shift
from vsrcli.quality.iqa import Iqa
from vsrcli.quality.lines import invented_lines, line_energy, lines
from vsrcli.quality.metrics import Channels, mse, planes, psnr, ssim, without_border
from vsrcli.quality.temporal import Flow, Motion, motion, tof, unexplained_change, warping_error
from vsrcli.quality.vmaf import vmaf

OnFrame = Callable[[str], None]
"""Called with a method's name for each of its finished frames."""

COLOUR_KEYS = ("red_shift", "green_shift", "blue_shift")


@dataclass(frozen=True)
class Measures:
    """Figures to measure besides PSNR, SSIM and MSE, and where.

    Attributes:
        channels: "y" or "rgb".
        border: pixels at each border that PSNR, SSIM and MSE leave out.
        flow: optical flow for the temporal figures; None leaves them out.
        lpips: LPIPS of two frames; None leaves it out.
        iqa: measures of pyiqa.
        vmaf: whether to measure VMAF.
        colour: whether to measure the shift of each channel against the LR frames.
        lines: whether to measure lines that the truth does not have.
        save: folder for results as METHOD/CLIP/FRAME.png.
        device: where figures are computed.
    """

    channels: Channels = "y"
    border: int = 0
    flow: Flow | None = None
    lpips: Callable[[Tensor, Tensor], float] | None = None
    iqa: tuple[Iqa, ...] = ()
    vmaf: bool = False
    colour: bool = False
    lines: bool = False
    save: Path | None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))


@dataclass(eq=False)
class _Truth:
    """A ground-truth frame that some method has not reached yet: uint8 (3, h, w), planes, motion since the last frame.

    `lr` is the frame given to the methods, or None if it is not needed. `own` holds the truth's own figures along that
    motion: the effect of noise, aliasing and errors of the flow.
    """

    name: str
    hr: Tensor
    lr: Tensor | None
    planes: Tensor
    motion: Motion | None
    own: dict[str, float]


@dataclass(eq=False)
class Scores:
    """One method's figures on one clip: a value for each scored frame by the figure's key, and the total time."""

    frames: int = 0
    seconds: float = 0.0
    values: dict[str, list[float]] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)

    def add(self, **figures: float) -> None:
        """Add the figures of one more frame."""
        for key, value in figures.items():
            self.values.setdefault(key, []).append(value)

    def means(self) -> dict[str, float]:
        """Return the mean over frames of each figure, and the seconds a frame."""
        means = {key: math.fsum(v) / len(v) for key, v in self.values.items()}
        return means | {"seconds_per_frame": self.seconds / self.frames}


def score_clip(
    clip: str,
    frames: Iterable[Pair],
    methods: Sequence[Method],
    measures: Measures,
    *,
    scored: Sequence[int] | None = None,
    on_frame: OnFrame = lambda name: None,
) -> dict[str, Scores]:
    """Return the scores of every method on the clip, by the method's name.

    `scored` holds the numbers of the frames that count (None: all); figures between two frames need both in the clip.
    All methods advance together, so ground truth is held only until the slowest has passed it. Raises InputError for an
    empty clip and UsageError if no scored frame is reached.
    """
    if not measures.vmaf:
        return _Pass(clip, methods, measures, scored, on_frame, None).run(frames)
    with tempfile.TemporaryDirectory(prefix="vsr-evaluate-") as scratch:
        return _Pass(clip, methods, measures, scored, on_frame, Path(scratch)).run(frames)


class _Pass:
    """The state of one pass over one clip; `scratch` is a folder for VMAF's input, or None."""

    def __init__(
        self,
        clip: str,
        methods: Sequence[Method],
        measures: Measures,
        scored: Sequence[int] | None,
        on_frame: OnFrame,
        scratch: Path | None,
    ) -> None:
        self._clip, self._methods, self._measures, self._scored = clip, methods, measures, scored
        self._on_frame, self._scratch = on_frame, scratch
        self._scores = {m.name: Scores() for m in methods}
        self._previous: dict[str, Tensor] = {}
        self._truth: dict[int, _Truth] = {}
        self._truth_files: list[Path] = []

    def run(self, frames: Iterable[Pair]) -> dict[str, Scores]:
        runners: dict[str, Runner] = {}
        last: Tensor | None = None
        count = 0
        for count, pair in enumerate(frames, 1):
            if last is None:
                height, width = pair.lr.shape[-2:]
                runners = {m.name: m.start(height, width) for m in self._methods}
            hr = pair.hr.to(self._measures.device)
            self._truth[count - 1] = self._make_truth(pair, hr, last)
            last = hr
            for name, runner in runners.items():
                for out in runner.push(pair.lr):
                    self._take(name, out)
            self._forget()
        if not count:
            raise InputError(f"{self._clip}: has no frames")
        for name, runner in runners.items():
            for out in runner.flush():
                self._take(name, out)
            self._scores[name].seconds = runner.seconds
        self._check(count)
        if self._measures.vmaf:
            self._add_vmaf()
        return self._scores

    def _make_truth(self, pair: Pair, hr: Tensor, last: Tensor | None) -> _Truth:
        m = self._measures
        between: Motion | None = None
        own: dict[str, float] = {}
        if m.flow is not None and last is not None:
            two = to_unit(last)[None], to_unit(hr)[None]
            between = motion(*two, m.flow)
            own = {f"truth_{key}": value for key, value in _steadiness(*two, between).items()}
        if self._scratch is not None:
            path = self._scratch / "truth" / f"{pair.name}.png"
            self._truth_files.append(_write(path, hr))
        lr = pair.lr.to(m.device) if m.colour else None
        return _Truth(pair.name, hr, lr, planes(to_unit(hr), m.channels), between, own)

    def _take(self, name: str, out: Tensor) -> None:
        """Score and write a method's next frame, and keep it until the one after it."""
        m, scores = self._measures, self._scores[name]
        number, out = scores.frames, out.to(m.device)
        truth = self._truth[number]
        if self._scored is None or number in self._scored:
            scores.add(**self._figures(name, out, truth))
        if m.flow is not None:
            self._previous[name] = out
        folder = m.save or self._scratch
        if folder is not None:
            file = folder / name.replace("/", "_") / self._clip / f"{truth.name}.png"
            scores.files.append(_write(file, out))
        scores.frames += 1
        self._on_frame(name)

    def _figures(self, name: str, out: Tensor, truth: _Truth) -> dict[str, float]:
        m = self._measures
        a, b = (without_border(p, m.border) for p in (planes(to_unit(out), m.channels), truth.planes))
        figures = {"psnr": float(psnr(a, b)), "ssim": float(ssim(a, b)), "mse": float(mse(a, b))}
        if m.flow is not None and truth.motion is not None and name in self._previous:
            two = to_unit(self._previous[name])[None], to_unit(out)[None]
            figures |= _steadiness(*two, truth.motion) | truth.own
            figures["tof"] = float(tof(*two, truth.motion, m.flow))
        if m.lpips is not None:
            figures["lpips"] = m.lpips(to_unit(out), to_unit(truth.hr))
        for measure in m.iqa:
            figures[measure.key] = measure(to_unit(out), to_unit(truth.hr))
        if truth.lr is not None:
            figures |= zip(COLOUR_KEYS, colour_shift(to_unit(out), truth.lr).tolist(), strict=True)
        if m.lines:
            figures |= _lines(to_unit(out)[None], to_unit(truth.hr)[None])
        return figures

    def _forget(self) -> None:
        slowest = min(s.frames for s in self._scores.values())
        for number in [n for n in self._truth if n < slowest]:
            del self._truth[number]

    def _check(self, count: int) -> None:
        for name, scores in self._scores.items():
            if scores.frames != count:
                raise VsrError(f"{count} frames went into {name} but {scores.frames} came out: please report this")
            if not scores.values:
                raise UsageError(
                    f"{self._clip}: the frames that count lie beyond the first {count}", Reason.TOO_FEW_FRAMES
                )

    def _add_vmaf(self) -> None:
        for scores in self._scores.values():
            found = vmaf(scores.files, self._truth_files, threads=os.cpu_count() or 1)
            numbers = range(len(found.frames)) if self._scored is None else self._scored
            scores.values["vmaf"] = [found.frames[n] for n in numbers if n < len(found.frames)]


def load_lpips(device: torch.device) -> Callable[[Tensor, Tensor], float]:
    """Return LPIPS (Zhang et al. 2018, AlexNet, version 0.1) of two frames (3, h, w) in [0, 1], by the package `lpips`.

    Raises VsrError if it is not installed or its weights are not available.
    """
    try:
        package: Any = importlib.import_module("lpips")
    except ImportError:
        raise VsrError("LPIPS needs the package lpips: run `pip install lpips`") from None
    try:
        net = package.LPIPS(net="alex", verbose=False).to(device).eval()
    except OSError as error:
        raise VsrError(f"LPIPS cannot load the weights of its AlexNet: {error}") from None

    def lpips(a: Tensor, b: Tensor) -> float:
        with torch.inference_mode():
            return float(net(a[None], b[None], normalize=True))

    return lpips


def _steadiness(previous: Tensor, frame: Tensor, along: Motion) -> dict[str, float]:
    """Return warping error (levels squared) and unexplained change (per cent) of two frames (1, 3, h, w)."""
    return {
        "warping_error": float(warping_error(previous, frame, along)),
        "unexplained": 100 * float(unexplained_change(previous, frame, along)),
    }


def _lines(frame: Tensor, truth: Tensor) -> dict[str, float]:
    """Return the energy of lines in two frames (1, 3, h, w), and of those only in the first; all in levels squared.

    The truth's lines are computed again for each method: they are 16 planes, too many to keep for a whole clip.
    """
    found, there = lines(frame), lines(truth)
    return {
        "lines": float(line_energy(found)),
        "truth_lines": float(line_energy(there)),
        "invented_lines": float(invented_lines(found, there)),
    }


def _write(path: Path, levels: Tensor) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path.parent, error) from None
    write_png(path, planes_to_picture(levels))
    return path
