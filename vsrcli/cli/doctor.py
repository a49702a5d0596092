"""`vsr doctor`: check that everything that vsr needs is installed and works."""

import importlib
import json
from dataclasses import asdict

import click

from vsrcli.cli import echo
from vsrcli.errors import VsrError
from vsrcli.words import counted

NEEDED = ("numpy", "torch", "av", "imageio_ffmpeg", "safetensors", "psutil", "filelock")
"""Libraries that a damaged installation lacks, or that lack a part of their own."""


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print results as JSON on stdout.")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def command(as_json: bool, debug: bool) -> None:
    """Check this installation: versions, GPU, encoders, memory, disk, weights, and a small job.

    Takes some seconds and changes nothing. Exits with code 1 if a check fails. Add the output to bug reports.
    """
    import_all()
    from vsrcli.engine.devices import devices
    from vsrcli.pipeline.ahead.health import checks

    found = []
    for check in checks():
        found.append(check)
        if not as_json:
            sign = check.state.upper() if check.state == "bad" else check.state
            echo(f"{sign:4}  {check.name:10}  {check.text}", err=False)
    if as_json:
        click.echo(json.dumps([asdict(check) for check in found], indent=1))
    bad = [check for check in found if check.state == "bad"]
    if bad:
        raise VsrError(f"{counted(len(bad), 'check')} failed: {', '.join(check.name for check in bad)}")
    if not as_json:
        used = next(device for device in devices() if device.used)
        echo(f"all is well: vsr works here, on {'the CPU' if used.name == 'cpu' else used.title}", err=False)


def import_all() -> None:
    """Raise VsrError that names the first required library that cannot be imported."""
    for name in NEEDED:
        try:
            importlib.import_module(name)
        except (ImportError, OSError) as error:  # OSError: a DLL that is missing on Windows
            reason = " ".join(str(error).split())
            raise VsrError(f"{name} cannot be imported ({reason}): install it again") from None
