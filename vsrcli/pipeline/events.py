"""Events that a job sends to its caller while it runs."""

from collections.abc import Callable
from dataclasses import dataclass

from vsrcli import log
from vsrcli.errors import Remark


@dataclass(frozen=True)
class Event:
    """One event of a job.

    Attributes:
        kind: "note" or "warning": a line in `text`. "download": `done` of `total` bytes. "start": frame `done` is the
            first that this run makes, of `total` if known; frames come `burst` at a time. "frame": `done` of `total`
            frames are made. "sweep": before exact propagation upscales the scene that ends at frame `until`, `done` of
            `total` frames have been swept. "assemble" and "done".
        text: the line; of "start" and "frame" how frames are made, if not by upscaling.
    """

    kind: str
    text: str = ""
    done: int = 0
    total: int | None = None
    until: int = 0
    burst: int = 1

    @classmethod
    def of(cls, line: str) -> "Event":
        """Return the event of a line: a remark is a note, any other a warning."""
        return cls("note" if isinstance(line, Remark) else "warning", line)


OnEvent = Callable[[Event], None]


def frames_made(done: int, total: int | None) -> Event:
    """Return the event that `done` frames are made; more than the `total` that was expected raise it."""
    return Event("frame", done=done, total=total and max(total, done))


def logged(event: Event) -> None:
    """Take an event that no caller listens to: log it (see `vsrcli.log`), but for the progress of frames and bytes."""
    if event.kind == "note":
        log.note(event.text)
    elif event.kind == "warning":
        log.warning(event.text)
    elif event.kind in ("start", "assemble", "done"):
        log.LOG.debug("%s at %d of %s frames", event.kind, event.done, event.total or "?")
