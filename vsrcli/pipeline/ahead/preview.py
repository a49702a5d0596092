"""A preview of a source: a short clip, a picture before and after by each model, and a page."""

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from vsrcli.compare.align import upright
from vsrcli.compare.page import Picture, slider_page
from vsrcli.compare.picture import fitted, side_by_side
from vsrcli.errors import InputError, OutputExistsError, unwritable
from vsrcli.files import write_whole
from vsrcli.media.containers import CONTAINERS
from vsrcli.media.info import VideoInfo
from vsrcli.media.photo.images import write_image
from vsrcli.media.read.decode import decode
from vsrcli.media.read.probe import probe
from vsrcli.pipeline.events import Event, OnEvent
from vsrcli.pipeline.jobs.job import Job, prepare
from vsrcli.pipeline.jobs.picking import pick_model
from vsrcli.pipeline.options import Options, output_size
from vsrcli.pipeline.running.run import Result, run
from vsrcli.words import counted, length_text, rough
from vsrcli.zoo.catalogue import is_path
from vsrcli.zoo.loading import find, is_open

BEFORE = "bicubic"
PAGE_NAME = "preview.html"
INTO = 1 / 3
"""Default position of a preview in a film: films begin dark."""
Show = Callable[[str], AbstractContextManager[None]]
"""Returns a context manager for the work of one model, whose name it takes."""


@dataclass(frozen=True)
class Shown:
    """The result of one model: its job's result, the picture before and after, the time for the whole source."""

    model: str
    result: Result
    picture: Path
    seconds: float | None


@dataclass(frozen=True)
class Preview:
    """A preview: its page, its span in the source in seconds, and the result of each model."""

    page: Path
    start: float
    end: float
    shown: tuple[Shown, ...]


def preview(
    source: Path,
    folder: Path | None,
    models: Sequence[str],
    options: Options,
    on_event: OnEvent,
    *,
    at: float | None = None,
    seconds: float = 2.0,
    show: Show = lambda name: nullcontext(),
) -> Preview:
    """Upscale `seconds` of a source by each of the models and write a page.

    Without `models` the model is chosen by the source. `at` is the start in seconds. `folder` is by default
    NAME_preview beside the source. Raises OutputExistsError if a preview exists and may not be overwritten, and the
    errors of `prepare` and `run`.
    """
    options.check()
    on_event = once_each(on_event)
    info = probe(source, rate=options.rate)
    folder = folder or default_folder(info)
    page = folder / PAGE_NAME
    if page.exists() and not options.overwrite:
        raise OutputExistsError(page)
    if len(info.images) == 1 and at is not None:
        on_event(Event("warning", "the time of the preview changes nothing: one image has no times"))
    start, end = span(info, at, seconds)
    if info.duration and start < info.duration < end and at is not None:
        left = f"{info.path} ends at {length_text(info.duration)}: the preview has {info.duration - start:.1f} seconds"
        on_event(Event("warning", left))
    with _folder_for_results(folder):
        return _previewed(info, folder, models, options, on_event, (start, end), show)


@contextmanager
def _folder_for_results(folder: Path) -> Iterator[None]:
    """Make a folder; if the work fails before anything lies there, it is removed again."""
    new = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from None
    try:
        yield
    except BaseException:
        if new:
            with suppress(OSError):
                folder.rmdir()
        raise


def _previewed(
    info: VideoInfo,
    folder: Path,
    models: Sequence[str],
    options: Options,
    on_event: OnEvent,
    within: tuple[float, float],
    show: Show,
) -> Preview:
    start, end = within
    photograph = len(info.images) == 1
    part = options if photograph else replace(options, start=start, end=end)
    names = list(dict.fromkeys(named_model(info, model, part, on_event) for model in models or (None,)))
    ending = ".png" if photograph else ".mp4" if info.images else clip_ending(info.path.suffix.lower())
    made: list[Shown] = []
    pictures: list[np.ndarray] = []
    for name in names:
        stem = f"{info.path.stem}.{_safe(name)}"
        job = prepare(
            info.path, folder / f"{stem}{ending}", replace(part, model=name, overwrite=True), on_event, named=False
        )
        with show(job.model.name):
            result = run(job, on_event)
        before, after = middle_pair(info, job, part)
        pictures += [after] if pictures else [before, after]
        picture = folder / f"{stem}.before-after.png"
        write_image(picture, side_by_side([before, after], [BEFORE, job.model.name]))
        known = job.info.frames and result.made and not photograph
        whole = job.info.frames * result.seconds / result.made if known and job.info.frames else None
        made.append(Shown(job.model.name, result, picture, whole))
    page = folder / PAGE_NAME
    write_whole(page, _page(info, start, pictures, made).encode())
    return Preview(page, start, end, tuple(made))


def once_each(on_event: OnEvent) -> OnEvent:
    """Return a callback that passes on each note and warning once, for several models say the same of one source."""
    told: set[tuple[str, str]] = set()

    def tell(event: Event) -> None:
        known = (event.kind, event.text or "")
        if event.kind not in ("note", "warning") or known not in told:
            told.add(known)
            on_event(event)

    return tell


def default_folder(info: VideoInfo) -> Path:
    """Return NAME_preview beside the source."""
    path = info.path
    if info.images and path not in info.images and not path.is_dir():  # a pattern
        path = path.parent
    return path.with_name(f"{path.name if path.is_dir() else path.stem}_preview")


def span(info: VideoInfo, at: float | None, seconds: float) -> tuple[float, float]:
    """Return start and end of a preview: by default at a third of the source, and not beyond its end."""
    length = info.duration or 0.0
    if at is None:
        at = max(0.0, min(length * INTO, length - seconds))
    return at, at + seconds


def named_model(info: VideoInfo, model: str | None, options: Options, on_event: OnEvent) -> str:
    """Return the full name of a model; if it leaves the weights open, the model that is chosen for the source."""
    if not is_open(model):
        return str(model) if is_path(str(model)) else find(model).name
    picked = pick_model(info, None, replace(options, model=model, restart=True))
    on_event(Event("note", f"using {picked.name}: {picked.reason}"))
    return str(picked.name)


def clip_ending(suffix: str) -> str:
    """Return the suffix of a clip: the source's if that container can be written and can hold tags."""
    return suffix if suffix in CONTAINERS and CONTAINERS[suffix].muxer not in ("gif", "apng", "mpegts") else ".mkv"


def _safe(name: str) -> str:
    return re.sub(r"[^\w.+-]", "_", Path(name).name if is_path(name) else name)


def middle_pair(info: VideoInfo, job: Job, options: Options) -> tuple[np.ndarray, np.ndarray]:
    """Return the middle frame of a source and of a job's result: upright, both as large as the result is shown.

    The source's has what the job reads of it, with black around it where the result has that.
    """
    read = job.info
    info = replace(info, width=read.width, height=read.height, crop=read.crop, colour=read.colour)
    result = probe(job.sink.output, rate=options.rate)
    count = sum(1 for _ in decode(result))
    middle = count // 2
    how: dict[str, Any] = {"deinterlace": job.options.deinterlace, "detelecine": options.detelecine}
    frames = decode(info, start=options.start, end=options.end, **how)
    before, after = (next(islice(one, middle, None), None) for one in (frames, decode(result)))
    if before is None or after is None:
        raise InputError(f"{info.path} has no frame where the preview was to be taken")
    (width, height), picture = result.shown, upright(before.data, info)
    inner = output_size(options, info, job.model.scale) if options.pad else None
    wide, high = (width, height) if inner is None else inner[::-1] if info.turned else inner
    x, y = (width - wide) // 2, (height - high) // 2
    small = np.zeros((height, width, 3), np.uint8)
    small[y : y + high, x : x + wide] = fitted(picture, wide, high)
    return small, fitted(upright(after.data, result), width, height)


def _page(info: VideoInfo, start: float, pictures: Sequence[np.ndarray], made: Sequence[Shown]) -> str:
    about = [_about(one) for one in made]
    labels = [BEFORE, *(one.model for one in made)]
    with tempfile.TemporaryDirectory(prefix="vsr-preview-") as folder:
        encoded = []
        for picture, label, text in zip(pictures, labels, ["", *about], strict=True):
            file = Path(folder) / "picture.jpg"
            write_image(file, picture)
            encoded.append(Picture(file.read_bytes(), ".jpg", label, text))
    height, width = pictures[0].shape[:2]
    where = "" if len(info.images) == 1 else f", from {start:.2f} s"
    line = f"{info.width}x{info.height} to {width}x{height}{where}; drag the line"
    return slider_page(f"{info.path.name}: preview", line, encoded[0], encoded[1:], shape=(width, height))


def _about(one: Shown) -> str:
    result = one.result
    text = f"{one.model}: {counted(result.made, 'frame')} in {result.seconds:.1f} s"
    if one.seconds is not None:
        text += f", so the whole takes about {rough(one.seconds)} here"
    return text
