"""Choose the weights where the caller leaves them open, and keep those of an unfinished job."""

from dataclasses import dataclass
from pathlib import Path

from vsrcli import zoo
from vsrcli.errors import Remark
from vsrcli.media.info import VideoInfo
from vsrcli.media.strength.compression import measure_compression
from vsrcli.pipeline.folder.job_records import begun_with
from vsrcli.pipeline.jobs.places import choose_output, job_folder
from vsrcli.pipeline.jobs.templates import filled
from vsrcli.pipeline.options import Options
from vsrcli.zoo.catalogue import catalogue


@dataclass(frozen=True)
class Picked:
    """The model to load; the reason, or None if the caller named it; and a line on an ineffective option, or None."""

    name: str | None
    reason: str | None = None
    warning: str | None = None


def pick_model(info: VideoInfo, output: Path | None, options: Options, *, named: bool = True) -> Picked:
    """Choose a model for the source, unless `options` name it: see `vsrcli.zoo.picking`.

    An unfinished job continues with its weights, even if others would be chosen now. `output` and `named` are as for
    `choose_output`. Raises UsageError for an unknown name.
    """
    if not zoo.is_open(options.model):
        return Picked(options.model, warning=_content_ignored(options))
    drawn = options.content == "anime"
    pick = zoo.find_for(measure_compression(info), options.model, drawn=drawn)
    name, reason = pick.entry.name, pick.reason
    output = None if output is None else filled(output, info, options, pick.entry.name, pick.entry.scale)
    output, _ = choose_output(output, info, options, pick.entry.scale, named=named)
    before = None if options.restart else begun_with(job_folder(output, options.work_dir))
    if before is not None and before != name and before in zoo.left_open(options.model, drawn=drawn):
        name, reason = before, "the unfinished job began with it"
    return Picked(name, reason, pick.lacking)


def _content_ignored(options: Options) -> str | None:
    """Return a line if the option content has no effect, since the model leaves no weights open; else None."""
    if options.content == "auto":
        return None
    entry = catalogue().models.get(str(options.model).lower())
    if entry is not None and entry.content == options.content:
        return None
    return Remark(f"the content {options.content} changes nothing: {options.model} names its weights")
