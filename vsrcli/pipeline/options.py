"""The options of a job, and the size of the output that follows from them for one source."""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from vsrcli.engine.options import EngineOptions
from vsrcli.errors import Reason, UsageError
from vsrcli.media.info import VideoInfo
from vsrcli.media.options import EncodingOptions, SpanOptions, read_crop
from vsrcli.records import Record, option

Content = Literal["auto", "film", "anime"]
"""What a source shows; auto means film, since drawn frames cannot be detected reliably."""

LARGEST_SIDE = 16384
"""Largest height or width of an output in pixels."""


MOST_TIMES = 8
"""Largest number of output frames for each source frame."""


@dataclass(frozen=True)
class Options(EngineOptions, EncodingOptions, SpanOptions, Record):
    """All options of a job: those of the engine, the encoding and the span, and these.

    `scale`, `height`, `size` and `fit` exclude each other.

    Attributes:
        model: full name, path of a checkpoint, or architecture, which leaves the weights open.
        content: what the source shows, if `model` leaves the weights open.
        scale: factor of the output's size.
        height: height of the output in lines as it is shown.
        size: (width, height) of the output.
        fit: (width, height) of a box that the picture fills as far as its shape allows.
        pad: fill the rest of the box with black, so that the output is as large as the box.
        max_height: largest height of the output in lines as it is shown.
        square_pixels: stretch the shorter side if the source's pixels are not square; `fit` does so too.
        crop: "auto", for what black borders leave, or "W:H:X:Y" in pixels of the source.
        skip_above: a source that is shown with more lines than this is not upscaled.
        new_date: give the result the date of its making instead of its source's.
        work_dir: the folder in which the job works, instead of the output's.
        overwrite: replace an existing output.
        restart: delete an unfinished job.
        fps: frame rate of the result: "2x" is twice the source's, a number frames a second, which must be a multiple of
            the source's; new frames are made for it. Of an image sequence without a `rate`, a number is its own rate.
        slow: how many times as long the result takes, with its sound, which keeps its pitch.
    """

    model: str | None = option(None, kept="resolved")
    content: Content = option("auto", kept="no")  # the model tells it
    scale: float | None = option(None, above=0, most=16, kept="no")  # the size tells it, and the height
    height: int | None = option(None, least=16, kept="no")
    size: tuple[int, int] | None = option(None, kept="resolved")
    fit: tuple[int, int] | None = option(None, least=16, kept="no")
    pad: bool = option(False)
    max_height: int | None = option(None, least=16, kept="no")
    square_pixels: bool = option(False, kept="no")
    crop: str | None = option(None)
    skip_above: int | None = option(None, least=1, kept="no")
    new_date: bool = option(False, kept="no")
    work_dir: str | None = option(None, kept="no")
    fps: Fraction | str | None = option(None, above=0, noun="frame rate", unit="rate", kept="resolved")
    slow: Fraction | None = option(None, least=1, most=8, unit="times")
    overwrite: bool = option(False, kept="no")
    restart: bool = option(False, kept="no")

    def check(self) -> None:
        """Raise UsageError if the options contradict each other."""
        if sum(x is not None for x in (self.scale, self.height, self.size)) > 1:
            raise UsageError("scale, height and size exclude each other: give one")
        if self.fit is not None and (self.scale, self.height, self.size) != (None, None, None):
            raise UsageError("a box to fit excludes scale, height and size: give one")
        if self.pad and self.fit is None:
            raise UsageError("padding needs a box to fit", Reason.NEEDS_BOX)
        if self.size is not None and (self.square_pixels or self.max_height is not None):
            raise UsageError("a size leaves neither the height nor the pixels' shape open")
        if sum(x is not None for x in (self.crf, self.bitrate, self.target_size)) > 1:
            raise UsageError("a crf, a bitrate and a target size exclude each other: give one")
        if self.crop is not None:
            read_crop(self.crop)
        if isinstance(self.fps, str):
            times = re.fullmatch(r"([1-9])x", self.fps, re.IGNORECASE)
            if times is None or int(times[1]) > MOST_TIMES:
                raise UsageError(f"not a frame rate: {self.fps} (it must be a number, or from 1x to {MOST_TIMES}x)")
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise UsageError("the end must lie after the start")
        if self.detelecine and self.deinterlace == "double":
            message = "film has no fields of its own, so inverse telecine and a frame of each field exclude each other"
            raise UsageError(message, Reason.FILM_OR_FIELDS)


def output_size(options: Options, info: VideoInfo, scale: int) -> tuple[int, int]:
    """Return (width, height) of the output as coded (before the rotation that `info` declares, if any).

    Raises UsageError for a size that no encoder supports.
    """
    width, height = (info.height, info.width) if info.turned else (info.width, info.height)
    wide, high = _squared(info) if options.square_pixels or options.fit else (Fraction(1), Fraction(1))
    shown, line = (width * wide, height * high), line_of_row(options, info)
    if options.size is not None:
        wanted = options.size
    elif options.fit is not None:
        factor = min(options.fit[0] / shown[0], options.fit[1] / shown[1])
        wanted = (_within(shown[0] * factor, options.fit[0]), _within(shown[1] * factor, options.fit[1]))
    elif options.height is not None:
        wanted = _of_height(shown, options.height, line)
    elif options.scale is not None and options.scale != scale:
        wanted = (round(shown[0] * options.scale), round(shown[1] * options.scale))  # the sink evens it and says so
    else:
        wanted = (round(shown[0] * scale), round(shown[1] * scale))
    if options.max_height is not None and wanted[1] * line > options.max_height:
        wanted = _of_height(shown, options.max_height, line)
    if min(wanted) < 16 or max(wanted) > LARGEST_SIDE:
        raise UsageError(f"an output of {wanted[0]}x{wanted[1]} is out of range (16 to {LARGEST_SIDE} pixels a side)")
    return (wanted[1], wanted[0]) if info.turned else wanted


def line_of_row(options: Options, info: VideoInfo) -> Fraction:
    """Return the height of the output's pixels as they are shown, which is not 1 where oblong ones are turned."""
    if not info.turned or options.square_pixels or options.fit is not None:
        return Fraction(1)
    return info.sample_aspect_ratio or Fraction(1)


def _of_height(shown: tuple[Fraction, Fraction], lines: int, line: Fraction) -> tuple[int, int]:
    """Return the size of a picture of so many lines, each of whose rows is shown `line` of them high, or a bit less."""
    rows = lines if line == 1 else _within(lines / line, lines / line)
    return even(shown[0] * rows / shown[1]), rows


def padded_size(options: Options, info: VideoInfo) -> tuple[int, int] | None:
    """Return (width, height) of the box that is filled with black around the picture, as coded; None: no padding."""
    if not options.pad or options.fit is None:
        return None
    return options.fit[::-1] if info.turned else options.fit


def _squared(info: VideoInfo) -> tuple[Fraction, Fraction]:
    """Return by how much the picture's width and height grow where its pixels become square, as it is shown."""
    aspect = info.sample_aspect_ratio or Fraction(1)
    aspect = 1 / aspect if info.turned else aspect
    return (aspect, Fraction(1)) if aspect >= 1 else (Fraction(1), 1 / aspect)


def _within(length: float | Fraction, most: float | Fraction) -> int:
    """Return the nearest even number of pixels that is not more than `most`."""
    nearest = even(length)
    return nearest if nearest <= most else nearest - 2


def even(length: float | Fraction) -> int:
    """Return the nearest even number of pixels, as subsampled chroma needs."""
    return 2 * round(length / 2)
