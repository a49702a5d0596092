"""The options of the Python interface as typed keywords, all optional: the fields of the records."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from os import PathLike
from typing import TypedDict

from vsrcli.engine.options import Precision, Propagation, Repeats
from vsrcli.media.options import Audio, Codec, Deinterlace
from vsrcli.nets.horizon import Horizon


class EngineChoices(TypedDict, total=False):
    """Device and settings of the engine: the fields of `EngineOptions`. `horizon` may be a number of frames.

    Sizes are (width, height) or texts like "256x192", here and below.
    """

    device: str
    precision: Precision
    propagation: Propagation
    window: int | None
    lookahead: int | None
    horizon: Horizon | int | None
    keyframe_interval: int | None
    tile: tuple[int, int] | str | None
    repeats: Repeats
    memory: int | None
    threads: int | None
    compile: bool


class PartChoices(TypedDict, total=False):
    """The part of a source to read: the fields of `SpanOptions`."""

    start: float | None
    end: float | None
    rate: Fraction | float | None
    deinterlace: Deinterlace
    detelecine: bool
    hwaccel: str | None


class SpanChoices(PartChoices, total=False):
    """The same; `fps` is another name for `rate`."""

    fps: Fraction | float


class JobChoices(PartChoices, total=False):
    """Size, frame rate and encoding of the result of one job: the other fields of `Options`."""

    scale: float | None
    height: int | None
    size: tuple[int, int] | str | None
    fit: tuple[int, int] | str | None
    pad: bool
    max_height: int | None
    square_pixels: bool
    crop: str | None
    skip_above: int | None
    fps: Fraction | float | str | None
    slow: Fraction | float | None
    codec: Codec | str | None
    crf: float | None
    bitrate: int | None
    target_size: int | None
    preset: str | None
    tune: str | None
    encoder_opt: Sequence[str] | Mapping[str, str]
    pix_fmt: str | None
    audio: Audio
    new_date: bool
    work_dir: str | PathLike[str] | None
    overwrite: bool
    restart: bool


class UpscaleChoices(EngineChoices, JobChoices, total=False):
    """All options of `upscale`."""
