"""The Python interface: `upscale`, `Upscaler`, `read`, `list_models`."""

import threading
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import Unpack

from vsrcli.choices import SpanChoices, UpscaleChoices
from vsrcli.frame import Frame
from vsrcli.media.options import SpanOptions
from vsrcli.media.read.decode import decode
from vsrcli.media.read.fields import deinterlacing
from vsrcli.media.read.probe import probe
from vsrcli.pipeline.events import OnEvent, logged
from vsrcli.pipeline.jobs.job import prepare
from vsrcli.pipeline.options import Content, Options
from vsrcli.pipeline.running.run import Result
from vsrcli.shards.alone import run_or_finish
from vsrcli.upscaler import Upscaler, as_record
from vsrcli.zoo.catalogue import Entry, catalogue

__all__ = ["Upscaler", "list_models", "read", "upscale"]


def upscale(
    input: str | PathLike[str],
    output: str | PathLike[str] | None = None,
    *,
    model: str | PathLike[str] | None = None,
    content: Content = "auto",
    on_event: OnEvent = logged,
    cancel: threading.Event | None = None,
    **options: Unpack[UpscaleChoices],
) -> Result:
    """Upscale one video or image sequence; the same as `vsr upscale INPUT -o OUTPUT -m MODEL`.

    For many files use `Upscaler`, which loads its model once. A job that was interrupted, or stopped by setting
    `cancel`, continues when the function is called again with the same arguments.

    Args:
        input: a video, an image, a folder or pattern of images.
        output: the result; None chooses a name beside the input.
        model: full name, checkpoint, or architecture ("iconvsr"). An architecture, or None, chooses weights by the
            source: those for clean frames if it is lossless or hardly compressed, else those for compressed ones;
            `Result.picked` gives the reason.
        content: "anime" requests weights for drawn content.
        on_event: called with an `Event` for each frame, note and warning, from the thread where it occurs. Without
            it, notes and warnings go to the logger "vsrcli" (see `vsrcli.log`).
        cancel: stops the job at the next frame when it is set.
        options: the fields of `vsrcli.pipeline.Options` in their types: `scale=2`, `crf=18`, `size=(1920, 1080)`,
            `tile=(256, 256)` (or "256x256") or None for whole frames, `memory=6 << 30` bytes, `horizon=30` frames or
            None, `start=62.5` seconds, `rate=30` or Fraction(30000, 1001) of an image sequence, `fps="2x"` or 60 for
            new frames between the source's (of an image sequence without a `rate`, a number is its own),
            `overwrite=True`. docs/python.md lists them.

    Returns:
        What was written and how, as `Result`.

    Raises:
        UsageError: unknown options, or options of the wrong type, out of range, or that contradict each other.
        InputError, OutputError, WeightsError, OutOfMemoryError: failures (all are `vsrcli.errors.VsrError`).
        InterruptedJobError: Ctrl-C, or `cancel` is set.
    """
    chosen = as_record(Options, options, model=model, content=content)
    target = None if output is None else Path(output)
    return run_or_finish(prepare(Path(input), target, chosen, on_event), on_event, cancel=cancel)


def read(path: str | PathLike[str], **options: Unpack[SpanChoices]) -> Iterator[Frame]:
    """Yield the frames of a video, an image or an image sequence, decoded as `vsr upscale` decodes them.

    Each is RGB (h, w, 3), uint8, or uint16 for sources of more than 8 bits, with its number, pts and duration. The
    options are `start` and `end` in seconds, `rate` of an image sequence, `deinterlace`, `hwaccel`. Raises InputError
    if the file is no video, UsageError for unknown options.
    """
    span = as_record(SpanOptions, options)
    info = probe(Path(path), rate=span.rate)
    yield from decode(
        info,
        start=span.start,
        end=span.end,
        deinterlace=deinterlacing(info, span.deinterlace),
        detelecine=span.detelecine,
        hwaccel=span.hwaccel,
    )


def list_models() -> list[Entry]:
    """Return the models of the catalogue, as `vsr models` lists them: names, costs, licences, sources of weights."""
    return list(catalogue().models.values())
