"""What a job tells its caller while it runs."""

from collections.abc import Callable
from dataclasses import dataclass

from vsrcli import log


@dataclass(frozen=True)
class Event:
    """One piece of news.

    `kind` is "note" or "warning" (a line in `text`), "download" (`done` of `total` bytes), "start" (frame `done` is
    the first to be made now, of `total` if known; they come `burst` at a time, after a silence), "frame" (`done` of
    `total` frames are made; the `text` of both says how, if not by upscaling), "sweep" (before the scene that ends at
    frame `until` is upscaled exactly, `done` of `total` frames have been seen), "assemble" or "done".
    """

    kind: str
    text: str = ""
    done: int = 0
    total: int | None = None
    until: int = 0
    burst: int = 1


OnEvent = Callable[[Event], None]


def logged(event: Event) -> None:
    """Take an event that no caller listens to: log it (see `vsrcli.log`), but for the progress of frames and bytes."""
    if event.kind == "note":
        log.note(event.text)
    elif event.kind == "warning":
        log.warning(event.text)
    elif event.kind in ("start", "assemble", "done"):
        log.LOG.debug("%s at %d of %s frames", event.kind, event.done, event.total or "?")
