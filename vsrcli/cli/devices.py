"""`vsr devices`: list the devices on which a net can run here."""

import json
from dataclasses import asdict

import click

from vsrcli.cli import echo


@click.command("devices")
@click.option("--json", "as_json", is_flag=True, help="Print results as JSON on stdout.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def command(as_json: bool, debug: bool) -> None:
    """List the devices for --device; * marks the default.

    --json gives a list with name, title, memory and free (bytes), precision and used.
    """
    from vsrcli.engine.devices import devices, why_no_gpu

    found = devices()
    if as_json:
        click.echo(json.dumps([asdict(one) for one in found], indent=1))
        return
    for one in found:
        memory = f"{one.free / 2**30:.1f} of {one.memory / 2**30:.1f} GiB free"
        echo(f"{one.name + ('*' if one.used else ''):8}  {one.title}, {memory}, {one.precision}", err=False)
    reason = why_no_gpu()
    if reason is not None:
        echo(f"no GPU is used: {reason}")
