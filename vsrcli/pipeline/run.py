"""Runs one job: decoding, upscaling and encoding overlap, in three threads with short queues between them."""

import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vsrcli import __version__, zoo
from vsrcli.engine.device import pick_device, pick_precision, place
from vsrcli.engine.engine import Engine
from vsrcli.engine.plan import QUEUED_FRAMES, WINDOW, Plan, estimate
from vsrcli.errors import InterruptedJobError, OutputError, UsageError
from vsrcli.media.containers import CONTAINERS
from vsrcli.media.decode import decode
from vsrcli.media.info import VideoInfo
from vsrcli.media.probe import probe
from vsrcli.nets.iconvsr import IconVSR
from vsrcli.pipeline.events import Event, OnEvent
from vsrcli.pipeline.job import Job, fingerprint
from vsrcli.pipeline.options import Options, make_plan, output_size
from vsrcli.pipeline.sinks import Sink, Writer, is_image_output, make_sink
from vsrcli.zoo import LoadedModel

SEGMENT_FRAMES = 60
"""Least frames in a segment: work that a crash may cost, against a keyframe more for each border."""


@dataclass
class Task:
    """A job that is understood and checked, but not begun."""

    info: VideoInfo
    options: Options
    model: LoadedModel
    device: torch.device
    dtype: torch.dtype
    plan: Plan
    sink: Sink
    size: tuple[int, int]
    warnings: list[str] = field(default_factory=list)

    @property
    def memory(self) -> int:
        """The estimated peak of memory, in bytes."""
        return estimate(self.model.net, self.info.height, self.info.width, self.plan, self.dtype)

    @property
    def segment_frames(self) -> int:
        """Frames in a segment: a multiple of the window, so that segments end where windows do."""
        window = self.plan.window or WINDOW
        return window * -(-SEGMENT_FRAMES // window)

    @property
    def frames(self) -> int | None:
        """Frames that will be made, as far as is known beforehand."""
        info, options = self.info, self.options
        if info.frames is None or (options.start is None and options.end is None):
            return info.frames
        duration = info.duration if info.duration is not None else info.frames / info.rate
        end = min(float(duration), float(duration) if options.end is None else options.end)
        return max(0, round((end - (options.start or 0.0)) * float(info.rate)))

    def settings(self) -> dict[str, Any]:
        """All that shapes the frames: a job goes on only with the same."""
        o = self.options
        asked = {name: getattr(o, name) for name in ("propagation", "window", "lookahead", "tile", "deinterlace")}
        return {
            "version": __version__,
            "model": self.model.name,
            "weights": self.model.sha256,
            "keyframe interval": o.keyframe_interval,
            "precision": str(self.dtype).removeprefix("torch."),
            "device": self.device.type,
            "start": o.start,
            "end": o.end,
            "rate": str(self.info.rate),
            **asked,
            **self.sink.settings(),
        }


@dataclass(frozen=True)
class Result:
    """A finished job. `made` frames were made by this run (the others by runs before it) in `seconds`."""

    input: Path
    output: Path
    frames: int
    made: int
    seconds: float
    model: str
    weights: str
    size: tuple[int, int]
    warnings: tuple[str, ...]


def prepare(source: Path, output: Path | None, options: Options, on_event: OnEvent) -> Task:
    """Probe, load the model, choose the plan, and check all that can be checked before work begins.

    Raises a VsrError with one line that says what to do.
    """
    options.check()
    info = probe(source, rate=options.rate)
    device = pick_device(options.device)
    dtype = pick_precision(options.precision, device)
    model = zoo.load(
        options.model,
        say=lambda line: on_event(Event("note", line)),
        progress=lambda done, total: on_event(Event("download", done=done, total=total)),
    )
    if options.keyframe_interval is not None:
        if not isinstance(model.net, IconVSR):
            raise UsageError(f"--keyframe-interval is for IconVSR; {model.name} has no keyframes")
        model.net.keyframe_interval = options.keyframe_interval
    size = output_size(options, info, model.scale)
    output = output or default_output(info, options, model.scale)
    check_output(output, info, options)
    o = options
    sink = make_sink(
        output, info, size, codec=o.codec, crf=o.crf, preset=o.preset, pix_fmt=o.pix_fmt, span=(o.start, o.end)
    )
    place(model.net, device, dtype)
    plan = make_plan(options, model.net, info.height, info.width, device, dtype)
    return Task(info, options, model, device, dtype, plan, sink, size, list(sink.warnings))


def default_output(info: VideoInfo, options: Options, scale: int) -> Path:
    """`<name>_x4.<ext>` beside the input; for images a folder `<name>_x4`."""
    name = f"_x{options.scale or scale:g}"
    if options.height is not None or options.size is not None:
        name = f"_{options.height}p" if options.size is None else "_{}x{}".format(*options.size)
    path = info.path
    if info.images:
        folder = path if path.is_dir() else path.parent
        return folder.with_name(folder.name + name)
    suffix = path.suffix if path.suffix.lower() in CONTAINERS else ".mkv"
    return path.with_name(path.stem + name + suffix)


def check_output(output: Path, info: VideoInfo, options: Options) -> None:
    """Raise before any work if the output exists, is the input, or cannot be written."""
    images = is_image_output(output, info)
    place = output.parent if images and "%" in output.name else output
    if place.resolve() == info.path.resolve() or (
        images and info.images and place.resolve() == info.images[0].parent.resolve()
    ):
        raise UsageError(f"{output} is the input itself: give another -o")
    occupied = any(place.iterdir()) if images and place.is_dir() else place.exists() and not images
    if occupied and not options.overwrite:
        raise UsageError(f"{place} exists: add -y to overwrite it, or give another -o")
    folder = place
    while not folder.is_dir():
        if folder.exists() and folder != output:
            raise OutputError(f"cannot write {output}: {folder} is not a folder")
        folder = folder.parent
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        probe_file = output.parent / f".{output.name.replace('%', '')}.vsr-check"
        probe_file.touch()
        probe_file.unlink()
    except OSError as error:
        raise OutputError(f"cannot write {output}: {error.strerror}") from None


def job_folder(output: Path) -> Path:
    """Where the job's work lies until it is done."""
    place = output.parent if "%" in output.name else output
    return place.with_name(place.name + ".vsr")


def run(task: Task, on_event: OnEvent = lambda event: None) -> Result:
    """Do the job, or the rest of it. Raises InterruptedJobError on KeyboardInterrupt, other VsrErrors on failure."""
    started = time.monotonic()

    def warn(line: str) -> None:
        task.warnings.append(line)
        on_event(Event("warning", line))

    for line in list(task.warnings):
        on_event(Event("warning", line))
    job = Job.open(
        job_folder(task.sink.output),
        source=fingerprint(task.info),
        settings=task.settings(),
        plan=task.plan,
        segment_frames=task.segment_frames,
        restart=task.options.restart,
    )
    before = job.frames
    try:
        if not job.complete:
            _make_segments(task, job, on_event, warn)
        on_event(Event("assemble", total=job.frames))
        task.sink.finish(job.segments, output_tags(task), warn)
    except KeyboardInterrupt:
        raise InterruptedJobError(
            f"stopped; {job.frames} frames are safe in {job.folder}: run the same command again to go on"
        ) from None
    except BaseException:
        if not job.segments:
            job.remove()
        raise
    job.remove()
    on_event(Event("done", done=job.frames, total=job.frames))
    return Result(
        input=task.info.path,
        output=task.sink.output,
        frames=job.frames,
        made=job.frames - before,
        seconds=time.monotonic() - started,
        model=task.model.name,
        weights=task.model.sha256,
        size=task.size,
        warnings=tuple(task.warnings),
    )


def output_tags(task: Task) -> dict[str, str]:
    """What the output says about its making."""
    return {"comment": f"upscaled by vsr {__version__}, {task.model.name}, weights {task.model.sha256[:16]}"}


@dataclass(frozen=True)
class _Made:
    """An HR frame on its way to the encoder; where a segment begins, with the state from which to go on there."""

    number: int
    rgb: np.ndarray
    pts: int
    duration: int
    state: dict[str, Tensor] | None


class _Pipe:
    """A short queue between two threads that ends, fails and stops as one."""

    def __init__(self, size: int, stop: threading.Event) -> None:
        self._queue: queue.Queue[Any] = queue.Queue(size)
        self._stop = stop

    def put(self, item: Any) -> bool:
        """Wait for room; False if all is to stop."""
        while not self._stop.is_set():
            try:
                self._queue.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    @property
    def stopped(self) -> bool:
        """Whether all is to stop."""
        return self._stop.is_set()

    def __iter__(self) -> Iterator[Any]:
        """Items until None comes or all is to stop; an exception that comes is raised."""
        while not self._stop.is_set():
            try:
                item = self._queue.get(timeout=0.1)
            except queue.Empty:
                continue
            if item is None:
                return
            if isinstance(item, BaseException):
                raise item
            yield item


def _make_segments(task: Task, job: Job, on_event: OnEvent, warn: Callable[[str], None]) -> None:
    """Decode, upscale and encode what is not yet in finished segments."""
    engine = Engine(task.model.net, job.plan, task.device, say=warn)
    state = job.state()
    if state is not None:
        engine.restore(state)
    done, first = job.frames, engine.next_frame
    on_event(Event("start", done=done, total=task.frames))

    stop = threading.Event()
    decoded, made = _Pipe(QUEUED_FRAMES, stop), _Pipe(QUEUED_FRAMES // 2, stop)
    encoder = _Encoder(task, job, made, stop, on_event)
    threads = [threading.Thread(target=_decode, args=(task, first, decoded, warn), daemon=True), encoder]
    for thread in threads:
        thread.start()
    try:
        count = _upscale(engine, decoded, made, done, job.segment_frames)
        made.put(None)
        while encoder.is_alive():
            encoder.join(0.2)
        if encoder.error is not None:
            raise encoder.error
        if job.frames != count:
            raise OutputError(f"{count} frames came in but {job.frames} went out: please report this")
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def _decode(task: Task, first: int, out: _Pipe, warn: Callable[[str], None]) -> None:
    """Thread: frames from number `first` on, as (rgb, pts, duration)."""
    o = task.options
    try:
        frames = decode(task.info, start=o.start, end=o.end, deinterlace=o.deinterlace, skip=first, warn=warn)
        for frame in frames:
            if not out.put((frame.rgb, frame.pts, frame.duration)):
                return
        out.put(None)
    except BaseException as error:
        out.put(error)


def _upscale(engine: Engine, decoded: _Pipe, made: _Pipe, done: int, segment_frames: int) -> int:
    """Main thread: push LR frames, pass on HR frames numbered `done` and later. Returns the frames there are in all."""
    times: dict[int, tuple[int, int]] = {}
    deep = False
    number = pushed = engine.next_frame
    state = engine.checkpoint()

    def pass_on(ready: Iterator[Tensor]) -> None:
        nonlocal number, state
        for hr in ready:
            border = number % segment_frames == 0
            # windows end where segments do; a scene taken whole does not, and is begun again from its start
            if engine.next_frame == number and (border or engine.plan.window is None):
                state = engine.checkpoint()
            pts, duration = times.pop(number)
            if number >= done:
                rgb = to_rgb_array(hr, deep=deep)
                if not made.put(_Made(number, rgb, pts, duration, state if border else None)):
                    return
            number += 1

    for rgb, pts, duration in decoded:
        deep = rgb.dtype == np.uint16
        times[pushed] = (pts, duration)
        pushed += 1
        pass_on(engine.push(to_tensor(rgb)))
    if not decoded.stopped:
        pass_on(engine.flush())
    return pushed


class _Encoder(threading.Thread):
    """Writes frames to segments and makes each count when the next one begins."""

    def __init__(self, task: Task, job: Job, made: _Pipe, stop: threading.Event, on_event: OnEvent) -> None:
        super().__init__(daemon=True)
        self.error: BaseException | None = None
        self._task, self._job, self._made, self._stop_all = task, job, made, stop
        self._on_event = on_event
        self._writer: Writer | None = None
        self._pts: list[int] = []

    def run(self) -> None:
        """Until the last frame, an error, or the stop of all."""
        try:
            for frame in self._made:
                if frame.state is not None:
                    self._finish(frame.state, last=False)
                if self._writer is None:
                    self._writer = self._task.sink.writer(self._job.segment_path(len(self._job.segments)), frame.number)
                self._writer.write(frame.rgb, frame.pts, frame.duration)
                self._pts.append(frame.pts)
                self._on_event(Event("frame", done=frame.number + 1, total=self._task.frames))
            if not self._stop_all.is_set():
                self._finish(None, last=True)
        except BaseException as error:
            self.error = error
            self._stop_all.set()

    def _finish(self, state: dict[str, Tensor] | None, *, last: bool) -> None:
        if self._writer is not None:
            self._writer.close()
            self._job.commit(len(self._job.segments), self._pts, last=last, state=state)
        self._writer, self._pts = None, []


def to_tensor(rgb: np.ndarray) -> Tensor:
    """(h, w, 3) uint8 or uint16 -> (3, h, w) float32 in [0, 1]."""
    largest = 65535.0 if rgb.dtype == np.uint16 else 255.0
    return torch.from_numpy(rgb.astype(np.float32)).permute(2, 0, 1).contiguous().div_(largest)


def to_rgb_array(hr: Tensor, *, deep: bool) -> np.ndarray:
    """(3, h, w) -> (h, w, 3) uint8, or uint16 for deep sources, rounded and clamped."""
    x = hr.clamp(0, 1).permute(1, 2, 0)
    if deep:
        return (x * 65535.0).round().to(torch.int32).cpu().numpy().astype(np.uint16)
    return np.ascontiguousarray((x * 255.0).round().to(torch.uint8).cpu().numpy())
