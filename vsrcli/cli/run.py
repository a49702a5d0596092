"""`vsr run`: run one shard of a plan."""

import json
import os
from pathlib import Path
from typing import Any

import click

from vsrcli.cli.display_options import display_options, quiet_option
from vsrcli.cli.upscale import stop_on_signals
from vsrcli.words import counted


@click.command("run")
@click.argument("plan", type=click.Path(path_type=Path))
@click.option("--shard", metavar="N[/OF]", help="Number of the shard, from 1.  [default: the array task's]")
@click.option("--restart", is_flag=True, help="Discard the shard's finished work and start over.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on stdout.")
@display_options
@quiet_option()
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def command(
    plan: Path,
    shard: str | None,
    restart: bool,
    as_json: bool,
    progress: Any,
    log_file: Path | None,
    quiet: bool,
    debug: bool,
) -> None:
    """Run one shard of a plan that `vsr plan` has made.

    \b
    vsr run plan.json --shard 3/16
    vsr run plan.json                        in an array of Slurm, Kubernetes or AWS Batch

    In an array, the shard is given by SLURM_ARRAY_TASK_ID (from 1), JOB_COMPLETION_INDEX or AWS_BATCH_JOB_ARRAY_INDEX
    (both from 0). A shard that was stopped is resumed; a finished one is verified.
    """
    from vsrcli.cli.progress import Display
    from vsrcli.shards.choosing import choose
    from vsrcli.shards.plan_file import read_plan
    from vsrcli.shards.running import run_shard

    stop_on_signals()
    display = Display(quiet=quiet, verbose=False, way=progress, log=log_file)
    found = read_plan(plan)
    place = choose(found, shard, os.environ)
    with display.job(str(place)):
        result = run_shard(found, place, display.event, restart=restart)
    speed = f", {result.made / result.seconds:.2f} fps" if result.made else ", made before"
    display.line(f"{place}: {counted(result.frames, 'frame')}{speed}", style="green")
    if as_json:
        click.echo(json.dumps(vars(result)))
