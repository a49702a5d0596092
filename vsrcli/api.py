"""The Python interface: one function."""

from os import PathLike, fspath
from pathlib import Path
from typing import Any

from vsrcli.errors import UsageError
from vsrcli.pipeline.events import Event, OnEvent
from vsrcli.pipeline.options import Options
from vsrcli.pipeline.run import Result, run
from vsrcli.pipeline.task import prepare
from vsrcli.records import options_of


def _ignore(event: Event) -> None:
    pass


def upscale(
    input: str | PathLike[str],
    output: str | PathLike[str] | None = None,
    *,
    model: str | PathLike[str] | None = None,
    on_event: OnEvent | None = None,
    **options: Any,
) -> Result:
    """Upscale one video or image sequence; the same as `vsr upscale INPUT -o OUTPUT -m MODEL`.

    An architecture alone ("iconvsr"), or None, picks its weights by the source: those for clean frames where it is
    lossless or hardly compressed, else those for compressed ones; `Result.picked` says why. `content="anime"` asks for
    weights for drawn content.

    `options` are the fields of `vsrcli.pipeline.Options` in their types: `scale=2`, `crf=18`, `size=(1920, 1080)`,
    `tile=(256, 256)` or None for whole frames, `memory=6 << 30` bytes, `horizon=30` frames or None, `start=62.5`
    seconds, `rate=30` or Fraction(30000, 1001) (or `fps`, as the command line has it), `overwrite=True`.
    `on_event` is called with an `Event` for each frame, note and warning, from the thread that has the news. A job that
    was interrupted goes on when it is called again with the same arguments.

    Raises UsageError for options that are none, of the wrong type or out of range, or that contradict each other;
    InputError, OutputError, WeightsError or OutOfMemoryError (all `vsrcli.errors.VsrError`) on failure;
    InterruptedJobError on Ctrl-C.
    """
    if "fps" in options:
        if "rate" in options:
            raise UsageError("rate and fps are the same: give one")
        options["rate"] = options.pop("fps")
    unknown = sorted(set(options) - {option.name for option in options_of(Options)})
    if unknown:
        raise UsageError(f"no such option: {', '.join(unknown)}")
    on_event = on_event or _ignore
    name = None if model is None else fspath(model)
    target = None if output is None else Path(output)
    return run(prepare(Path(input), target, Options(model=name, **options), on_event), on_event)
