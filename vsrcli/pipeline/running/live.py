"""A job that is written while it runs: from or to a pipe, without a folder of work, so that it cannot be continued."""

import contextlib
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from io import FileIO
from pathlib import Path
from typing import Literal, cast

from vsrcli import __version__
from vsrcli.engine.device import precision_name
from vsrcli.errors import InterruptedJobError, OutputError, Reason, UsageError, VsrError, unwritable
from vsrcli.files import settle
from vsrcli.frame import Frame
from vsrcli.media.containers import container_of
from vsrcli.media.info import VideoInfo
from vsrcli.media.once import Once, is_stream
from vsrcli.media.write.live import (
    FileOutlet,
    LiveWriter,
    MuxWriter,
    Outlet,
    ReaderGoneError,
    Y4mWriter,
    labels_of,
)
from vsrcli.media.write.live_streams import Beside, FromFile, FromOnce, kept_streams
from vsrcli.media.write.made import made_text
from vsrcli.media.write.mux_tags import MADE_TAG
from vsrcli.media.write.shaped import shaped
from vsrcli.names import WRITABLE_IMAGES
from vsrcli.pipeline.events import Event, OnEvent, frames_made
from vsrcli.pipeline.folder.tensor_folder import FrameFolder, TensorFolder
from vsrcli.pipeline.jobs import job as jobs
from vsrcli.pipeline.jobs.job import Job
from vsrcli.pipeline.jobs.templates import is_template
from vsrcli.pipeline.options import Options
from vsrcli.pipeline.running.run import Result, result_of, tell_warnings
from vsrcli.pipeline.running.setup import engine_for, pipes_for, resumed_between
from vsrcli.pipeline.running.stages import Border, CancelledError, Pipe, decode_stage, upscale_stage
from vsrcli.pipeline.sinks.image_sink import is_pattern
from vsrcli.pipeline.sinks.video_sink import VideoSink
from vsrcli.pipeline.timing import StageClock
from vsrcli.words import counted
from vsrcli.zoo.loading import Loader

PipeFormat = Literal["y4m", "nut", "matroska"]
STDOUT = frozenset({"-", "/dev/stdout"})
"""Names of standard output."""
FORMATS: dict[PipeFormat, str] = {"y4m": ".y4m", "nut": ".nut", "matroska": ".mkv"}
"""What is written into pipes, with the suffix of each as a file."""
_FILES = (".mkv", ".mp4", ".m4v", ".mov", ".webm", ".ts", ".m2ts", ".mts", ".m2t", ".y4m")
_NO_BORDERS = 1 << 62  # frames of a segment: it has no end
_UNREAD_SECONDS = 2.0  # to wait for a reader of a pipe that stands still


def is_live(source: Path, output: Path | None) -> bool:
    """Return whether a job reads or writes a pipe."""
    return is_stream(source) or is_outlet(output)


def is_outlet(output: Path | None) -> bool:
    """Return whether an output is a pipe: standard output or a named pipe."""
    return output is not None and (str(output) in STDOUT or output.is_fifo())


@dataclass
class LiveJob:
    """A job with its source and output as pipes or files, and what is written: a name as a file would have it.

    `head` is a file with the source's beginning at least, which tells its labels.
    """

    job: Job
    output: Path
    shape: Path
    beside: Beside
    folder: Path
    head: Path


@contextlib.contextmanager
def prepare_live(
    source: Path,
    output: Path | None,
    options: Options,
    on_event: OnEvent,
    *,
    form: PipeFormat | None = None,
    load: Loader | None = None,
) -> Iterator[LiveJob]:
    """Yield a job that is written while it runs, resolved and checked. Raises a VsrError with one line.

    Args:
        source: a video, or a pipe of one ("-" is standard input).
        output: the result: a file, or a pipe ("-" is standard output).
        options: the options.
        on_event: called with notes and the progress of downloads.
        form: what is written into a pipe; None: y4m.
        load: loader with the models of earlier jobs.
    """
    if output is None:
        raise UsageError("a pipe has no name for the result to follow", Reason.NEEDS_OUTPUT)
    piped = is_outlet(output)
    if options.hwaccel is not None and is_stream(source):
        raise UsageError("pipes are not decoded on a device")
    if is_template(output):
        raise UsageError("a pipe has no name to fill into the output's: give it whole")
    if str(output) in STDOUT and os.isatty(1):
        raise UsageError("standard output is a terminal: pipe it into a program, or give a file's name")
    if is_pattern(output) or output.suffix.lower() in WRITABLE_IMAGES:
        raise UsageError("images are not written from a pipe: write a video")
    if not piped and output.suffix.lower() not in _FILES:
        container_of(output)
        raise UsageError(f"{output.suffix} is not written from a pipe: end the output's name with .mkv, .mp4 or .y4m")
    with (
        tempfile.TemporaryDirectory(prefix="vsr-", ignore_cleanup_errors=True) as place,
        contextlib.ExitStack() as closing,
    ):
        folder = Path(place)
        shape = folder / f"NAME{FORMATS[form or 'y4m']}" if piped else output
        once = Once(source) if is_stream(source) else None
        if once is not None:
            closing.callback(once.close)
            (folder / "in").mkdir()
        known = None if once is None else once.look(folder / "in")
        names = {str(shape): str(output)}
        if once is not None and known is not None:
            names[str(known.path)] = once.title
        try:
            job = jobs.prepare(
                source if known is None else known.path, shape, options, on_event, load=load, probed=known
            )
            sink = job.sink
            if not isinstance(sink, VideoSink):
                raise UsageError("images are not written from or into a pipe: write a video")
            kept, instead = kept_streams(sink.info, shape)
        except VsrError as error:
            error.args = (_renamed(str(error), names),)
            if piped and error.reason is Reason.NEEDS_CONTAINER:
                raise UsageError(str(error), Reason.NEEDS_FORMAT) from None
            raise
        end = None if options.end is None else Fraction(options.end + job.info.start_time)
        job.warnings = [instead.pop(line, line) for line in job.warnings] + list(instead.values())
        indices = [stream.index for stream in kept]
        beside: FromFile | FromOnce
        if once is None or known is None:
            beside = FromFile(job.info.own, indices, end)
        else:
            job.info = replace(job.info, path=Path(once.title), once=once)
            sink.info = replace(sink.info, path=job.info.path, once=once)
            beside = FromOnce(job.info, indices, end, known.path)
        closing.callback(beside.close)
        job.warnings = [_renamed(line, names) for line in job.warnings]
        yield LiveJob(job, output, shape, beside, folder, job.info.path if known is None else known.path)


def _renamed(line: str, names: Mapping[str, str]) -> str:
    """Return a line with pipes' own names in place of those of the files that stand for them."""
    for path, name in names.items():
        line = line.replace(path, name) if path in line else line  # one without keeps its reason
    return line


class _Writing(threading.Thread):
    """Thread that writes frames as they are made; `frames` are written, `error` is why it has ended early.

    `repeated` of the frames were not run, because they repeat the one before.
    """

    def __init__(
        self,
        open_writer: Callable[[Frame], LiveWriter],
        job: Job,
        made: Pipe,
        stop: threading.Event,
        hear: OnEvent,
        clock: StageClock,
    ) -> None:
        super().__init__(daemon=True)
        self.frames, self.repeated, self.error = 0, 0, cast(BaseException | None, None)
        self._open, self._job, self._made, self._stop_all, self._hear = open_writer, job, made, stop, hear
        self.clock = clock

    def run(self) -> None:
        """Write until the last frame or an error; what is written so far gets its end in any case."""
        writer: LiveWriter | None = None
        try:
            for frame in self._made:
                if isinstance(frame, Border):
                    continue
                writer = writer or self._open(frame)
                writer.write(frame)
                self.frames += 1
                self._hear(frames_made(frame.number + 1, self._job.frames))
            if writer is not None:
                writer.close()
        except BaseException as error:
            self.error = error
            self._stop_all.set()
            if writer is not None:
                with contextlib.suppress(Exception):
                    writer.close()


def run_live(live: LiveJob, on_event: OnEvent, *, cancel: threading.Event | None = None) -> tuple[Result, bool]:
    """Run the job; return its result, and whether the reader of the pipe has left before the end.

    Raises InterruptedJobError on KeyboardInterrupt, and at the next frame when `cancel` is set; other VsrErrors on
    failure. A file that was to be written then has the frames made so far, or is not there if none was.
    """
    started, cancel, job = time.monotonic(), cancel or threading.Event(), live.job
    on_event(Event("note", "a pipe is read and written once: if this stops, it begins anew"))
    tell_warnings(job, on_event)

    def warn(line: str) -> None:
        job.warnings.append(line)
        on_event(Event.of(line))

    piped = is_outlet(live.output)
    partial = live.output.with_name(f".{live.output.name}.part{live.output.suffix}")
    writing: _Writing | None = None
    try:
        outlet = _outlet(live.output if piped else partial)
        sink = cast(VideoSink, job.sink)
        outlet = shaped(outlet, container_of(live.shape).muxer, sink.info, sink.encode)
        writing = _make(live, outlet, on_event, warn, cancel)
        if writing.error is not None and not isinstance(writing.error, ReaderGoneError):
            raise writing.error
    except KeyboardInterrupt as stopped:
        frames = int(stopped.args[0]) if stopped.args else 0
        saved = _settled(live, partial, piped) if frames else None
        partial.unlink(missing_ok=True)
        verb = "is" if frames == 1 else "are"
        where = f" after {counted(frames, 'frame')}" + ("" if piped or not frames else f", which {verb} in {saved}")
        raise InterruptedJobError(f"stopped{where}; what comes from or goes into a pipe cannot be continued") from None
    except BrokenPipeError:
        raise OutputError(f"nobody reads {live.output}") from None
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    output = _settled(live, partial, piped)
    gone = writing.error is not None
    on_event(Event("done", done=writing.frames, total=writing.frames))
    frames, repeated = writing.frames, writing.repeated
    result = result_of(job, output, started, writing.clock, frames=frames, made=frames, repeated=repeated)
    return result, gone


def _outlet(path: Path) -> Outlet:
    try:
        if str(path) in STDOUT:
            sys.stdout.flush()
            return Outlet(FileIO(1, "wb", closefd=False), "standard output")
        return (Outlet if path.is_fifo() else FileOutlet)(FileIO(os.fspath(path), "wb"), str(path))
    except OSError as error:
        raise unwritable(path, error) from None


def _settled(live: LiveJob, partial: Path, piped: bool) -> Path:
    if piped:
        return live.output
    try:
        return settle(partial, live.output, overwrite=live.job.options.overwrite)
    except OSError as error:
        raise unwritable(live.output, error) from None


def _make(
    live: LiveJob, outlet: Outlet, on_event: OnEvent, warn: Callable[[str], None], cancel: threading.Event
) -> _Writing:
    """Decode, upscale and write all frames; return the thread that has written them.

    Raises KeyboardInterrupt with the number of frames that are written, and VsrErrors.
    """
    job, stop, clock = live.job, threading.Event(), StageClock()
    sink = cast(VideoSink, job.sink)
    between = None if job.flow is None else resumed_between(job, None, warn)
    (live.folder / "work").mkdir()
    engine = engine_for(
        job,
        job.plan,
        between,
        warn,
        FrameFolder(live.folder / "work" / "frames"),
        TensorFolder(live.folder / "work" / "states", durable=False),
        lambda done, total, until: on_event(Event("sweep", done=done, total=total, until=until)),
    )
    on_event(Event("start", done=0, total=job.frames, burst=job.plan.window or 1))
    decoded, made = pipes_for(job, stop, clock)
    writing = _Writing(lambda first: _writer(live, outlet, sink.info, warn, first), job, made, stop, on_event, clock)
    decoding = threading.Thread(target=decode_stage, args=(job, 0, decoded, warn, clock, None), daemon=True)
    once = job.info.once
    decoding.start()
    clock.begin("upscale")
    clock.begin("encode")
    writing.start()
    try:
        count, writing.repeated = upscale_stage(engine, decoded, made, 0, _NO_BORDERS, cancel, None, between)
        if not count and not stop.is_set():
            raise UsageError(jobs.none_shown(job.info))
        made.put(None)
        clock.end("upscale")
        while writing.is_alive():
            writing.join(0.2)
        clock.end("encode")
        if writing.error is None and count != job.frames:
            on_event(frames_made(count, count))  # what was announced is not what came
    except (KeyboardInterrupt, CancelledError):
        stop.set()
        writing.join(_UNREAD_SECONDS)
        raise KeyboardInterrupt(writing.frames) from None
    finally:
        stop.set()
        if once is not None:
            once.stopped.set()
        decoding.join(_UNREAD_SECONDS)
        writing.join(_UNREAD_SECONDS)
        if not writing.is_alive():
            with contextlib.suppress(OSError):
                outlet.close()
    return writing


def _writer(live: LiveJob, outlet: Outlet, info: VideoInfo, warn: Callable[[str], None], first: Frame) -> LiveWriter:
    sink = cast(VideoSink, live.job.sink)
    muxer = container_of(live.shape).muxer
    if muxer == "yuv4mpegpipe":
        return Y4mWriter(outlet, info, sink.encode, warn)
    options = live.job.options
    part = options.start is not None or options.end is not None
    labels, model = labels_of(info, live.head, first.pts, part=part), live.job.model
    precision = precision_name(live.job.dtype)
    made = {MADE_TAG: made_text(__version__, model.name, model.sha256, precision, start=options.start)}
    labels = replace(labels, tags={**labels.tags, **made})
    return MuxWriter(outlet, info, sink.encode, muxer, live.beside, labels, part=part)
