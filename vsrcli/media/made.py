"""The tag by which vsr's results declare how they were made, and from which time of their source."""

import re
from pathlib import Path

from vsrcli.errors import InputError
from vsrcli.media.mux_tags import MADE_PLACES
from vsrcli.media.opening import open_video

MADE_BY_VSR = "upscaled by vsr"
"""First words of the tag of every result."""
_FROM = re.compile(r"from (\d{1,9}(?:\.\d{1,9})?) s")


def made_text(version: str, model: str, weights: str, *, start: float | None = None) -> str:
    """Return the tag of a result; `start` is when its first frame is shown in the first source, if cut."""
    text = f"{MADE_BY_VSR} {version}, {model}, weights {weights[:16]}"
    return text if start is None else f"{text}, from {start:.6f} s"


def made_tags(path: Path) -> list[str]:
    """Return a video's tags about its making; none if vsr did not make it, or it is no video."""
    try:
        with open_video(path) as container:
            tags = container.metadata.items()
            return [value for key, value in tags if key.lower() in MADE_PLACES and MADE_BY_VSR in value]
    except InputError:
        return []


def offset_in_source(path: Path) -> float | None:
    """Return when a result's first frame is shown in the first of its sources, in seconds; None where it is not cut.

    A part of a part counts from the whole. Where each making has added its own line to the tag, the last one tells.
    """
    found = [seconds for text in made_tags(path) for seconds in _FROM.findall(text)]
    return float(found[-1]) if found else None
