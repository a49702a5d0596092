"""Make click's options from the records of options."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args, get_origin

import click

from vsrcli.cli.param_types import Amount, Factor, FrameRate, HorizonFrames, Memory, Rate, Size, Tile, Time, Words
from vsrcli.nets.horizon import Horizon
from vsrcli.records import Option, Record, options_of

R = TypeVar("R", bound=Record)
Command = TypeVar("Command", bound=Callable[..., Any])

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


@dataclass(frozen=True)
class Shown:
    """An option's appearance on the command line: its help, a short flag, and the placeholder for its value."""

    help: str
    letter: str | None = None
    metavar: str | None = None


TIME_FORM = "seconds (0.3) or [H:]MM:SS (1:00, 1:02:03.5)"
"""How times are written, for the help of each option that takes one."""

SHOWN = {
    "model": Shown(
        "Model of `vsr models`, or path of a checkpoint. For an architecture alone, the source decides on the weights: "
        "those for clean or for compressed video.  [default: the architecture marked * there]",
        "-m",
    ),
    "content": Shown("Content of the source, if --model leaves the weights open. auto means film."),
    "scale": Shown("Upscaling factor. Others than the model's are resized by Lanczos.  [default: the model's]", "-s"),
    "height": Shown("Set the height of the output, in lines as it is shown. The width follows."),
    "size": Shown("Set the size of the output. What is shown keeps its shape: pixels become non-square if they must."),
    "fit": Shown("Fit the output into this box, with its own shape and square pixels."),
    "pad": Shown("Fill the rest of the box of --fit with black."),
    "max_height": Shown("Limit the height of the output, in lines as it is shown. The width follows."),
    "square_pixels": Shown("Make pixels square, for tapes and DVDs: 4:3 at 1080 lines becomes 1440x1080."),
    "crop": Shown(
        "Read a part of the picture, in its stored pixels (before a film is turned): W:H:X:Y, or auto to remove black "
        "borders.",
        metavar="W:H:X:Y",
    ),
    "skip_above": Shown("Skip sources that are shown with more lines than this.", metavar="LINES"),
    "device": Shown("Device: auto, cpu, cuda, cuda:1, mps."),
    "precision": Shown(
        "Data type of the convolutions. int8: BasicVSR, IconVSR, BasicVSR++, AnimeSR and REPVSR on CPUs with VNNI; "
        "weights of your own need `vsr weights calibrate` once."
    ),
    "propagation": Shown(
        "Propagation over time. exact: equal to whole scenes, in the memory of a window; it needs disk space and 1.3 "
        "times as long as clip (BasicVSR++: 2.5). auto: window, or stream for nets that only run forward."
    ),
    "window": Shown("Frames per window.  [default: 30]"),
    "lookahead": Shown("Frames after a window that its backward pass sees.  [default: 10]"),
    "horizon": Shown(
        "Frames that a bidirectional net remembers in each direction. none: no limit, as in the papers, which destroys "
        "long still scenes. auto: 60. What stands still is damped too, so that short clips change a little as well "
        "(28.347 dB against 28.387 on two frames)."
    ),
    "keyframe_interval": Shown("IconVSR: frames between refills, 0 for none.  [default: 5]"),
    "tile": Shown("Tile size in source pixels: auto, none, or WxH.", metavar="TEXT"),
    "repeats": Shown(
        "Frames that repeat the one before are shown again, not run. exact: those that equal it bit for bit. near: "
        "also those that differ by 4 of 255 levels at most, as slides and recorded screens do after lossy coding."
    ),
    "memory": Shown(
        "Memory budget in bytes, in powers of 1024: 6GiB, 512M.  [default: 60 % of free RAM, 85 % of a GPU's]"
    ),
    "threads": Shown("CPU threads of the net.  [default: one per core]"),
    "compile": Shown(
        "Compile the net by torch.compile, once for each size of frame or tile. On a CPU it takes minutes and hardly "
        "pays. int8 stays as it is. Without a compiler (C++; on a GPU Triton) the net runs uncompiled."
    ),
    "hwaccel": Shown(
        "Decode on a device, by ffmpeg's name: cuda, vaapi, qsv, videotoolbox, d3d11va, ...; cuda:1 is the second.",
        metavar="NAME",
    ),
    "deinterlace": Shown(
        "Deinterlace by ffmpeg's bwdif. auto: only sources and frames that are interlaced, by their flags or, at 25 "
        "and 29.97 frames per second, by their pictures. woven: every frame that is woven of two fields. double: one "
        "frame per field, so that motion stays as smooth as on tape (50 or 59.94 frames per second); progressive "
        "sources keep their rate."
    ),
    "detelecine": Shown(
        "Undo 3:2 pulldown: 29.97 frames per second become the 23.976 of the film, evenly spaced. A film on tape that "
        "needs it shows, frame by frame, three clean pictures and then two combed ones. Parts that are no film keep "
        "their frames and times."
    ),
    "codec": Shown(
        "Codec: h264 (x264, avc), hevc (h265, x265), av1, vp9, prores, dnxhr, ffv1, or any video encoder of FFmpeg "
        "(h264_nvenc, hevc_videotoolbox, av1_qsv, mpeg4, ...). Where one for hardware is not to be had, vsr's own for "
        "its codec takes its place, unless it was given a quality, preset, tune, pixel format or option. Transparent "
        "films become ProRes 4444 in .mov, FFV1 in .mkv; an alpha that is opaque throughout is left out.  [default: "
        "ProRes, DNxHR and FFV1 stay, else by container and depth]",
        metavar="NAME",
    ),
    "crf": Shown(
        "Quality in the encoder's own scale; lower is better.  [default: h264 16, hevc 18, vp9 20, av1 24]",
    ),
    "bitrate": Shown(
        "Mean bit rate of the picture, instead of a quality: 5M, 800k (bits a second, in powers of 1000). Short clips "
        "can miss it by a third. A miss is told as that of --target-size.",
        metavar="RATE",
    ),
    "target_size": Shown(
        "Size of each result with its sound, in one pass: 700M, 200k, 1.5G (bytes, in powers of 1000; 700MiB: of "
        "1024). h264 and hevc keep to 10 % (20 % below ten seconds), others to a third; parts of a second or two can "
        "miss it by more. A result that misses it is told.",
        metavar="SIZE",
    ),
    "preset": Shown(
        "Speed preset of the encoder: of h264 and hevc ultrafast to placebo, of av1 0 (slow) to 13, of vp9 0 to 8; of "
        "ProRes proxy, lt, standard, hq, 4444 or 4444xq; of DNxHR lb, sq, hq (8 bits), hqx (10 bits) or 444.  "
        "[default: h264, hevc medium, av1 6, vp9 3, prores hq, or 4444 for 4:4:4 and alpha, dnxhr hq, hqx or 444 by "
        "the source]"
    ),
    "tune": Shown("Tuning of the encoder: film, animation, grain, ..."),
    "encoder_opt": Shown(
        "Option of the encoder, as ffmpeg names it: g=48. Parameters of x264, x265 and SVT-AV1 themselves go together "
        "into x264-params=..., x265-params=... or svtav1-params=.... Repeatable.",
        metavar="KEY=VALUE",
    ),
    "audio": Shown(
        "Convert all sound tracks that have another codec to this one, at ffmpeg's bit rate for it (stereo: aac 128k, "
        "opus 96k); pcm: uncompressed, of 24 bits, for editing; copy keeps all, none leaves all out. For one track "
        "alone, let ffmpeg convert it in the result."
    ),
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
    "start": Shown(f"Begin at this time of the source: {TIME_FORM}. A part has no chapters."),
    "end": Shown("Stop at this time of the source, which is no length: 1:05 after --start 1:00 gives five seconds."),
    "new_date": Shown("Date the result now, not like its source."),
    "work_dir": Shown(
        "Keep unfinished work in this folder, for a small or read-only disk.  [default: beside the output]",
        metavar="FOLDER",
    ),
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
    if option.unit == "rate":
        return FrameRate() if str in kinds else Rate()
    if option.unit is not None:
        return {"bytes": Memory(), "amount": Amount(), "seconds": Time(), "times": Factor()}[option.unit]
    if int in kinds:
        return click.IntRange(None if option.least is None else int(option.least))
    types = {Horizon: HorizonFrames(), float: click.FLOAT, str: click.STRING}
    return next(types[kind] for kind in kinds if kind in types)


def default_text(option: Option) -> str | None:
    """Return the text that sets an option to its default; None if it is not shown."""
    chosen = click_type(option)
    if isinstance(chosen, HorizonFrames | Tile):  # for these None is a choice
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
