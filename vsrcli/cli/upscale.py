"""`vsr upscale`: parse the options, run one job or a batch, show its progress."""

import json
import signal
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path
from typing import Any

import click

from vsrcli.cli import debugging, unforeseen
from vsrcli.cli.config import closest, set_elsewhere
from vsrcli.cli.display_options import display_options, quiet_option
from vsrcli.cli.grouped import GroupedCommand
from vsrcli.cli.messages import full
from vsrcli.cli.param_types import Place, choice
from vsrcli.cli.params import read_record, record_options
from vsrcli.errors import (
    InterruptedJobError,
    LargeAlreadyError,
    OutputExistsError,
    SomeFailedError,
    UsageError,
    VsrError,
)
from vsrcli.names import WRITABLE_IMAGES
from vsrcli.pipeline.options import Options
from vsrcli.records import options_of
from vsrcli.shards.options import ShardOptions
from vsrcli.words import counted

_LAST = ("overwrite", "restart")  # the last options in the help


@click.command("upscale", cls=GroupedCommand, context_settings={"show_default": True})
@click.argument("inputs", nargs=-1, required=True, type=Place(), metavar="INPUT...")
@click.option(
    "-o",
    "--output",
    type=Place(),
    help="File, pattern (out/%08d.png) or folder, or - for standard output; {folder} {name} {ext} {model} {width} "
    "{height} {scale} are filled in. {folder} is the source's folder at the beginning; after other text only its path "
    f"below INPUT (out/{{folder}}/{{name}}{{ext}} mirrors a tree). Images are written as "
    f"{', '.join(WRITABLE_IMAGES)}.  "
    "[default: NAME_x4.EXT beside the input]",
)
@click.option(
    "--format",
    "pipe_format",
    type=choice("y4m", "nut", "matroska"),
    help="What goes into a pipe: uncompressed frames (y4m; nut has their times and the sound too, but no colour tags) "
    "or Matroska, which keeps all.  "
    "[default: y4m]",
)
@click.option("--join", is_flag=True, help="Make one result of all inputs: the parts of one recording, in their order.")
@record_options(Options, *(one.name for one in options_of(Options) if one.name not in _LAST))
@click.option("-r", "--recursive", is_flag=True, help="Process folders with all subfolders.")
@record_options(Options, *_LAST)
@click.option(
    "--ray",
    "address",
    metavar="ADDRESS",
    help="Run in shards on a Ray cluster: auto, local (this machine), ray://HOST:PORT.",
)
@click.option("--ray-cpus", "cpus", type=click.IntRange(1), default=4, help="Cores per worker, if no GPUs are used.")
@record_options(
    ShardOptions,
    shards="Total number of shards on a cluster.",
    shard_frames="Or how many frames long a shard is.  [default: 1800]",
    warmup="Frames that a shard runs before its own where it begins within a shot.",
)
@click.option("--dry-run", is_flag=True, help="Show only the plan, its time and memory, and the size of the result.")
@click.option("--json", "as_json", is_flag=True, help="Print results as JSON on stdout.")
@display_options
@quiet_option()
@click.option("-v", "--verbose", is_flag=True, help="Show the plan and details.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def command(
    inputs: tuple[Path, ...],
    output: Path | None,
    pipe_format: Any,
    join: bool,
    recursive: bool,
    address: str | None,
    cpus: int,
    dry_run: bool,
    as_json: bool,
    progress: Any,
    log_file: Path | None,
    quiet: bool,
    verbose: bool,
    debug: bool,
    **asked: Any,
) -> None:
    """Upscale videos, image sequences, or folders of videos.

    \b
    vsr upscale in.mp4                       to in_x4.mp4, with all sound and subtitles
    vsr upscale in.mkv -m basicvsr -o out.mkv --codec hevc
    vsr upscale frames/ -o out/%08d.png      image sequences
    vsr upscale clips/ -o out/ --recursive   a whole tree; goes on after a bad file
    vsr upscale a.mp4 b.avi -o "{folder}/{name}_{model}_{height}p.mkv"
    vsr upscale 1.ts 2.ts --join -o film.mkv  the parts of one recording
    vsr upscale in.mp4 -o out.mkv --codec hevc --encoder-opt x265-params=aq-mode=3:psy-rd=2
    vsr upscale in.mp4 --start 1:00 --end 1:05 -o preview.mp4
    ffmpeg -i in.mp4 -f nut -c:v rawvideo -c:a copy - | vsr upscale - -m repvsr.real -o - --format nut | mpv -

    If a job stops (Ctrl-C, crash, power), run the same command again to resume it. One that reads or writes a pipe
    starts anew. A pipe whose reader leaves early ends the job as done. Exit codes: 0 done, 1 failed, 2 wrong usage, 3
    some of several files failed, 130 interrupted.
    """
    asked = closest(click.get_current_context(), asked | {"quiet": quiet, "verbose": verbose})
    quiet, verbose = asked.pop("quiet"), asked.pop("verbose")
    if quiet and verbose:
        raise UsageError("-q and -v exclude each other: give one")
    options = read_record(Options, asked)
    options.check()  # before PyTorch is imported
    if join and output is None:
        raise UsageError("--join needs -o FILE")
    from vsrcli.cli.piping import is_outlet, piping, refuse_beside_pipes, upscale_piped
    from vsrcli.cli.progress import Display
    from vsrcli.pipeline.running import batch

    stop_on_signals()
    display = Display(quiet=quiet, verbose=verbose, way=progress, log=log_file)
    settings = set_elsewhere(click.get_current_context(), asked) if verbose or dry_run else None
    if settings is not None:
        display.line(settings)
    say_unused(inputs, display, recursive=recursive, on_cluster=address is not None and not dry_run)
    source_of_format = click.get_current_context().get_parameter_source("pipe_format")
    if source_of_format is click.core.ParameterSource.COMMANDLINE and not is_outlet(output):
        raise UsageError("--format is for a pipe: -o - (of a file the name's ending says it)")
    if pipe := piping(inputs, output):
        refuse_beside_pipes(join=join, address=address, several=len(inputs) > 1, as_json=as_json and pipe.writes)
        reports, single = [upscale_piped(inputs[0], output, options, display, pipe_format, dry_run=dry_run)], True
    elif join and output is not None:
        reports, single = [_joined(inputs, output, options, display, dry_run=dry_run, address=address)], True
    elif any(isinstance(place, str) for place in (*inputs, output)):
        from vsrcli.cli.on_storage import upscale_behind_urls

        own = partial(upscale_one, options=options, display=display, dry_run=dry_run, named=True)
        if address is not None and not dry_run:
            own = partial(
                _alone_on_ray, read_record(ShardOptions, asked), address, cpus, options=options, display=display
            )
        reports, single = upscale_behind_urls(inputs, output, options, display, own, dry_run=dry_run), len(inputs) == 1
    elif address is not None and not dry_run:
        from vsrcli.cli.on_ray import upscale_on_ray
        from vsrcli.cli.plan import items_of

        cut, items = read_record(ShardOptions, asked), items_of(inputs, output, recursive=recursive)
        reports = upscale_on_ray(items, options, cut, address, cpus, display)
        single = not batch.is_batch(inputs, recursive=recursive)
    elif single := not batch.is_batch(inputs, recursive=recursive):
        source, named = inputs[0], True
        batch.refuse_nested(source)
        if batch.is_folder_for(output, source):
            output, named = batch.target(output, Path(source.name)), False
        try:
            reports = [upscale_one(source, output, options, display, dry_run=dry_run, named=named)]
        except LargeAlreadyError as error:
            display.line(str(error))
            reports = [{"status": "skipped", "input": str(source), "output": None}]
    else:
        say_left_out(inputs, display.line, recursive=recursive, output=output)
        reports = _many(batch.items(inputs, output, recursive=recursive), options, display, dry_run=dry_run)
    if as_json:
        click.echo(json.dumps(reports[0] if single else reports, indent=1))
    conclude(reports, display, single=single)


def say_unused(inputs: tuple[Path | str, ...], display: Any, *, recursive: bool, on_cluster: bool) -> None:
    """Warn of typed options of the call, not of its jobs, that change nothing."""
    from vsrcli.cli.unused import typed_of
    from vsrcli.pipeline.events import Event

    if not on_cluster and (idle := typed_of(("cpus", "shards", "shard_frames", "warmup"))):
        display.event(Event("warning", f"{', '.join(idle)} not used: for a run on a cluster (--ray)"))
    if recursive and typed_of(("recursive",)) and not any(isinstance(one, Path) and one.is_dir() for one in inputs):
        display.event(Event("warning", "--recursive not used: no folder is named"))


def conclude(reports: list[dict[str, Any]], display: Any, *, single: bool = False) -> None:
    """Print the summary of a batch. Raises SomeFailedError if any file failed."""
    failed = [r for r in reports if r["status"] == "failed"]
    if not single:
        display.summary(reports)
    if failed:
        raise SomeFailedError(f"{len(failed)} of {counted(len(reports), 'file')} failed")


def stop_on_signals() -> None:
    """Handle the signals that end a process like Ctrl-C, so that finished work is kept."""
    for name in ("SIGTERM", "SIGHUP"):  # SIGHUP: the terminal was closed; Windows has none
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:  # nohup ignores it, so vsr does too
            signal.signal(number, signal.default_int_handler)


def _alone_on_ray(
    cut: ShardOptions, address: str, cpus: int, source: Path, output: Path, *, options: Options, display: Any
) -> dict[str, Any]:
    """Upscale one file on a cluster."""
    from vsrcli.cli.on_ray import upscale_on_ray
    from vsrcli.pipeline.running.batch import Item

    return upscale_on_ray(([Item(source, output)], True), options, cut, address, cpus, display)[0]


def upscale_one(
    source: Path,
    output: Path | None,
    options: Any,
    display: Any,
    *,
    dry_run: bool,
    named: bool = False,
    load: Any = None,
    forecaster: Any = None,
    taken: Collection[str] = (),
) -> dict[str, Any]:
    """Run one job, or with `dry_run` only plan it, and return its report. Outputs that are `taken` are avoided."""
    from vsrcli.pipeline.ahead.forecast import Forecaster
    from vsrcli.pipeline.ahead.report import plan_report, result_report
    from vsrcli.pipeline.jobs.job import prepare
    from vsrcli.pipeline.running.batch import apart
    from vsrcli.shards.alone import run_or_finish

    clash: Path | None = None
    try:
        job = prepare(source, output, options, display.event, named=named, load=load)
        clash = job.sink.output if str(job.sink.output) in taken else None
    except OutputExistsError as error:
        clash = error.path
        if str(clash) not in taken:
            raise
    if clash is not None:
        other = apart(clash, source, taken)
        display.line(f"  {clash} is the result of another input: this one's is {other}")
        job = prepare(source, other, options, display.event, load=load)
    if dry_run:
        forecaster = forecaster or Forecaster()
        what = "encoding" if forecaster.knows(job) else "timing"
        display.line(f"{what} a few frames here ...")
        forecast, unknown = forecaster(job)
        if unknown is not None:
            display.line(f"the time is unknown: {unknown}")
        elif forecast is not None and forecast.tight:
            job.warnings.append(tight_line(forecast))
        report = advised(plan_report(job, forecast))
        display.plan(report, force=True)
        return report
    display.plan(plan_report(job))
    with display.job(source.name):
        result = run_or_finish(job, display.event, load=load)
    report = advised(result_report(result))
    display.result(report)
    return report


def _joined(
    inputs: tuple[Path, ...], output: Path, options: Any, display: Any, *, dry_run: bool, address: str | None
) -> dict[str, Any]:
    """Upscale the parts of one recording to one result and return the report."""
    from vsrcli.pipeline.running.batch import is_folder_for
    from vsrcli.pipeline.running.joined import joined

    if any(isinstance(place, str) for place in (*inputs, output)):
        raise UsageError("--join needs files on this machine, not URLs")
    if address is not None:
        raise UsageError("--join is not for a cluster: join the parts to one file first")
    if is_folder_for(output, inputs[0]):
        raise UsageError(f"--join needs -o FILE: {output} is a folder")
    with joined(inputs, output, options, display.line, dry_run=dry_run) as source:
        report = upscale_one(source, output, options, display, dry_run=dry_run, named=True)
    return report | {"input": str(inputs[0]), "inputs": [str(one) for one in inputs]}


def say_left_out(
    inputs: tuple[Path, ...], tell: Callable[[str], None], *, recursive: bool, output: Path | None = None
) -> None:
    """Report what folders hold besides the processed videos."""
    from vsrcli.pipeline.running import batch

    files, folders = batch.left_out(inputs, recursive=recursive, output=output)
    if files:
        tell(f"left out, no videos by their names: {', '.join(path.name for path in files)}")
    if folders:
        tell(f"subfolders left out (--recursive takes them): {', '.join(path.name for path in folders)}")


def say_results(made: list[Any], tell: Callable[[str], None], purpose: str) -> None:
    """Report the results of vsr's own that folders hold, and how to name them for a purpose."""
    if made:
        tell(f"left out, made by vsr: {', '.join(str(item.source) for item in made)} (name a file itself to {purpose})")


def tight_line(forecast: Any) -> str:
    """Return a warning if a result may not fit on its disk."""
    from vsrcli.pipeline.jobs.job import binary_size

    need, free = binary_size(2 * forecast.bytes), binary_size(forecast.free)
    return f"the result and its parts take about {need} of disk while it is put together, and {free} are free"


def advised(report: dict[str, Any]) -> dict[str, Any]:
    """Return a report whose warnings have the command line's advice."""
    return report | {"warnings": [full(line) for line in report["warnings"]]}


def _many(items: list[Any], options: Any, display: Any, *, dry_run: bool) -> list[dict[str, Any]]:
    """Process each item in turn. A failure is shown and the next item begun. Existing results are skipped."""
    from vsrcli.pipeline.ahead.forecast import Forecaster
    from vsrcli.pipeline.running import batch
    from vsrcli.zoo.loading import Loader

    load, forecaster = Loader(), Forecaster()
    items, made = batch.apart_from_results(items)
    say_results(made, display.line, "upscale it again")
    reports: list[dict[str, Any]] = []
    results: set[str] = set()
    for i, item in enumerate(items, 1):
        display.line(f"[{i}/{len(items)}] {item.source}")
        if str(item.source) in results:  # a result beside its source is found as a source in the next run
            display.line("  a result of this call: left out")
            continue
        try:
            how: dict[str, Any] = {"dry_run": dry_run, "load": load, "forecaster": forecaster, "taken": results}
            reports.append(upscale_one(item.source, item.output, options, display, **how))
            results.add(reports[-1]["output"])
        except (InterruptedJobError, KeyboardInterrupt):
            raise
        except OutputExistsError as error:
            display.line(f"  {error.path} is there already: skipped")
            reports.append({"status": "skipped", "input": str(item.source), "output": str(error.path)})
            results.add(str(error.path))
        except LargeAlreadyError as error:
            display.line(f"  {error}")
            reports.append({"status": "skipped", "input": str(item.source), "output": None})
        except UsageError as error:
            if i == 1 and len(items) == 1:
                raise
            _failed(reports, item, full(error), display.failed)
        except VsrError as error:
            _failed(reports, item, full(error), display.failed)
        except Exception as error:
            if debugging():
                raise
            _failed(reports, item, unforeseen(error), display.failed)
    return reports


def _failed(reports: list[dict[str, Any]], item: Any, error: str, tell: Callable[[str, str], None]) -> None:
    tell(str(item.source), error)
    reports.append({"status": "failed", "input": str(item.source), "error": error})
