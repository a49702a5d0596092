"""`vsr join`: join the shards of a plan."""

import json
from pathlib import Path
from typing import Any

import click

from vsrcli.cli import say
from vsrcli.cli.display_options import display_options, quiet_option
from vsrcli.cli.upscale import advised, stop_on_signals


@click.command("join")
@click.argument("plan", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print results as JSON on stdout.")
@display_options
@quiet_option()
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def command(plan: Path, as_json: bool, progress: Any, log_file: Path | None, quiet: bool, debug: bool) -> None:
    """Join the shards of a plan with all streams of the source, and clean up.

    \b
    vsr join plan.json

    If shards are unfinished, names them and exits with code 1. Outputs whose shards are all finished are written.
    """
    from vsrcli.cli.progress import Display
    from vsrcli.pipeline.ahead.report import result_report
    from vsrcli.shards.joining import Lacking, join, lacking_error
    from vsrcli.shards.plan_file import read_plan
    from vsrcli.zoo.loading import Loader

    stop_on_signals()
    display, load = Display(quiet=quiet, verbose=False, way=progress, log=log_file), Loader()
    found = read_plan(plan)
    reports: list[dict[str, Any]] = []
    lacking: list[Lacking] = []
    for source in found.sources:
        with display.job(source.input.name):
            result = join(found, source, display.event, load=load)
        if isinstance(result, list):
            lacking += result
            continue
        reports.append(advised(result_report(result)))
        display.result(reports[-1])
    if as_json:
        click.echo(json.dumps(reports, indent=1))
    for one in lacking:
        say(f"vsr: {one}")
    if lacking:
        raise lacking_error(found, lacking)
