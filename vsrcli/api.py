"""The Python interface: one function."""

from fractions import Fraction
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
    `overwrite=True`, ...; `fps` is `rate`). A tile may be a pair (width, height), a memory a number of bytes.
    `on_event` is called with an `Event` for each frame, note and warning, from the thread that has the news. A job that
    was interrupted goes on when it is called again with the same arguments.

    Raises UsageError for options that contradict each other, InputError, OutputError, WeightsError or
    OutOfMemoryError (all `vsrcli.errors.VsrError`) on failure, InterruptedJobError on Ctrl-C.
    """
    if "fps" in options:
        options["rate"] = options.pop("fps")
    unknown = sorted(set(options) - set(Options.__dataclass_fields__))
    if unknown:
        raise UsageError(f"no such option: {', '.join(unknown)}")
    on_event = on_event or _ignore
    target = None if output is None else Path(output)
    return run(prepare(Path(input), target, Options(model=model, **_plain(options)), on_event), on_event)


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    """Return options as `Options` has them, from what is natural in Python."""
    plain = dict(options)
    if isinstance(plain.get("tile"), tuple | list):
        plain["tile"] = "x".join(str(side) for side in plain["tile"])
    for name in ("tile", "memory", "horizon"):
        if isinstance(plain.get(name), int):
            plain[name] = str(plain[name])
    if plain.get("tile", "") is None:
        plain["tile"] = "none"
    if "rate" in plain:
        try:
            plain["rate"] = Fraction(plain["rate"]).limit_denominator(1_000_000)
        except (TypeError, ValueError, ZeroDivisionError, OverflowError):
            raise UsageError(f"not a frame rate: {plain['rate']!r}") from None
    return plain
