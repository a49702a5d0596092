"""`Upscaler`: a model that is loaded once and upscales videos, frames in memory and tensors."""

import threading
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from os import PathLike, fspath
from pathlib import Path
from typing import Any, TypeVar, Unpack

import numpy as np
import torch
from torch import Tensor

from vsrcli.choices import EngineChoices, JobChoices
from vsrcli.engine.compiled import compile_steps
from vsrcli.engine.device import pick_device, pick_precision, place, use_threads
from vsrcli.engine.engine import Engine
from vsrcli.engine.options import EngineOptions
from vsrcli.engine.planning import make_plan
from vsrcli.engine.tensors import TensorEngine
from vsrcli.errors import UsageError
from vsrcli.frame import Frame
from vsrcli.pipeline.events import Event, OnEvent, logged
from vsrcli.pipeline.jobs.job import prepare
from vsrcli.pipeline.options import Content, Options
from vsrcli.pipeline.running.run import Result
from vsrcli.records import Record, options_of
from vsrcli.shards.alone import run_or_finish
from vsrcli.zoo.catalogue import catalogue
from vsrcli.zoo.loading import LoadedModel, Loader
from vsrcli.zoo.options import set_option

T = TypeVar("T", bound=Record)


class Upscaler:
    """Upscales with one model, or with the models of one architecture, each loaded when it is first needed.

    One Upscaler serves one thread at a time. Raises UsageError for options that are unknown or out of range.

    Args:
        model: full name ("repvsr.real"), path of a checkpoint, or architecture ("iconvsr"). With an architecture, or
            None, `video` chooses the weights by each source, and all other methods use the architecture's first.
        content: "anime" requests weights for drawn content.
        progress: called with an `Event` when weights are downloaded, and for notes and warnings. Without it, notes
            and warnings are logged (see `vsrcli.log`).
        options: those of `vsrcli.choices.EngineChoices`.
    """

    def __init__(
        self,
        model: str | PathLike[str] | None = None,
        *,
        content: Content = "auto",
        progress: OnEvent = logged,
        **options: Unpack[EngineChoices],
    ) -> None:
        self._name = None if model is None else fspath(model)
        self._content: Content = content
        if self._name is not None and not Path(self._name).exists():
            catalogue().resolve(self._name)
        self._options = as_record(EngineOptions, options)
        self._load = Loader()
        self._progress = progress
        self.device = pick_device(self._options.device)

    @property
    def model(self) -> LoadedModel:
        """The model for frames and tensors, loaded and on its device.

        Raises UsageError for an unknown name, WeightsError for missing or damaged weights.
        """
        model = self._load(
            self._name,
            say=lambda line: self._progress(Event("note", line)),
            progress=lambda done, total: self._progress(Event("download", done=done, total=total)),
        )
        if self._options.keyframe_interval is not None:
            set_option([model], "keyframe_interval", self._options.keyframe_interval)
        use_threads(self._options.threads)
        exact = self._options.propagation == "exact"
        dtype = pick_precision(self._options.precision, self.device, model.net, exact=exact)
        place(model.net, self.device, dtype)
        if self._options.compile:
            compile_steps(model.net, self.device, lambda line: self._progress(Event("warning", line)))
        return model

    @property
    def scale(self) -> int:
        """The factor by which the model enlarges each side."""
        return self.model.scale

    def video(
        self,
        input: str | PathLike[str],
        output: str | PathLike[str] | None = None,
        *,
        progress: OnEvent | None = None,
        cancel: threading.Event | None = None,
        **options: Unpack[JobChoices],
    ) -> Result:
        """Upscale a video, an image or an image sequence to a file, with its sound, subtitles and metadata.

        Raises UsageError, InputError, OutputError, WeightsError or OutOfMemoryError (all `VsrError`) on failure.

        Args:
            input: the source.
            output: the result; None chooses a name beside the input.
            progress: called with an `Event` for each frame, note and warning, from the thread where it occurs.
            cancel: when it is set, the job stops at the next frame and raises InterruptedJobError; the same call
                continues it.
            options: those of `vsrcli.choices.JobChoices`.
        """
        hear = self._progress if progress is None else progress
        chosen = as_record(Options, options, model=self._name, content=self._content, **vars(self._options))
        target = None if output is None else Path(output)
        job = prepare(Path(input), target, chosen, hear, load=self._load)
        return run_or_finish(job, hear, cancel=cancel, load=self._load)

    def frames(self, frames: Iterable[Frame | np.ndarray], *, cancel: threading.Event | None = None) -> Iterator[Frame]:
        """Yield the HR frame of each frame as soon as enough later frames are known; there may be any number of frames.

        A frame is a `Frame`, or only its picture: RGB (h, w, 3) of uint8, of uint16 over 0..65535, or of float32 with
        white at 1, which is not clipped. Results have the type, number and times of their sources. All frames must have
        one size. When `cancel` is set, no further frame is returned. Raises UsageError for a picture of another shape,
        type or size.
        """
        engine: Engine | None = None
        first: tuple[int, ...] = ()
        numbers: deque[int] = deque()
        for given in frames:
            picture = checked(given.data if isinstance(given, Frame) else given)
            if engine is None:
                engine, first = self._engine(*picture.shape[:2], bits=8 * picture.itemsize), picture.shape
            if picture.shape != first:
                raise UsageError(f"a frame of {picture.shape[1]}x{picture.shape[0]} among {first[1]}x{first[0]}")
            frame = given if isinstance(given, Frame) else Frame(engine.next_pushed, picture)
            numbers.append(frame.number)
            for made in engine.push(replace(frame, number=engine.next_pushed)):
                yield replace(made, number=numbers.popleft())
                if cancel is not None and cancel.is_set():
                    return
        for made in engine.flush() if engine is not None else ():
            yield replace(made, number=numbers.popleft())
            if cancel is not None and cancel.is_set():
                return

    def __call__(self, clip: Tensor) -> Tensor:
        """Upscale a clip (t, 3, h, w) of RGB in 0..1 to (t, 3, s*h, s*w), float32 in 0..1, on the clip's device.

        Raises UsageError for anything else.
        """
        if not isinstance(clip, Tensor):
            raise UsageError(f"not a clip: a {type(clip).__name__} (give a tensor; frames() takes arrays)")
        if clip.ndim != 4 or clip.shape[1] != 3 or not clip.is_floating_point():
            raise UsageError(f"not a clip: {tuple(clip.shape)} of {clip.dtype} (give (t, 3, h, w) of floats in 0..1)")
        engine = TensorEngine(self._engine(*clip.shape[-2:], frames=len(clip), bits=32))
        made = list(engine.upscale(clip.detach().cpu()))
        if not made:
            return clip.new_zeros((0, 3, *(self.scale * side for side in clip.shape[-2:])), dtype=torch.float32)
        return torch.stack(made).clamp(0, 1).to(clip.device)

    def _engine(self, height: int, width: int, *, bits: int, frames: int | None = None) -> Engine:
        net = self.model.net
        depth = 8 if bits == 8 else 16
        plan = make_plan(
            self._options,
            net,
            height,
            width,
            self.device,
            net.precision,
            frames=frames,
            bit_depth=depth,
        )
        return Engine(net, plan, self.device, say=lambda line: self._progress(Event("warning", line)))


def checked(picture: np.ndarray) -> np.ndarray:
    """Return a valid picture unchanged. Raises UsageError for other arrays."""
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype not in (np.uint8, np.uint16, np.float32):
        shape = tuple(picture.shape)
        raise UsageError(f"not a picture: {shape} of {picture.dtype} (give (h, w, 3) of uint8, uint16 or float32)")
    return picture


def as_record(record: type[T], options: Any, **more: Any) -> T:
    """Return a record of options from keywords. Raises UsageError for a keyword that is not one of its fields."""
    given = dict(options)
    names = {option.name for option in options_of(record)}
    if "fps" in given and "fps" not in names:
        if "rate" in given:
            raise UsageError("rate and fps are the same: give one")
        given["rate"] = given.pop("fps")
    unknown = sorted(set(given) - names)
    if unknown:
        raise UsageError(f"no such option: {', '.join(unknown)}")
    return record(**more | given)
