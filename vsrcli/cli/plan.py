"""`vsr plan`: cut a job into shards that several machines can run, as JSON on standard output."""

from pathlib import Path
from typing import Any

import click

from vsrcli.cli.config import closest
from vsrcli.cli.display_options import display_options, quiet_option
from vsrcli.cli.params import read_record, record_options
from vsrcli.errors import OutputExistsError, UsageError
from vsrcli.pipeline.options import Options
from vsrcli.records import options_of
from vsrcli.shards.options import ShardOptions
from vsrcli.words import counted


@click.command("plan", context_settings={"show_default": True})
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="INPUT...")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="File, pattern (out/%08d.png) or folder.  [default: NAME_x4.EXT beside the input]",
)
@record_options(ShardOptions)
@record_options(Options, *(one.name for one in options_of(Options) if one.name not in ("overwrite", "restart")))
@click.option("-r", "--recursive", is_flag=True, help="Process folders with all subfolders.")
@record_options(Options, "overwrite", "restart")
@display_options
@quiet_option()
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def command(
    inputs: tuple[Path, ...],
    output: Path | None,
    recursive: bool,
    progress: Any,
    log_file: Path | None,
    quiet: bool,
    debug: bool,
    **asked: Any,
) -> None:
    """Cut a job into shards for several machines; the plan is JSON on standard output.

    \b
    vsr plan film.mkv -o big.mkv -m basicvsr --shards 16 > plan.json
    vsr run plan.json --shard 1/16           on each machine, with its own number
    vsr join plan.json                       when all are done

    All machines must see the source and the output under the same names. Sources are decoded once, to find their scene
    cuts. Shards that begin at scene cuts give the frames that one machine gives, bit for bit on the same type of
    device; shots longer than a shard are split, after some frames of warm-up.
    """
    from vsrcli.cli.progress import Display
    from vsrcli.shards.making import make_plan
    from vsrcli.shards.plan_file import plan_text

    asked = closest(click.get_current_context(), asked)
    options, cut = read_record(Options, asked), read_record(ShardOptions, asked)
    display = Display(quiet=quiet, verbose=False, way=progress, log=log_file)
    items, named = items_of(inputs, output, recursive=recursive)
    with display.job("plan"):
        try:
            plan = make_plan(items, options, cut, display.event, named=named)
        except OutputExistsError as error:
            if len(items) == 1:
                raise
            raise UsageError(f"{error.path} exists: move it away, or plan the other inputs alone") from None
    exact = sum(place.shard.exact for place in plan.places)
    costs, frames = [place.shard.cost for place in plan.places], sum(len(source.pts) for source in plan.sources)
    lengths = f"{counted(len(costs), 'shard')} of {min(costs)} to {counted(max(costs), 'frame')}"
    display.line(
        f"{lengths}; {exact} begin at scene cuts; "
        f"{100 * (sum(costs) / frames - 1):.1f} % of {counted(frames, 'frame')} are run twice"
    )
    click.echo(plan_text(plan), nl=False)


def items_of(inputs: tuple[Path, ...], output: Path | None, *, recursive: bool) -> tuple[list[Any], bool]:
    """Return the items of a call's inputs and output, and whether the caller named the output itself."""
    from vsrcli.pipeline.running import batch

    if batch.is_batch(inputs, recursive=recursive):
        found = batch.items(inputs, output, recursive=recursive)
        return batch.apart_from_results(found)[0], False
    if batch.is_folder_for(output, inputs[0]):
        return [batch.Item(inputs[0], batch.target(output, Path(inputs[0].name)))], False
    return [batch.Item(inputs[0], output)], True
