"""Estimate a job's time and the size of its result from a few of its frames, before it begins."""

import json
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError

from vsrcli.engine.engine import Engine
from vsrcli.engine.plan import Plan
from vsrcli.errors import InputError, UsageError, VsrError
from vsrcli.frame import Frame
from vsrcli.media.opening import demux, open_video
from vsrcli.nets.recurrent import RecurrentNet
from vsrcli.pipeline.findings import Findings
from vsrcli.pipeline.folder.job_records import frames_kept
from vsrcli.pipeline.jobs.fingerprint import fingerprint
from vsrcli.pipeline.jobs.job import Job, none_shown
from vsrcli.pipeline.jobs.places import job_folder
from vsrcli.pipeline.running.stages import Pipe, decode_stage
from vsrcli.pipeline.timing import StageClock

SECONDS = 15.0
"""Approximate time of the net for a forecast."""
SIZE_SECONDS = 5.0
"""The same where only the size is measured, since the time is known from a job before."""
PLACES = (Fraction(1, 10), Fraction(1, 2), Fraction(9, 10))
"""Positions in the source: films begin and end dark."""
FEWEST, MOST = 6, 24
"""Frames at each position: with fewer an encoder uses no B-frames; more add no information."""
PROBE_SIDE = 96
"""LR pixels on each side of the crop for a first measurement of the time per pixel."""
KEYFRAME_EVERY = 250
"""Default number of frames between keyframes of x264 and x265, within a segment."""
SOUND_SECONDS = 10.0
BACKWARD_SHARE = 0.4
"""Share of a window's time for reverse branches, which also run through the lookahead."""
SWEEPS = {2: 0.3, 4: 1.5}
"""Extra time of exact propagation relative to a clip, by the number of branches (BasicVSR, BasicVSR++)."""


@dataclass(frozen=True)
class Forecast:
    """`seconds` in all and `bytes` of the result, each None where the length is unknown.

    `seconds_per_frame` and `bytes_per_frame` were measured on `sampled` frames, the time only if `timed`: else it is
    that of a job before. `free` is the free space on the result's disk. `kept` frames are there of a run before, and
    left out of `seconds`.
    """

    seconds: float | None
    bytes: int | None
    seconds_per_frame: float
    bytes_per_frame: float
    sampled: int
    free: int
    timed: bool = True
    kept: int = 0

    @property
    def tight(self) -> bool:
        """Whether the disk is too small for the job's segments and the result, which exist together for some time."""
        return self.bytes is not None and 2 * self.bytes > self.free


def forecast(job: Job, budget: float | None = None, *, alike: Forecast | None = None) -> Forecast:
    """Upscale and encode some frames of a job with its plan, and extrapolate to all frames.

    Nothing is left on the disk. Frames that would take the net longer than `budget` seconds (by default SECONDS) are
    cropped. With the forecast of a job `alike`, only the size is measured. Raises InputError if no frame can be
    decoded, UsageError if none lies between start and end, and OutputError if none can be encoded.
    """
    spans = _spans(job)
    first = _frames(job, spans[len(spans) // 2], FEWEST)
    if not first.frames and (job.options.start, job.options.end) != (None, None):
        raise UsageError(none_shown(job.info))
    if not first.frames:
        raise InputError(f"no frame of {job.info.path} can be decoded where the time was to be measured")
    pixels = job.info.width * job.info.height
    pixel_seconds = _cost_of_pixel(job, first.frames) if alike is None else alike.seconds_per_frame / pixels
    fitting = (budget or SECONDS) / (pixel_seconds * pixels)
    count = max(FEWEST, min(MOST, int(fitting / len(spans))))
    if fitting < FEWEST * len(spans):
        spans = spans[len(spans) // 2 :][:1]
    crop = min(1.0, fitting / (count * len(spans)))
    samples = [_measure(job, _frames(job, span, count), crop) for span in spans]
    made = sum(sample.frames for sample in samples)
    size = sum(sample.bytes for sample in samples) / made
    if alike is not None:
        return replace(_forecast(job, alike.seconds_per_frame, size, made), timed=False)
    upscale, other = (sum(getattr(s, name) for s in samples) / made for name in ("upscaling", "coding"))
    seconds = upscale + other if job.device.type == "cpu" else max(upscale, other)  # on a CPU they share its cores
    return _forecast(job, seconds, size, made)


class Forecaster:
    """Forecasts for the jobs of a batch.

    Of jobs alike in model, size, precision, plan and encoder only the first is timed. The size is measured for each.
    """

    def __init__(self) -> None:
        self._seen: dict[str, Forecast] = {}

    def knows(self, job: Job) -> bool:
        """Return whether a job like this one has been timed."""
        return _kind(job) in self._seen

    def __call__(self, job: Job) -> tuple[Forecast | None, str | None]:
        """Return a job's forecast, or None and the reason why there is none.

        Raises UsageError if the job would find no frame between its start and its end.
        """
        alike = self._seen.get(_kind(job))
        try:
            found = forecast(job, None if alike is None else SIZE_SECONDS, alike=alike)
        except UsageError:
            raise
        except (VsrError, OSError, FFmpegError) as error:
            return None, str(error)
        self._seen.setdefault(_kind(job), found)
        return found, None


def _kind(job: Job) -> str:
    """Return what tells jobs apart whose frames take other times."""
    size = f"{job.info.width}x{job.info.height}"
    return f"{job.model.sha256} {job.dtype} {size} {job.plan} {job.factor} {job.size} {job.sink.settings()}"


def _forecast(job: Job, seconds: float, size: float, sampled: int) -> Forecast:
    """Return the forecast of a whole job from the figures of one frame."""
    frames, rate, kept = job.frames, float(job.info.rate), _kept(job)
    return Forecast(
        seconds=None if frames is None else max(0, frames - kept) * seconds,
        bytes=None if frames is None else round(frames * (size + _bytes_beside(job) / rate)),
        seconds_per_frame=seconds,
        bytes_per_frame=size,
        sampled=sampled,
        free=_free(job.sink.output),
        kept=kept,
    )


def _kept(job: Job) -> int:
    """Return how many frames a run before has made, with which the job goes on."""
    if job.options.restart:
        return 0
    wanted = json.loads(json.dumps({"source": fingerprint(job.info), "settings": job.settings()}))
    return frames_kept(job_folder(job.sink.output, job.options.work_dir), wanted)


@dataclass(frozen=True)
class _Taken:
    frames: list[Frame]
    seconds: float


@dataclass(frozen=True)
class _Sample:
    """Measurements of some frames: seconds of the net, seconds of decoding and encoding, and bytes."""

    frames: int
    upscaling: float
    coding: float
    bytes: float


def _spans(job: Job) -> list[float | None]:
    """Return the positions to measure in seconds; None means the beginning."""
    info, options = job.info, job.options
    length = info.duration
    if length is None or (job.frames is not None and job.frames < 2 * MOST * len(PLACES)):
        return [options.start]
    begin, end = options.start or 0.0, min(length, length if options.end is None else options.end)
    return [begin + float(place) * (end - begin) for place in PLACES]


def _frames(job: Job, start: float | None, count: int) -> _Taken:
    """Decode some frames as the job does. If there are none from `start` on, use the source's beginning."""
    for place in dict.fromkeys((start, job.options.start)):
        stop = threading.Event()
        options = replace(job.options, start=place)
        part, clock = replace(job, options=options, findings=Findings(), warnings=[]), StageClock()
        pipe = Pipe(2, stop, clock=clock, giver="decode", taker="upscale")
        began, frames = time.perf_counter(), list[Frame]()
        decoding = (part, 0, pipe, lambda line: None, clock)
        thread = threading.Thread(target=decode_stage, args=decoding, daemon=True)
        thread.start()
        try:
            for frame in pipe:
                frames.append(frame)
                if len(frames) == 1:
                    began = time.perf_counter()  # the time before is that of seeking
                if len(frames) == count:
                    break
        finally:
            seconds = time.perf_counter() - began
            stop.set()
            thread.join()
        if frames:
            return _Taken(frames, seconds * len(frames) / max(1, len(frames) - 1))
    return _Taken([], 0.0)


def _cost_of_pixel(job: Job, frames: Sequence[Frame]) -> float:
    """Return the net's seconds per LR pixel, measured on a small crop after a warm-up."""
    small = [_cropped(frame, PROBE_SIDE, PROBE_SIDE) for frame in frames[:3]]
    plan = replace(_short(job.plan, len(small)), tile=None)
    _upscaled(job, small, plan)
    _, seconds = _upscaled(job, small, plan)
    return seconds * _overhead(job.model.net, job.plan) / len(small) / (small[0].width * small[0].height)


def _measure(job: Job, taken: _Taken, share: float) -> _Sample:
    """Upscale and encode some frames, or the given `share` of the area of each."""
    side = share**0.5
    width, height = (max(PROBE_SIDE, round(side * length)) for length in (job.info.width, job.info.height))
    frames = [_cropped(frame, width, height) for frame in taken.frames]
    whole = (frames[0].width, frames[0].height) == (taken.frames[0].width, taken.frames[0].height)
    area = taken.frames[0].width * taken.frames[0].height / (frames[0].width * frames[0].height)
    plan = _short(job.plan, len(frames))
    made, seconds = _upscaled(job, frames, plan if whole else replace(plan, tile=None, hold_repeats=False))
    seconds *= area * _overhead(job.model.net, job.plan, tiled=not whole)
    coding, size = _encoded(job, made, area)
    return _Sample(len(made), seconds, taken.seconds * len(made) / len(frames) + coding, size)


def _short(plan: Plan, frames: int) -> Plan:
    """Return a plan that runs through a few frames once, as a clip, in whole frames or the same tiles."""
    return replace(plan, window=None if plan.window != 1 else 1, lookahead=0, exact=False)


def _overhead(net: RecurrentNet, plan: Plan, *, tiled: bool = True) -> float:
    """Return the ratio of a plan's time to that of `_short`, including the halos of its tiles if `tiled`."""
    factor = 1.0
    if net.bidirectional and plan.exact:
        factor += SWEEPS.get(len(net.branches), SWEEPS[4])
    elif net.bidirectional and plan.window is not None:
        factor += BACKWARD_SHARE * plan.reach / plan.window
    if plan.tile is not None and tiled:
        width, height = plan.tile
        factor *= (width + 2 * plan.halo) * (height + 2 * plan.halo) / (width * height)
    return factor


def _upscaled(job: Job, frames: Sequence[Frame], plan: Plan) -> tuple[list[Frame], float]:
    engine = Engine(job.model.net, plan, job.device)
    began, made = time.perf_counter(), list[Frame]()
    for number, frame in enumerate(frames):
        made += engine.push(replace(frame, number=number))
    made += engine.flush()
    return made, time.perf_counter() - began


def _cropped(frame: Frame, width: int, height: int) -> Frame:
    """Return the centre of a frame, with its opacity."""
    left, top = max(0, frame.width - width) // 2, max(0, frame.height - height) // 2
    part = slice(top, top + height), slice(left, left + width)
    alpha = None if frame.alpha is None else np.ascontiguousarray(frame.alpha[part])
    return replace(frame, data=np.ascontiguousarray(frame.data[part]), alpha=alpha)


def _encoded(job: Job, made: Sequence[Frame], area: float) -> tuple[float, float]:
    """Encode frames by the job's encoder; return the seconds, and the bytes of so many frames in a long video."""
    with tempfile.TemporaryDirectory(prefix="vsr-forecast-") as folder:
        path = Path(folder) / "sample"
        began, writer = time.perf_counter(), job.sink.writer(path)
        try:
            for frame in made:
                writer.write(_filled(frame, area))
        finally:
            writer.close()
        seconds = time.perf_counter() - began
        if path.is_dir():
            return seconds, float(sum(image.stat().st_size for image in path.iterdir()))
        return seconds, _long_run(path, len(made), min(job.segment_frames, KEYFRAME_EVERY))


def _filled(frame: Frame, area: float) -> Frame:
    """Return a frame of full size, tiled with a crop of its `area`th part."""
    if area == 1:
        return frame
    times = int(-(-(area**0.5) // 1))
    alpha = None if frame.alpha is None else np.tile(frame.alpha, (times, times))
    return replace(frame, data=np.tile(frame.data, (times, times, 1)), alpha=alpha)


def _long_run(path: Path, frames: int, every: int) -> float:
    """Return the bytes of so many frames if each `every`th is a keyframe, from the packets of a short video."""
    with av.open(str(path)) as container:
        sizes = [(packet.is_keyframe, packet.size) for packet in container.demux(video=0) if packet.size]
    key = [size for is_key, size in sizes if is_key]
    rest = [size for is_key, size in sizes if not is_key]
    if not key or not rest:  # all are keyframes: ProRes, FFV1
        return float(sum(size for _, size in sizes))
    mean = (sum(key) / len(key) + (every - 1) * sum(rest) / len(rest)) / every
    return mean * frames


def _bytes_beside(job: Job) -> float:
    """Return the bytes per second of the streams that are copied, measured on some seconds."""
    info = job.info
    copied = {stream.index for stream in info.streams if stream.kind in ("audio", "subtitle")}
    if info.images or not copied or job.sink.output.suffix.lower() == ".gif":
        return 0.0
    size, last, first = 0, None, None
    with open_video(info.path) as container:
        for packet in _packets(container):
            when = None if packet.dts is None else float(packet.dts * packet.time_base)
            if packet.stream.index in copied:
                size += packet.size
            if when is not None:
                first, last = when if first is None else min(first, when), when if last is None else max(last, when)
                if last - first > SOUND_SECONDS:
                    break
    return size / (last - first) if first is not None and last is not None and last > first else 0.0


def _packets(container: av.container.InputContainer) -> "Iterator[av.Packet[av.stream.Stream]]":
    try:
        yield from demux(container)
    except FFmpegError:
        return


def _free(output: Path) -> int:
    place = output.absolute().parent
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free
