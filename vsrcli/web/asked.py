"""What the page may ask for: a few options of a job, by names and values that are checked."""

from fractions import Fraction
from typing import Any

from vsrcli.errors import Reason, UsageError, VsrError
from vsrcli.pipeline.options import Options
from vsrcli.zoo import store
from vsrcli.zoo.catalogue import Entry, catalogue
from vsrcli.zoo.uses import speed_of, use_of

CODECS = ("h264", "hevc", "av1", "vp9", "prores", "ffv1")
CHOICES = (
    "model", "content", "height", "scale", "square_pixels", "deinterlace", "detelecine", "fps", "codec", "crf", "audio",
)  # fmt: skip
"""Options that the page sets; others keep their defaults."""
FLAGS = ("overwrite", "restart")

ADVICE = {
    Reason.OUTPUT_EXISTS: ": tick “Replace a result that exists”",
    Reason.FOLDER_NOT_EMPTY: ": tick “Replace a result that exists”",
    Reason.JOB_DIFFERS: ": tick “Start over”, or choose what it began with",
    Reason.JOB_DAMAGED: ": tick “Start over”",
    Reason.IN_SHARDS: ": it is finished on the command line, or tick “Start over”",
    Reason.WORK_FOLDER_TAKEN: ": is it being upscaled already?",
}
"""What the page adds to messages."""


def models() -> list[dict[str, Any]]:
    """Return the models whose weights are here, for the page, vsr's default first."""
    default = catalogue().resolve().name
    here = [entry for entry in catalogue().models.values() if store.locate(entry) is not None]
    return [_shown(entry) for entry in sorted(here, key=lambda one: one.name != default)]


def _shown(entry: Entry) -> dict[str, Any]:
    return {"name": entry.name, "use": use_of(entry), "speed": speed_of(entry), "scale": entry.scale}


def options_from(given: Any) -> Options:
    """Return the options of a job from what the page sends. Raises UsageError for other names and values.

    A model is one of the catalogue's: the path of a checkpoint could lie anywhere.
    """
    if not isinstance(given, dict):
        raise UsageError("the options are no object")
    unknown = sorted(set(given) - {*CHOICES, *FLAGS})
    if unknown:
        raise UsageError(f"no such option: {', '.join(unknown)}")
    wanted = {name: value for name, value in given.items() if value not in (None, "")}
    known = catalogue()
    model = wanted.get("model")
    if model is not None and model not in {*known.models, *(entry.arch for entry in known.models.values())}:
        raise UsageError(f"no such model: {model}")
    if wanted.get("codec", CODECS[0]) not in CODECS:
        raise UsageError(f"no such codec: {wanted['codec']} (use {', '.join(CODECS)})")
    if isinstance(wanted.get("fps"), int | float):
        wanted["fps"] = Fraction(wanted["fps"]).limit_denominator(1001)
    options = Options(**wanted)
    options.check()
    return options


def plain(options: Options) -> dict[str, Any]:
    """Return the options that differ from their defaults, for the page."""
    return options.plain(keep=lambda one: one.name in CHOICES and getattr(options, one.name) != one.default)


def told(error: VsrError) -> str:
    """Return an error's message with what can be done on the page."""
    return f"{error}{ADVICE.get(error.reason, '') if error.reason is not None else ''}"
