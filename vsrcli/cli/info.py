"""`vsr info`: show the properties of a file, and which weights would be picked."""

import json
import shlex
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vsrcli.cli import echo
from vsrcli.cli.params import models_option, rate_option, record_options
from vsrcli.errors import InputError, SomeFailedError, VsrError, WeightsError
from vsrcli.pipeline.options import Options
from vsrcli.words import counted, labelled, length_text, shape, size_shown

if TYPE_CHECKING:
    from vsrcli.media.info import VideoInfo
    from vsrcli.media.strength.compression import Compression
    from vsrcli.pipeline.ahead.checkpoint import Checkpoint
    from vsrcli.pipeline.ahead.sight import Sight
    from vsrcli.training.data.contents import Contents


LAYOUTS = {"1 channels": "mono", "2 channels": "stereo"}
"""Names of layouts that a file leaves unnamed, as WAV and AVI do."""


@click.command("info", context_settings={"show_default": True})
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="INPUT...")
@models_option("Architecture to pick weights of. Repeatable.")
@record_options(Options, "content")
@rate_option
@click.option("-r", "--recursive", is_flag=True, help="Look into folders with all subfolders.")
@click.option("-v", "--verbose", is_flag=True, help="Show what each architecture would pick, and all clips of a pack.")
@click.option("--json", "as_json", is_flag=True, help="Print results as JSON on stdout.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def command(
    inputs: tuple[Path, ...],
    models: tuple[str, ...],
    content: str,
    rate: Fraction | None,
    recursive: bool,
    verbose: bool,
    as_json: bool,
    debug: bool,
) -> None:
    """Show the properties of videos, photographs or image sequences, and which weights vsr would pick.

    Of a checkpoint (.pth, .pt, .ckpt, .safetensors) it shows the net, and of a pack of training clips what it holds.

    \b
    vsr info in.mp4
    vsr info best.safetensors clips.safetensors
    vsr info tapes/ --recursive              all that vsr upscale would take there
    vsr info in.mp4 -m iconvsr --json

    --json gives an object, or a list for several files or a folder: input, container, images, codec, width, height,
    pix_fmt, bit_depth, rate, frames, frames_estimated, duration, start_time, interlaced, fields, sample_aspect_ratio,
    rotation, colour, hdr, compression, streams, chapters, title, date, made, not_kept, picks (each with asked, model,
    reason, here). A checkpoint has kind (checkpoint), model, architecture, scale, parameters,
    gflop_per_320x180_frame, degradation, licence, sha256, int8_ranges, declared; a pack has kind (pack),
    train_clips, validation_clips, frames, compressed_clips, clips_with_lr_frames, clips_with_answers, sources,
    held_out, teachers, clips.
    """
    from vsrcli.cli.tensors import holds_tensors, look_into
    from vsrcli.cli.unused import typed_of
    from vsrcli.media.read.probe import probe
    from vsrcli.pipeline.ahead.sight import Sight, see

    paths, single = _paths(inputs, recursive=recursive)
    found: list[Sight | Checkpoint | Contents] = []
    failed = 0
    for path in paths:
        try:
            if holds_tensors(path):
                tensors, shown = look_into(path, verbose=verbose)
                found.append(tensors)
            else:
                sight = see(probe(path, rate=rate), models, drawn=content == "anime", every=verbose or as_json)
                found.append(sight)
                shown = lines(sight)
        except (InputError, WeightsError) as error:
            if single:
                raise
            failed += 1
            echo(f"vsr: {error}")
            continue
        if not as_json:
            echo("\n".join([""] * (len(found) > 1) + shown), err=False)
    videos = [one for one in found if isinstance(one, Sight)]
    if found and not videos and (idle := typed_of(("models", "content"))):
        echo(f"{', '.join(idle)} not used: nothing is picked for these files")
    if found and typed_of(("rate",)) and not any(one.info.images for one in videos):
        echo("--rate not used: it is for image sequences")
    if as_json:
        plain = [one.plain() for one in found]
        click.echo(json.dumps(plain[0] if single else plain, indent=1))
    if failed:
        message = f"{failed} of {counted(len(paths), 'file')} cannot be read"
        raise SomeFailedError(message) if failed < len(paths) else VsrError(message)


def _paths(inputs: tuple[Path, ...], *, recursive: bool) -> tuple[list[Path], bool]:
    """Return the files that `vsr upscale` would take of these inputs, and whether the call names one alone."""
    from vsrcli.cli.upscale import say_left_out, say_results
    from vsrcli.pipeline.running import batch

    if not batch.is_batch(inputs, recursive=recursive):
        batch.refuse_nested(inputs[0])
        return [inputs[0]], True
    say_left_out(inputs, echo, recursive=recursive)
    items, made = batch.apart_from_results(batch.items(inputs, None, recursive=recursive))
    say_results(made, echo, "see it")
    if not items:
        echo(f"nothing else is there: name one of them, as vsr info {shlex.quote(str(made[0].source))}")
    return [item.source for item in items], False


def lines(sight: "Sight") -> list[str]:
    """Return the properties as lines of text."""
    info = sight.info
    length = counted(info.frames, "frame") if info.frames else "of unknown length"
    length = f"about {length}" if info.frames and info.estimated else length
    rate = f"{float(info.rate):.3f}".rstrip("0").rstrip(".")
    time = f", {length_text(info.duration)}" if info.duration and len(info.images) != 1 else ""
    what = "photograph" if len(info.images) == 1 else "images" if info.images else info.container.split(",")[0]
    data = sight.plain()
    size = size_shown((info.width, info.height), info.shown)
    picture = [size if info.shown == (info.width, info.height) else f"{size} ({shape(*info.shown)})"]
    picture += [f"turned by {data['rotation']} degrees"] if data["rotation"] else []
    picture += [f"{info.codec} {info.pix_fmt}", f"{info.bit_depth} bits"]
    picture += [] if info.images else [_fields(sight)]
    colours = [f"{name} {value}" for name, value in data["colour"].items() if value is not None]
    colours += ["HDR metadata"] if data["hdr"] else []
    others = [s for s in info.streams if not s.empty and not (s.codec == "tmcd" and info.timecode)]
    kinds = Counter("cover" if s.attached_picture else s.kind for s in others)
    beside = [counted(number, kind) for kind, number in kinds.items() if kind != "audio"]
    beside += [counted(info.chapters, "chapter")] if info.chapters else []
    beside += ["closed captions"] if data["captions"] else []
    reel = f" of reel {info.reel}" if info.reel else ""
    rows = [
        ("file", f"{info.path}: {what}" + ("" if len(info.images) == 1 else f", {length}{time}, {rate} fps")),
        *([("title", sight.title)] if sight.title else []),
        *([("date", sight.date)] if sight.date else []),
        *([("made", sight.made)] if sight.made else []),
        *([("timecode", f"{info.timecode}{reel}")] if info.timecode else []),
        ("picture", ", ".join(picture)),
        ("colours", ", ".join(colours) or "undeclared"),
        ("compressed", _strength(sight.compression)),
        *([] if info.images else [("sound", _sound(info))]),
        *([("beside", ", ".join(beside))] if beside else []),
        *([("not kept", ", ".join(sight.lost))] if sight.lost else []),
        *(("note", note) for note in info.notes),
    ]
    for choice in sight.choices:
        asked = f"-m {choice.asked}: " if choice.asked else "without -m: " if len(sight.choices) > 1 else ""
        place = "" if choice.here else " (to download)"
        rows.append(("weights", f"{asked}{choice.model}{place}: {choice.reason}"))
    return labelled(rows)


def _fields(sight: "Sight") -> str:
    """Return whether the frames of a video are woven of fields, and which field comes first."""
    flagged, order = sight.info.interlaced, sight.fields
    if order in (None, "none"):
        whole = "flagged as interlaced, but its frames are whole" if order else "interlaced"
        return whole if flagged else "progressive"
    return f"interlaced, {order.replace(' ', ' field ')}" + ("" if flagged else ", though not flagged so")


def _sound(info: "VideoInfo") -> str:
    """Return the codec, the channels and the language of each sound track, or "none"."""
    tracks = []
    for stream in info.streams:
        if stream.kind == "audio" and not stream.empty:
            name = "PCM" if stream.codec.startswith("pcm_") else stream.codec.upper()
            spoken = stream.language not in (None, "und")
            parts = [name, LAYOUTS.get(stream.layout, stream.layout.split("(")[0])]
            tracks.append(", ".join(filter(None, parts)) + (f" ({stream.language})" if spoken else ""))
    return "; ".join(tracks) or "none"


def _strength(compression: "Compression") -> str:
    """Return how strongly a source is compressed, by the scale of the most common encoder."""
    noise = f", with noise of about {compression.noise:.0f} levels" if compression.noise >= 1 else ""
    if compression.lossless:
        return f"without loss{noise}"
    if compression.crf is None:
        return "unknown"
    roughly = "roughly " if compression.found == "bit rate" else ""
    return f"{roughly}like H.264 at CRF {compression.crf:.0f} (0: none, 51: strongest){noise}"
