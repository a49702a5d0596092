"""One job: source, model, plan and output, resolved and checked before work begins."""

import contextlib
import math
import os
import tempfile
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch

from vsrcli import __version__
from vsrcli.engine.compiled import compile_steps
from vsrcli.engine.device import pick_device, pick_precision, place, use_threads
from vsrcli.engine.plan import PROCESS_BYTES, Plan, estimate, estimate_disk
from vsrcli.engine.planning import make_plan
from vsrcli.errors import LargeAlreadyError, OutputError, OutputExistsError, Reason, Remark, UsageError
from vsrcli.media.info import DOUBLE, FILM, VideoInfo
from vsrcli.media.options import Audio
from vsrcli.media.photo.images import expand_images, png_size
from vsrcli.media.read.crop import cropped
from vsrcli.media.read.decode import paced
from vsrcli.media.read.fields import deinterlacing
from vsrcli.media.read.hardware import check_device
from vsrcli.media.read.probe import probe
from vsrcli.names import is_address
from vsrcli.pipeline.events import Event, OnEvent
from vsrcli.pipeline.findings import Findings
from vsrcli.pipeline.folder.work_files import JOB_NAME, read_mark
from vsrcli.pipeline.jobs.ignored import ignored
from vsrcli.pipeline.jobs.motion import frames_for_each, image_rate, load_flow
from vsrcli.pipeline.jobs.picking import pick_model
from vsrcli.pipeline.jobs.places import choose_output, job_folder
from vsrcli.pipeline.jobs.segments import seconds_a_frame, segment_frames
from vsrcli.pipeline.jobs.shortage import shortages
from vsrcli.pipeline.jobs.templates import filled
from vsrcli.pipeline.options import LARGEST_SIDE, Options, output_size, padded_size
from vsrcli.pipeline.sinks.image_sink import is_image_output, is_pattern
from vsrcli.pipeline.sinks.rate import with_bitrate
from vsrcli.pipeline.sinks.sink import Sink
from vsrcli.pipeline.sinks.video_sink import make_sink
from vsrcli.words import clock
from vsrcli.zoo import LoadedModel
from vsrcli.zoo.catalogue import catalogue, is_path
from vsrcli.zoo.loading import Loader
from vsrcli.zoo.options import set_option


@dataclass
class Job:
    """A job that is resolved and checked, but not begun."""

    info: VideoInfo
    options: Options
    model: LoadedModel
    device: torch.device
    dtype: torch.dtype
    plan: Plan
    sink: Sink
    warnings: list[str] = field(default_factory=list)
    picked: str | None = None
    """The reason for this model; None if the caller named it."""
    findings: Findings = field(default_factory=Findings)
    """Properties of the source that are found while it is decoded."""
    factor: int = 1
    """Frames of the result for each of the source's."""
    flow: LoadedModel | None = None
    """The model whose SPyNet estimates the motion for new frames; None if none are made."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the output as coded; some pixel formats need even ones."""
        return self.sink.size

    @property
    def memory(self) -> int:
        """The estimated peak of memory in bytes: on a CPU that of the whole process."""
        info, net = self.info, self.model.net
        process = PROCESS_BYTES if self.device.type == "cpu" else 0
        return process + estimate(
            net,
            info.height,
            info.width,
            self.plan,
            self.dtype,
            self.device,
            frames=self.frames,
            bit_depth=info.bit_depth,
            encoder=self.sink.held(self.frames),
        )

    def shortages(self, plan: Plan | None = None) -> list[str]:
        """Return a line for each kind of memory that is too small for a plan, by default the job's."""
        plan = plan or self.plan
        held = self.sink.held(self.frames)
        return shortages(self.model.net, self.info, plan, self.dtype, self.device, frames=self.frames, encoder=held)

    @property
    def disk(self) -> int:
        """Bytes on disk, besides the output, for each frame of a scene until it is upscaled."""
        info = self.info
        return estimate_disk(self.model.net, info.height, info.width, self.plan, bit_depth=info.bit_depth)

    @property
    def segment_frames(self) -> int:
        """Number of frames of a segment: a multiple of the window, so that segments end where windows do."""
        entry = catalogue().models.get(self.model.name)
        seconds = None
        if entry is not None:
            info = self.info
            seconds = seconds_a_frame(entry.gflop, info.width, info.height, self.device, torch.get_num_threads())
        return segment_frames(self.plan.window, seconds)

    @property
    def frames(self) -> int | None:
        """Number of frames that will be made, if it is known beforehand."""
        return frames_wanted(self.info, self.options, self.factor)

    def settings(self) -> dict[str, Any]:
        """Return all settings that affect the frames: a job continues only with the same ones."""
        resolved = {
            "model": self.model.name,
            "precision": str(self.dtype).removeprefix("torch."),
            "device": self.device.type,
            "rate": str(self.info.rate),
            "fps": f"{self.factor}x" + (f" by {self.flow.sha256[:16]}" if self.flow else ""),
        }
        asked = self.options.plain(keep=lambda option: option.kept == "asked")
        return {"version": __version__, **resolved, "weights": self.model.sha256, **asked, **self.sink.settings()}


def prepare(
    source: Path,
    output: Path | None,
    options: Options,
    on_event: OnEvent,
    *,
    named: bool = True,
    load: Loader | None = None,
    probed: VideoInfo | None = None,
) -> Job:
    """Probe, load the model, choose the plan, and check all that can be checked before work begins.

    Raises a VsrError with one line of advice.

    Args:
        source: a video, an image, a folder or pattern of images.
        output: the result, maybe with fields (templates.py), or None for the default name.
        options: the options.
        on_event: called with notes and the progress of downloads.
        named: whether the caller gave the output's name; else its suffix follows from the source's and may change.
        load: loader with the models of earlier jobs that have the same engine options.
        probed: the source's properties, where they are known already.
    """
    options.check()
    refuse_addresses(source, output)
    refuse_huge(source, options)
    info = with_sound(probed or probe(source, rate=image_rate(options)), options.audio)
    refuse_large(info, options)
    check_device(info, options.hwaccel)
    asked, options = options, replace(options, deinterlace=deinterlacing(info, options.deinterlace))
    factor = frames_for_each(options, as_decoded(info, options))
    device = pick_device(options.device)
    use_threads(options.threads)
    picked = pick_model(info, output, options, named=named)
    model = (load or Loader())(
        picked.name,
        say=lambda line: on_event(Event("note", line)),
        progress=lambda done, total: on_event(Event("download", done=done, total=total)),
    )
    if options.keyframe_interval is not None:
        set_option([model], "keyframe_interval", options.keyframe_interval)
    notes: list[str] = []
    if options.crop is not None:
        before, info = info, cropped(info, options.crop)
        if options.crop.lower() == "auto":
            found = "none"
            if info is not before and info.crop is not None:
                found = f"cropped to {info.width}x{info.height} at {info.crop.x}, {info.crop.y}"
            notes.append(f"black borders: {found}")
    info = as_decoded(info, options)
    size = output_size(options, info, model.scale)
    shown = info.finer(factor).slower(options.slow or Fraction(1))
    output = None if output is None else filled(output, info, options, model.name, model.scale)
    output, renamed = choose_output(output, shown, options, model.scale, named=named)
    notes += [] if renamed is None else [Remark(renamed)]
    check_output(output, info, options)
    notes += [] if picked.reason is None else [f"using {picked.name}: {picked.reason}"]
    for note in notes:  # not where the result is there already
        on_event(Event("note", note))
    rated = options
    if not is_image_output(output, shown):
        rated = with_bitrate(options, shown, output, frames_wanted(info, options, factor))
    sink = make_sink(
        output, shown, size, asked=rated, span=(options.start, options.end), box=padded_size(options, info)
    )
    info = replace(info, kept=sink.kept, keeps_alpha=sink.keeps_alpha)
    dtype = pick_precision(options.precision, device, model.net, exact=options.propagation == "exact")
    place(model.net, device, dtype)
    if options.compile:
        compile_steps(model.net, device, lambda line: on_event(Event("warning", line)))
    flow = None
    zooming = model.net.interpolates and factor == 2
    model.net.between = zooming
    if factor > 1:
        flow = load_flow()
        made = f"making {factor} frames of each, {float(shown.rate):g} a second"
        on_event(Event("note", f"{made}, by the motion that {flow.name}'s SPyNet finds"))
    frames = frames_wanted(info, options, factor)
    plan = make_plan(
        # the net recognises new frames by their numbers, which repeats would shift
        replace(options, repeats="off") if zooming else options,
        model.net,
        info.height,
        info.width,
        device,
        dtype,
        frames=frames,
        bit_depth=info.bit_depth,
        encoder=sink.held(frames),
        alpha=sink.keeps_alpha,
    )
    warnings = [*([picked.warning] if picked.warning else []), *sink.warnings]
    warnings += map(Remark, info.notes)
    warnings += ignored(options, info, model.net, model.name, images=is_image_output(output, info))
    if asked.deinterlace == "double" != options.deinterlace:
        warnings.append(Remark("the source is progressive: no field becomes a frame"))
    warnings += about_fields(info, options)
    job = Job(info, options, model, device, dtype, plan, sink, warnings, picked.reason, factor=factor, flow=flow)
    warnings += job.shortages()
    if options.memory is not None and job.memory > options.memory:
        budget, needed = binary_size(options.memory), binary_size(job.memory)
        warnings.append(f"a memory of {budget} is too small; going on with about {needed}")
    return job


def as_decoded(info: VideoInfo, options: Options) -> VideoInfo:
    """Return what describes the frames that are decoded of a source as the options say."""
    return paced(info, options.deinterlace, detelecine=options.detelecine)


def about_fields(info: VideoInfo, options: Options) -> list[str]:
    """Return a line on what becomes of a source's fields, if it has any. `info` is as it is decoded."""
    rate, own = (f"{round(float(one.rate), 3):g}" for one in (info, info.own))
    if info.cadence == FILM:
        return [Remark(f"inverse telecine: {own} to {rate} fps, four frames of each five, evenly spaced")]
    if info.cadence == DOUBLE:
        return [Remark(f"each field becomes a frame: {own} to {rate} fps")]
    if options.deinterlace == "woven":
        return [Remark(f"interlaced, though the source is not flagged so: deinterlaced to {rate} fps")]
    if info.interlaced and options.deinterlace == "auto":
        return [Remark(f"interlaced source: deinterlaced to {rate} fps")]
    if info.interlaced and options.deinterlace == "off":
        return ["the source is flagged as interlaced: where its frames are woven of fields, combing stays"]
    return []


def none_shown(info: VideoInfo) -> str:
    """Return a line on a span of a source without frames, with the source's end if that is known."""
    line = f"no frame of {info.path} is shown between the start and the end"
    if info.duration:
        line += f": the film ends at {f'{info.duration:.2f} s' if info.duration < 60 else clock(info.duration)}"
    return line if info.timecode is None else f"{line} (times begin at 0, not at its timecode {info.timecode})"


def with_sound(info: VideoInfo, audio: Audio) -> VideoInfo:
    """Return a source whose sound is to become what is asked for."""
    if audio == "copy":
        return info
    streams = (replace(one, wanted=audio) if one.kind == "audio" else one for one in info.streams)
    return replace(info, streams=tuple(streams))


def refuse_large(info: VideoInfo, options: Options) -> None:
    """Raise LargeAlreadyError if the source has, as it is shown, more lines than the caller wants upscaled."""
    lines = info.shown[1]
    if options.skip_above is not None and lines > options.skip_above:
        raise LargeAlreadyError(f"{info.path} has {lines} lines, more than {options.skip_above}: left as it is")


def refuse_addresses(source: Path, output: Path | None) -> None:
    """Raise UsageError for a web address, which ffmpeg might follow and no file has as its name."""
    if is_address(source):
        raise UsageError("vsr reads files, not web addresses: download it first, and give the file's name")
    if output is not None and is_address(output):
        raise UsageError("vsr writes files, not to web addresses: give a file's name")


def refuse_huge(source: Path, options: Options) -> None:
    """Raise UsageError for a PNG with too large a result, before it is decoded, which can take minutes."""
    images = expand_images(source)
    size = png_size(images[0]) if images else None
    if size is None or (options.height, options.size, options.fit, options.max_height) != (None,) * 4:
        return
    by_path = options.model is not None and is_path(options.model)
    factor = options.scale or (1 if by_path else catalogue().resolve(options.model).scale)
    if max(size) * factor > LARGEST_SIDE:
        width, height = (round(side * factor) for side in size)
        raise UsageError(f"an output of {width}x{height} is out of range (16 to {LARGEST_SIDE} pixels a side)")


def binary_size(size: int) -> str:
    """Return a number of bytes as readable text, e.g. "1.50 GiB"."""
    return f"{size / 2**30:.2f} GiB" if size >= 1 << 30 else f"{size / 2**20:.0f} MiB"


def frames_wanted(info: VideoInfo, options: Options, factor: int = 1) -> int | None:
    """Return how many frames are made of the requested span, `factor` for each; None if it is not known.

    It is exact for a constant rate and a container that counts its frames.
    """
    if info.frames is None:
        return None
    count = info.frames

    def before(seconds: float) -> int:
        shown = info.at(seconds) * info.time_base - Fraction(info.start_time + info.late)
        return min(max(0, math.ceil(shown * info.rate)), count)

    first = 0 if options.start is None else before(options.start)
    last = count if options.end is None else before(options.end)
    return max(0, last - first) * factor


def check_output(output: Path, info: VideoInfo, options: Options) -> None:
    """Raise before any work if the output exists, is the input, or cannot be written."""
    images = is_image_output(output, info)
    place = output.parent if images and is_pattern(output) else output
    real = os.path.realpath(place)  # unlike Path.resolve, it takes links that go in circles
    if real == os.path.realpath(info.path) or (
        images and info.images and real == os.path.realpath(info.images[0].parent)
    ):
        raise UsageError(f"{output} is the input itself", Reason.OUTPUT_IS_INPUT)
    occupied = any(place.iterdir()) if images and place.is_dir() else place.exists()
    work = job_folder(output, options.work_dir)
    begun = images and (work / JOB_NAME).exists()  # stopped, maybe while it put images there
    mark = read_mark(work)
    begun = begun or (
        mark is not None and mark.placed(job_folder(output).parent) is not None
    )  # stopped while it cleaned up
    if occupied and not begun:
        with contextlib.suppress(OSError):
            work.rmdir()  # stopped when it had only this left to remove
    if occupied and not options.overwrite and not begun:
        raise OutputExistsError(place)
    folder = place
    while not folder.is_dir():
        if folder.exists() and folder != output:
            raise OutputError(f"cannot write {output}: {folder} is not a folder")
        folder = folder.parent
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(f"cannot write {output}: {error.strerror}", Reason.NOT_WRITABLE) from None
