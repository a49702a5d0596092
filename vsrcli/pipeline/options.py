"""What the caller may ask of a job, and the size of output that follows from it for one source."""

from dataclasses import dataclass
from typing import Literal

from vsrcli.engine.options import EngineOptions
from vsrcli.errors import UsageError
from vsrcli.media.info import VideoInfo
from vsrcli.media.options import EncodingOptions, SpanOptions
from vsrcli.records import Record, option

Content = Literal["auto", "film", "anime"]
"""What a source may show; auto is film, since drawn frames cannot be told from filmed ones reliably."""

LARGEST_SIDE = 16384
"""Pixels, of an output."""


@dataclass(frozen=True)
class Options(EngineOptions, EncodingOptions, SpanOptions, Record):
    """All that shapes a job: the options of the engine, the encoding and the span, and these.

    `model` is a full name, an architecture, which leaves the weights open, or a checkpoint's path. `content` is what
    the source shows, where `model` leaves the weights open. `scale`, `height` and `size` (width, height) exclude each
    other. `overwrite` replaces an output that exists; `restart` throws an unfinished job away.
    """

    model: str | None = option(None, kept="resolved")
    content: Content = option("auto", kept="no")  # the model tells it
    scale: float | None = option(None, above=0, most=16, kept="no")  # the size tells it, and the height
    height: int | None = option(None, least=16, kept="no")
    size: tuple[int, int] | None = option(None, kept="resolved")
    overwrite: bool = option(False, kept="no")
    restart: bool = option(False, kept="no")

    def check(self) -> None:
        """Raise UsageError if the options contradict each other."""
        if sum(x is not None for x in (self.scale, self.height, self.size)) > 1:
            raise UsageError("scale, height and size exclude each other: give one")
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise UsageError("the end must lie after the start")


def output_size(options: Options, info: VideoInfo, scale: int) -> tuple[int, int]:
    """Return (width, height) of the output as coded (before the rotation that `info` declares, if any).

    Raises UsageError for a size that no encoder takes.
    """
    turned = info.rotation is not None and abs(info.rotation[1]) > abs(info.rotation[0])
    width, height = (info.height, info.width) if turned else (info.width, info.height)
    if options.size is not None:
        wanted = options.size
    elif options.height is not None:
        wanted = (even(width * options.height / height), options.height)
    elif options.scale is not None and options.scale != scale:
        wanted = (round(width * options.scale), round(height * options.scale))  # the sink evens it and says so
    else:
        wanted = (width * scale, height * scale)
    if min(wanted) < 16 or max(wanted) > LARGEST_SIDE:
        raise UsageError(f"an output of {wanted[0]}x{wanted[1]} is out of range (16 to {LARGEST_SIDE} pixels a side)")
    return (wanted[1], wanted[0]) if turned else wanted


def even(length: float) -> int:
    """Return the nearest even number of pixels, as subsampled chroma needs."""
    return 2 * round(length / 2)
