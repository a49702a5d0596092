"""A trial: one frame before and after by each of some models, and how long and large the whole would be."""

import shutil
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from vsrcli.errors import VsrError
from vsrcli.media.photo.images import write_image
from vsrcli.media.read.probe import probe
from vsrcli.pipeline.ahead.forecast import forecast
from vsrcli.pipeline.ahead.preview import BEFORE, clip_ending, middle_pair, named_model, span
from vsrcli.pipeline.events import Event, OnEvent
from vsrcli.pipeline.jobs.job import prepare
from vsrcli.pipeline.options import Options
from vsrcli.pipeline.running.run import run
from vsrcli.zoo.loading import Loader

FRAMES = 7
"""Frames of which the middle one is shown: recurrent nets need some around it."""
TIMED = 4.0
"""Seconds, about, of a model's work by which its time is told: somebody waits for it."""


@dataclass
class Trial:
    """One trial and what it has found so far.

    In `models` None stands for the one that suits the source. `found` has an entry for each model that is done.
    `pictures` are JPEGs: the frame enlarged by bicubic interpolation, then one by each model; `shape` is how wide and
    high they are shown.
    """

    number: int
    path: str
    source: Path
    models: tuple[str | None, ...]
    options: Options
    state: str = "waiting"
    text: str = ""
    done: int = 0
    total: int = 0
    shape: tuple[int, int] = (0, 0)
    found: list[dict[str, Any]] = field(default_factory=list)
    pictures: list[bytes] = field(default_factory=list)
    cancel: threading.Event = field(default_factory=threading.Event)

    def plain(self) -> dict[str, Any]:
        """Return what the page is told of it."""
        names = ("number", "path", "state", "text", "done", "total", "shape", "found")
        return {name: getattr(self, name) for name in names} | {"before": BEFORE}


def try_models(trial: Trial, load: Loader, tell: Callable[[], None]) -> None:
    """Run a trial to its end. `tell` is called when it has something new. Raises VsrErrors as `prepare` and `run` do.

    Nothing is left on the disk.
    """

    def hear(event: Event) -> None:
        if event.kind == "frame":
            trial.done = event.done
            tell()

    info = probe(trial.source, rate=trial.options.rate)
    photograph = len(info.images) == 1
    start, end = span(info, None, FRAMES / float(info.rate))
    options = replace(trial.options, overwrite=True, restart=False)
    part = options if photograph else replace(options, start=start, end=end)
    names = dict.fromkeys(named_model(info, name, part, hear) for name in trial.models)
    ending = ".png" if photograph else ".mp4" if info.images else clip_ending(info.path.suffix.lower())
    trial.total = 1 if photograph else FRAMES
    with tempfile.TemporaryDirectory(prefix="vsr-trial-") as folder:
        for name in names:
            trial.text, trial.done = f"trying {name}", 0
            tell()
            output = Path(folder) / f"{len(trial.found)}{ending}"
            job = prepare(trial.source, output, replace(part, model=name), hear, named=False, load=load)
            run(job, hear, cancel=trial.cancel)
            before, after = middle_pair(info, job, part)
            picture = Path(folder) / "picture.jpg"
            for data in (after,) if trial.pictures else (before, after):
                write_image(picture, data)
                trial.pictures.append(picture.read_bytes())
            trial.shape = (after.shape[1], after.shape[0])
            trial.text = f"timing {name}"
            tell()
            trial.found.append(
                {"model": name, "size": list(job.size)} | _whole(trial, options, name, folder, hear, load)
            )
            tell()


def _whole(trial: Trial, options: Options, name: str, folder: str, hear: OnEvent, load: Loader) -> dict[str, Any]:
    """Return the seconds and bytes of the whole by one model, and whether the disk may be too small for it."""
    if trial.cancel.is_set():
        return {}
    ending = clip_ending(trial.source.suffix.lower())
    try:
        job = prepare(
            trial.source, Path(folder) / f"whole{ending}", replace(options, model=name), hear, named=False, load=load
        )
        found = forecast(job, TIMED)
    except VsrError as error:
        return {"unknown": str(error)}
    found = replace(found, free=shutil.disk_usage(trial.source.parent).free)  # the trial's folder lies elsewhere
    return {"seconds": found.seconds, "bytes": found.bytes, "frames": job.frames, "tight": found.tight}
