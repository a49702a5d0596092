"""The Python interface: one function."""

from os import PathLike
from pathlib import Path
from typing import Any

from vsrcli.errors import UsageError
from vsrcli.pipeline import Event, Options, Result, prepare, run
from vsrcli.pipeline.events import OnEvent


def _ignore(event: Event) -> None:
    pass


def upscale(
    input: str | PathLike[str],
    output: str | PathLike[str] | None = None,
    *,
    model: str | None = None,
    on_event: OnEvent | None = None,
    **options: Any,
) -> Result:
    """Upscale one video or image sequence; the same as `vsr upscale INPUT -o OUTPUT -m MODEL`.

    An architecture alone ("iconvsr"), or None, picks its weights by the source: those for clean frames where it is
    lossless or hardly compressed, else those for compressed ones; `Result.picked` says why. `content="anime"` asks for
    weights for drawn content.

    `options` are the fields of `vsrcli.pipeline.Options`, named as on the command line (`scale=2`, `crf=18`,
    `overwrite=True`, ...). `on_event` is called with an `Event` for each frame, note and warning, from the thread that
    has the news. A job that was interrupted goes on when it is called again with the same arguments.

    Raises UsageError for options that contradict each other, InputError, OutputError, WeightsError or
    OutOfMemoryError (all `vsrcli.errors.VsrError`) on failure, InterruptedJobError on Ctrl-C.
    """
    unknown = sorted(set(options) - set(Options.__dataclass_fields__))
    if unknown:
        raise UsageError(f"no such option: {', '.join(unknown)}")
    on_event = on_event or _ignore
    target = None if output is None else Path(output)
    return run(prepare(Path(input), target, Options(model=model, **options), on_event), on_event)
