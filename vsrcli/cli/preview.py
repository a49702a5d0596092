"""`vsr preview`: make a short clip, a picture before and after, and a page with a slider, by one or several models."""

import json
import webbrowser
from pathlib import Path
from typing import Any

import click

from vsrcli.cli.config import closest
from vsrcli.cli.display_options import display_options, quiet_option
from vsrcli.cli.grouped import GROUPS, GroupedCommand
from vsrcli.cli.param_types import Time
from vsrcli.cli.params import TIME_FORM, models_option, rate_option, read_record, record_options
from vsrcli.errors import UsageError
from vsrcli.pipeline.options import Options
from vsrcli.words import counted, rough

_SIZES = (name for name in GROUPS["Size"] if name != "skip_above")
TAKEN = (*_SIZES, "content", "device", "precision", "tile", "memory", "deinterlace", "detelecine")


@click.command("preview", cls=GroupedCommand, context_settings={"show_default": True})
@click.argument("input", type=click.Path(path_type=Path), metavar="INPUT")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Output folder.  [default: NAME_preview beside INPUT]"
)
@click.option("--at", type=Time(), help=f"Begin at this time: {TIME_FORM}.  [default: after a third]")
@click.option("--seconds", type=click.FloatRange(0, min_open=True), default=2.0, help="Length of the clip, in seconds.")
@models_option("As in vsr upscale. Repeatable.")
@record_options(Options, *TAKEN)
@rate_option
@click.option("-y", "--overwrite", is_flag=True, help="Replace an existing preview.")
@click.option("--open", "open_page", is_flag=True, help="Show the page in the browser.")
@click.option("--json", "as_json", is_flag=True, help="Print results as JSON on stdout.")
@display_options
@quiet_option()
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def command(
    input: Path,
    output: Path | None,
    at: float | None,
    seconds: float,
    models: tuple[str, ...],
    open_page: bool,
    as_json: bool,
    progress: Any,
    log_file: Path | None,
    quiet: bool,
    debug: bool,
    **asked: Any,
) -> None:
    """Try a few seconds first: clips, pictures before and after, and a page with a slider.

    \b
    vsr preview in.mp4 --at 1:00 --open
    vsr preview in.mp4 -m repvsr -m iconvsr --seconds 1
    vsr preview dvd.vob --square-pixels --height 1080 --crop auto

    For each model, the folder contains the clip with its sound and a picture that shows before (bicubic) and after side
    by side. preview.html needs no other file and no network; it also tells the time that the whole source would take.
    """
    from vsrcli.cli.progress import Display
    from vsrcli.pipeline.ahead.preview import preview
    from vsrcli.pipeline.running.batch import is_video_folder

    if is_video_folder(input, recursive=False):
        raise UsageError(f"{input} is a folder of videos: name one of them")
    display = Display(quiet=quiet, verbose=False, way=progress, log=log_file)
    options = read_record(Options, closest(click.get_current_context(), asked))
    found = preview(
        input, output, models, options, display.event, at=at, seconds=seconds, show=lambda name: display.job(name)
    )
    for one in found.shown:
        whole = f", the whole about {rough(one.seconds)}" if one.seconds is not None else ""
        made = f"{counted(one.result.made, 'frame')} in {rough(one.result.seconds)}{whole}"
        display.line(f"{one.result.output}: {one.model}, {made}", style="green")
        display.line(f"{one.picture}", style="green")
    display.line(f"{found.page}", style="bold")
    if as_json:
        click.echo(json.dumps(as_plain(found), indent=1))
    if open_page and not webbrowser.open(found.page.resolve().as_uri()):
        display.line("no browser opens here: open the page yourself")


def as_plain(found: Any) -> dict[str, Any]:
    """Return a preview as plain data for JSON."""
    return {
        "page": str(found.page),
        "start": found.start,
        "end": found.end,
        "models": [
            {
                "model": one.model,
                "clip": str(one.result.output),
                "picture": str(one.picture),
                "frames": one.result.frames,
                "seconds": round(one.result.seconds, 3),
                "whole_seconds": None if one.seconds is None else round(one.seconds, 1),
            }
            for one in found.shown
        ],
    }
