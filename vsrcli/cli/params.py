"""Make click's options from the records of options. Only here is typed text converted to the types of the fields."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, get_args, get_origin

import click

from vsrcli.engine.options import LEAST_TILE
from vsrcli.nets.horizon import LEAST_HORIZON, Horizon
from vsrcli.pipeline.options import MOST_TIMES
from vsrcli.records import Option, Record, options_of

R = TypeVar("R", bound=Record)
Value_co = TypeVar("Value_co", covariant=True)
Command = TypeVar("Command", bound=Callable[..., Any])

UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}


if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    class Kind(click.ParamType[Value_co]):
        """A type of parameters, whose `convert` turns text into a value."""

else:  # click's own class takes type arguments only since 8.4

    class Kind(click.ParamType, Generic[Value_co]):
        """A type of parameters, whose `convert` turns text into a value."""


class Size(Kind[tuple[int, int]]):
    """WxH in pixels."""

    name = "WxH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Turn "1920x1080" into (1920, 1080)."""
        if isinstance(value, tuple):
            return value
        width, _, height = str(value).lower().partition("x")
        if not (_is_number(width) and _is_number(height)):
            self.fail(f"{value} is not a size: write it like 1920x1080", param, ctx)
        return int(width), int(height)


class Place(Kind[Path | str]):
    """A path, or a URL that fsspec may know."""

    name = "PATH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path | str:
        """Turn a text into a Path; a URL stays a text."""
        text = os.fspath(value)
        return text if "://" in text else Path(text)


class Resolution(Kind[tuple[int, int]]):
    """A named size of output, or WxH."""

    name = "RES"

    def __init__(self, names: Mapping[str, tuple[int, int]]) -> None:
        self.names = names

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Turn "1080p" or "1920x1080" into (1920, 1080)."""
        if isinstance(value, tuple):
            return value
        if size := self.names.get(str(value).lower()):
            return size
        width, _, height = str(value).lower().partition("x")
        if _is_number(width) and _is_number(height) and min(int(width), int(height)) >= 16:
            return int(width), int(height)
        self.fail(f"not a resolution: {value} (use {', '.join(self.names)}, or WxH from 16x16)", param, ctx)


class Time(Kind[float]):
    """A time: seconds, or [HH:]MM:SS[.mmm] as ffmpeg writes it."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Turn "1:02.5" into 62.5."""
        seconds = 0.0
        try:
            for part in str(value).split(":"):
                seconds = seconds * 60 + float(part)
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds < float("inf"):
            self.fail(f"{value} is not a time: write seconds (62.5) or MM:SS (1:02.5)", param, ctx)
        return seconds


class Rate(Kind[Fraction]):
    """Frames per second."""

    name = "RATE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Fraction:
        """Turn "30000/1001" into Fraction(30000, 1001)."""
        try:
            rate = Fraction(value)
        except (ValueError, ZeroDivisionError):
            rate = Fraction(0)
        if rate <= 0:
            self.fail(f"{value} is not a frame rate: write it like 25, 23.976 or 30000/1001", param, ctx)
        return rate


class FrameRate(Kind[Fraction | str]):
    """Frames per second, or a multiple of the source's."""

    name = "RATE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Fraction | str:
        """Turn "60" into Fraction(60); "2x" stays a text."""
        text = str(value).strip().lower()
        if text.endswith("x") and _is_number(text[:-1]) and 1 <= int(text[:-1]) <= MOST_TIMES:
            return f"{int(text[:-1])}x"
        if text.endswith("x"):
            self.fail(f"{value} is not a frame rate: write it like 2x, to {MOST_TIMES}x, or like 60", param, ctx)
        return Rate().convert(value, param, ctx)


class Factor(Kind[Fraction]):
    """A factor: how many times."""

    name = "FACTOR"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Fraction:
        """Turn "2x", "2" or "2.5x" into a fraction."""
        try:
            factor = Fraction(str(value).strip().lower().removesuffix("x"))
        except (ValueError, ZeroDivisionError):
            factor = Fraction(0)
        if not 1 <= factor <= MOST_TIMES:
            self.fail(f"{value} is not a factor: write it like 2x, from 1x to {MOST_TIMES}x", param, ctx)
        return factor


class Memory(Kind[int]):
    """A number of bytes."""

    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Turn "6GiB", "512M" or "1.5g" (powers of 1024) into bytes."""
        if isinstance(value, int):
            return value
        number = str(value).strip().lower().removesuffix("b").removesuffix("i")
        unit = number[-1:] if number[-1:] in UNITS else ""
        try:
            size = int(float(number.removesuffix(unit)) * UNITS[unit])
        except (ValueError, OverflowError):
            size = 0
        if size <= 0:
            self.fail(f"not a memory size: {value} (write it like 6GiB or 512MiB)", param, ctx)
        return size


class Tile(Kind[tuple[int, int] | Literal["auto"] | None]):
    """A tile's size in source pixels, auto, or none."""

    name = "TILE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int] | Literal["auto"] | None:
        """Turn "256x192" into (256, 192) and "256" into a square; "none" is None."""
        if isinstance(value, tuple):
            return value
        text = str(value).lower()
        if text in ("auto", "none"):
            return "auto" if text == "auto" else None
        parts = text.split("x")
        if len(parts) in (1, 2) and all(map(_is_number, parts)):
            width, height = int(parts[0]), int(parts[-1])
            if min(width, height) >= LEAST_TILE:
                return width, height
        advice = f"write auto, none or WxH in source pixels, {LEAST_TILE} or more a side"
        self.fail(f"not a tile: {value} ({advice})", param, ctx)


class HorizonFrames(Kind[Horizon | None]):
    """A number of frames that a net remembers, auto, or none."""

    name = "FRAMES"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Horizon | None:
        """Turn "45" into a horizon of so many frames; "auto" is the default one, "none" is None."""
        if isinstance(value, Horizon):
            return value
        text = str(value).lower()
        if text in ("auto", "none"):
            return Horizon() if text == "auto" else None
        if _is_number(text) and int(text) >= LEAST_HORIZON:
            return Horizon.of(int(text))
        advice = f"write auto, none or a number of frames, {LEAST_HORIZON} or more"
        self.fail(f"not a horizon: {value} ({advice})", param, ctx)


class Words(Kind[tuple[str, ...]]):
    """One or several words of a list."""

    name = "WORD,..."

    def __init__(self, noun: str, words: tuple[str, ...]) -> None:
        self.noun, self.words = noun, words

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Turn "fp32,bf16" into ("fp32", "bf16")."""
        if isinstance(value, tuple):
            return value
        words = tuple(word.strip() for word in str(value).lower().split(","))
        if unknown := [word for word in words if word not in self.words]:
            self.fail(f"no such {self.noun}: {unknown[0]} (use {', '.join(self.words)})", param, ctx)
        return words


def _is_number(text: str) -> bool:
    """Return whether a text is a whole number of fewer than ten digits."""
    return text.isascii() and text.isdecimal() and len(text) < 10


@dataclass(frozen=True)
class Shown:
    """An option's appearance on the command line: its help, a short flag, and the placeholder for its value."""

    help: str
    letter: str | None = None
    metavar: str | None = None


SHOWN = {
    "model": Shown(
        "Model of `vsr models`, or path of a checkpoint. For an architecture alone, the source decides on the weights: "
        "those for clean or for compressed video.  [default: the architecture marked * there]",
        "-m",
    ),
    "content": Shown("Content of the source, if --model leaves the weights open. auto means film."),
    "scale": Shown("Upscaling factor. Others than the model's are resized by Lanczos.  [default: the model's]", "-s"),
    "height": Shown("Set the height of the output. The width follows."),
    "size": Shown("Set the size of the output."),
    "fit": Shown("Fit the output into this box, with its own shape and square pixels."),
    "max_height": Shown("Limit the height of the output. The width follows."),
    "square_pixels": Shown("Make pixels square, for tapes and DVDs: 4:3 at 1080 lines becomes 1440x1080."),
    "crop": Shown("Read a part of the picture: W:H:X:Y, or auto to remove black borders.", metavar="W:H:X:Y"),
    "skip_above": Shown("Skip sources with more lines than this.", metavar="LINES"),
    "device": Shown("Device: auto, cpu, cuda, cuda:1, mps."),
    "precision": Shown("Data type of the convolutions."),
    "propagation": Shown(
        "Propagation over time. exact: equal to whole scenes, in the memory of a window; it needs disk space and 1.3 "
        "times as long as clip (BasicVSR++: 2.5). auto: window, or stream for nets that only run forward."
    ),
    "window": Shown("Frames per window.  [default: 30]"),
    "lookahead": Shown("Frames after a window that its backward pass sees.  [default: 10]"),
    "horizon": Shown(
        "Frames that a bidirectional net remembers in each direction. none: no limit, as in the papers, which destroys "
        "long still scenes. auto: 60."
    ),
    "keyframe_interval": Shown("IconVSR: frames between refills, 0 for none.  [default: 5]"),
    "tile": Shown("Tile size in source pixels: auto, none, or WxH.", metavar="TEXT"),
    "memory": Shown("Memory budget, e.g. 6GiB.  [default: 60 % of free RAM, 85 % of a GPU's]"),
    "threads": Shown("CPU threads of the net.  [default: one per core]"),
    "deinterlace": Shown(
        "Deinterlace by ffmpeg's bwdif. auto: only sources and frames that are interlaced. double: one frame per "
        "field, so that motion stays as smooth as on tape (50 or 59.94 frames per second)."
    ),
    "detelecine": Shown(
        "Undo 3:2 pulldown: 29.97 frames per second become the 23.976 of the film, evenly spaced. Parts that are no "
        "film keep their frames and times."
    ),
    "codec": Shown(
        "Codec: h264 (x264, avc), hevc (h265, x265), av1, vp9, prores, ffv1, or any video encoder of FFmpeg "
        "(h264_nvenc, hevc_videotoolbox, av1_qsv, mpeg4, ...).  [default: ProRes and FFV1 stay, else by container and "
        "depth]",
        metavar="NAME",
    ),
    "crf": Shown("Quality in the encoder's own scale; lower is better."),
    "preset": Shown("Speed preset of the encoder."),
    "tune": Shown("Tuning of the encoder: film, animation, grain, ..."),
    "encoder_opt": Shown("Option of the encoder, as ffmpeg names it. Repeatable.", metavar="KEY=VALUE"),
    "audio": Shown("Convert sound of other codecs to this one; copy keeps it, none leaves it out."),
    "pix_fmt": Shown("Pixel format, as ffmpeg names it.  [default: like the source]"),
    "fps": Shown(
        "Frame rate of the result. 2x (up to 8x), or a multiple of the source's rate such as 60, makes new frames. For "
        "an image sequence without --rate, a number is its own rate.",
        metavar="RATE",
    ),
    "slow": Shown(
        "Slow motion: 2x shows the same frames in twice the time. Sound is stretched at its pitch and encoded again.",
        metavar="FACTOR",
    ),
    "rate": Shown("Frame rate of an image sequence.  [default: 25]"),
    "start": Shown("Begin here. A part has no chapters."),
    "end": Shown("Stop here."),
    "new_date": Shown("Date the result now, not like its source."),
    "overwrite": Shown("Replace existing outputs.", "-y"),
    "restart": Shown("Start over instead of resuming an unfinished job."),
    "shards": Shown("Total number of shards."),
    "shard_frames": Shown("Frames per shard, instead of --shards.  [default: 1800]"),
    "warmup": Shown("Frames that a shard runs before its own if it begins within a shot."),
}
"""All options, in the order of the help."""


def record_options(record: type[Record], *names: str, **helps: str) -> Callable[[Command], Command]:
    """Return a decorator that gives a command the options of a record, or only those named.

    `helps` replaces the help text of the options that it names.
    """
    known = {one.name: one for one in options_of(record)}
    wanted = [known[name] for name in SHOWN if name in (names or known)]

    def decorate(command: Command) -> Command:
        return reduce(lambda made, one: click_option(one, helps.get(one.name))(made), reversed(wanted), command)

    return decorate


def click_option(option: Option, help_text: str | None = None) -> Callable[[Command], Command]:
    """Return click's decorator for one option: its name, type and default are the field's."""
    shown, name = SHOWN[option.name], option.name
    flags = [flag for flag in (shown.letter, "--" + name.replace("_", "-")) if flag]
    help_text = help_text or shown.help
    if option.kinds == (bool,):
        return click.option(*flags, name, is_flag=True, default=option.default, help=help_text)
    if any(get_args(kind) == (str, ...) for kind in option.kinds):
        return click.option(
            *flags,
            name,
            multiple=True,
            default=option.default,
            metavar=shown.metavar,
            help=help_text,
            type=click.STRING,
        )
    default = default_text(option)
    completed = complete_model if option.name == "model" else None
    return click.option(
        *flags,
        name,
        type=click_type(option),
        default=default,
        show_default=default is not None,
        metavar=shown.metavar,
        help=help_text,
        shell_complete=completed,
    )


def complete_model(ctx: click.Context, param: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    """Return names of models that begin with the typed text, for the shell; files if there is none."""
    from click.shell_completion import CompletionItem

    from vsrcli.zoo.catalogue import catalogue

    models = catalogue().models.values()
    names = dict.fromkeys([*(entry.arch for entry in models), *(entry.name for entry in models)])
    fitting = [CompletionItem(name) for name in names if name.startswith(incomplete.lower())]
    return fitting or [CompletionItem(incomplete, type="file")]


def click_type(option: Option) -> "click.ParamType[Any]":
    """Return the type that turns text into the values of an option."""
    kinds = {get_origin(kind) or kind for kind in option.kinds}
    if kinds <= {Literal, type(None)}:
        return click.Choice(option.words, case_sensitive=False)
    if tuple in kinds:
        return Tile() if Literal in kinds else Size()
    if option.unit is not None:
        return {"bytes": Memory(), "seconds": Time(), "times": Factor()}[option.unit]
    if Fraction in kinds and str in kinds:
        return FrameRate()
    if int in kinds:
        return click.IntRange(None if option.least is None else int(option.least))
    types = {Horizon: HorizonFrames(), Fraction: Rate(), float: click.FLOAT, str: click.STRING}
    return next(types[kind] for kind in kinds if kind in types)


def default_text(option: Option) -> str | None:
    """Return the text that sets an option to its default; None if it is not shown."""
    chosen = click_type(option)
    if isinstance(chosen, HorizonFrames | Tile):  # for which None is a choice
        texts = {Horizon(): "auto", "auto": "auto", None: "none"}
        return texts[option.default]
    return None if option.default is None else str(option.default)


def models_option(help_text: str) -> Callable[[Command], Command]:
    """Return the option that names one or several models."""
    return click.option("-m", "--model", "models", multiple=True, shell_complete=complete_model, help=help_text)


def rate_option(command: Command) -> Command:
    """Add the frame rate of image sequences, under both of its names, to a command that makes no new frames."""
    text = "Frame rate of an image sequence.  [default: 25]"
    return click.option("--rate", "--fps", "rate", type=Rate(), help=text)(command)


def read_record(record: type[R], asked: Mapping[str, Any]) -> R:
    """Make a record of a command's parameters; those that the command does not take keep their defaults."""
    return record(**{one.name: asked[one.name] for one in options_of(record) if one.name in asked})


def words_of(record: type[Record], name: str) -> Words:
    """Return a type for one or several of the words that an option may be."""
    option = next(one for one in options_of(record) if one.name == name)
    return Words(option.noun or name, option.words)


def choice(*names: str) -> click.Choice[str]:
    """Return a type for one of a few words, in upper or lower case."""
    return click.Choice(names, case_sensitive=False)
