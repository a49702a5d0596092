"""Insert new frames between a source's frames before they are upscaled: never across a cut, each at its exact time.

Where the scene detector sees no cut, which needs quiet around it, two frames that no motion brings together have none
between them either. There, and at the end, the frame before is shown again instead: so every frame of the source gives
as many of the result, the rate stays constant, and the result is as long as the source.

A new frame depends on its two neighbours alone, and a cut on the few frames around it, so that a job that was stopped
goes on at any frame with the same result.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from vsrcli.engine.interpolate import between, unlike
from vsrcli.engine.matte import opacity
from vsrcli.engine.retry import is_out_of_memory
from vsrcli.engine.scenes import BEFORE, KnownCuts, SceneDetector
from vsrcli.errors import OutOfMemoryError
from vsrcli.frame import Frame, is_uneven
from vsrcli.levels import picture_to_unit, unit_to_picture

Flow = Callable[[Tensor, Tensor], Tensor]
"""(frame, neighbour), each (1, 3, h, w) -> (1, 2, h, w): where in the neighbour each pixel of the frame lies."""


@dataclass
class Between:
    """Interpolator that takes a source's frames in order and gives `factor` for each: itself, and new ones after it.

    Frame n of the source has the number n * `factor`. The first frame given back is the one of number `start`; the
    source is to be pushed from frame `first` on. Times are in ticks `factor` times as fine as the source's. `known` is
    the detector for the engine: it knows the cuts of the new count. With `paired`, a scene starts too where no new
    frame can be made. `untinted` makes of a frame with a tint one in colours. `say` hears, once, that the source's
    frame rate varies.
    """

    flow: Flow
    factor: int
    device: torch.device
    time_base: Fraction
    start: int = 0
    untinted: Callable[[Frame], Frame] = lambda frame: frame
    say: Callable[[str], None] = lambda line: None
    detector: SceneDetector = field(default_factory=SceneDetector)
    known: KnownCuts = field(default_factory=KnownCuts)
    paired: bool = False

    def __post_init__(self) -> None:
        self._last: tuple[Frame, bool] | None = None
        self._usual: int | None = None

    @property
    def first(self) -> int:
        """The number in the source of the first frame to push: those before the start tell whether it is a cut."""
        return max(0, self.start // self.factor - BEFORE)

    def push(self, frame: Frame) -> Iterator[Frame]:
        """Take one frame of the source, and yield those that are ready, old and new."""
        for decided, cut in self.detector.push(frame):
            yield from self._decided(decided, cut)

    def flush(self) -> Iterator[Frame]:
        """Yield what remains when the source has ended."""
        for decided, cut in self.detector.flush():
            yield from self._decided(decided, cut)
        if self._last is not None:
            frame, cut = self._last
            again = [replace(frame, captions=b"")] * (self.factor - 1)
            yield from self._given([frame, *again], frame.pts, max(1, frame.duration), cut=cut)

    def _decided(self, frame: Frame, cut: bool) -> Iterator[Frame]:
        before, self._last = self._last, (frame, cut)
        if before is None:
            return
        old, old_cut = before
        length = frame.pts - old.pts
        self._watch(length)
        among: list[Frame] = []
        if frame.number * self.factor >= self.start:
            among = [] if cut else list(self._made(old, frame))
            if self.paired and not among:
                self._last = (frame, True)
            among = among or [replace(old, captions=b"")] * (self.factor - 1)
        yield from self._given([old, *among], old.pts, length, cut=old_cut)

    def _given(self, frames: list[Frame], pts: int, length: int, *, cut: bool) -> Iterator[Frame]:
        """Yield what a frame of the source gives, which is shown for `length` of its ticks, from the start on."""
        first = frames[0].number * self.factor
        if cut and first >= self.start:
            self.known.cuts.add(first)
        for step, frame in enumerate(frames):
            if first + step >= self.start:
                yield replace(frame, number=first + step, pts=pts * self.factor + step * length, duration=length)

    def _made(self, old: Frame, new: Frame) -> Iterator[Frame]:
        """Yield the new frames between two; none where the two show different things."""
        tint = None
        if old.tint is not None and new.tint is not None:
            tint = (old.tint, new.tint)
        else:
            old, new = self.untinted(old), self.untinted(new)
        depth = max(old.bit_depth, new.bit_depth)
        same = old.data.dtype == new.data.dtype and np.array_equal(old.data, new.data)
        same = same and _same_opacity(old, new)
        pictures = [(old.data, old.alpha)] * (self.factor - 1) if same else self._pictures(old, new, depth)
        for step, (data, alpha) in enumerate(pictures, 1):
            part = step / self.factor
            mixed = None if tint is None else _mixed(*tint, part)
            yield Frame(old.number, data, bit_depth=depth, tint=mixed, alpha=alpha)

    def _pictures(self, old: Frame, new: Frame, depth: int) -> list[tuple[np.ndarray, np.ndarray | None]]:
        try:
            with torch.inference_mode():
                first, second = (picture_to_unit(frame.data, self.device)[None] for frame in (old, new))
                there, back = self.flow(first, second), self.flow(second, first)
                if unlike(first, second, there, back):
                    return []
                if old.alpha is not None or new.alpha is not None:  # moves as the colours do
                    own, other = (picture_to_unit(opacity(frame)[..., None], self.device)[None] for frame in (old, new))
                    first, second = torch.cat([first, own], 1), torch.cat([second, other], 1)
                parts = [step / self.factor for step in range(1, self.factor)]
                made = [between(first, second, there, back, part)[0] for part in parts]
                return [
                    (unit_to_picture(x[:3], depth), unit_to_picture(x[3:], depth)[..., 0] if len(x) > 3 else None)
                    for x in made
                ]
        except (torch.OutOfMemoryError, RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            raise OutOfMemoryError("too little memory for new frames between the source's") from error

    def _watch(self, length: int) -> None:
        if self._usual is None:
            self._usual = length
        elif is_uneven(length, self._usual, self.time_base):
            if self._usual > 0:
                self.say("the source's frame rate varies, and so does the result's: each new frame has its own time")
            self._usual = -1


def _same_opacity(old: Frame, new: Frame) -> bool:
    if old.alpha is None or new.alpha is None:
        return old.alpha is None and new.alpha is None
    return np.array_equal(old.alpha, new.alpha)


def _mixed(first: tuple[float, float], second: tuple[float, float], part: float) -> tuple[float, float]:
    return (first[0] + part * (second[0] - first[0]), first[1] + part * (second[1] - first[1]))
