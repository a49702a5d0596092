"""The command line: parse, call one function below, render. Commands are imported only when they are called."""

import contextlib
import importlib
import io
import os
import sys

import click

from vsrcli import __version__
from vsrcli.cli.messages import full
from vsrcli.errors import VsrError, plain
from vsrcli.words import clean

COMMANDS = {
    "upscale": "Upscale videos, image sequences or folders of them.",
    "preview": "Try a few seconds: clips, pictures, and a page with a before/after slider.",
    "info": "Show what vsr sees in a file and which weights it would pick.",
    "plan": "Cut a job into shards for several machines.",
    "run": "Run one shard of a plan.",
    "join": "Put the shards of a plan together.",
    "models": "List the models: what they are for, what they cost, where their weights are.",
    "weights": "Download, verify and locate weights.",
    "bench": "Measure the speed of models on this machine.",
    "evaluate": "Measure quality on clips with ground truth: the papers' tables.",
    "compare": "Show videos side by side, with labels, zoom and per-frame quality.",
    "train": "Train a model from a recipe.",
    "devices": "List what a net can run on here.",
    "doctor": "Check this installation, with a small job.",
}
"""Each command lives in the module vsrcli.cli.NAME as the click command `command`; here is its line of help."""


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is called, and not for `vsr --help`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order of COMMANDS."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The real command, imported now."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"vsrcli.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from COMMANDS, importing none of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "VSR"})
@click.version_option(__version__, prog_name="vsr")
def cli() -> None:
    """Upscale real videos with recurrent video super-resolution.

    \b
    vsr upscale in.mp4                      4x, with sound, to in_x4.mp4
    vsr upscale in.mp4 -m iconvsr -o out.mp4
    vsr bench --model repvsr --res 1080p
    """


def main() -> None:
    """Entry point of `vsr`: every failure becomes one line on stderr and the documented exit code."""
    # Spinning OpenMP threads starve the decoder and encoder beside them; must be set before torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        cli.main(prog_name="vsr", standalone_mode=False)
        sys.stdout.flush()  # while a full disk can still be told
    except click.ClickException as error:
        shown, message = io.StringIO(), error.format_message()
        error.show(shown)
        several = isinstance(error, click.MissingParameter)  # whose message has lines of its own
        echo(shown.getvalue() if several else shown.getvalue().replace(message, clean(message)))
        sys.exit(2)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("vsr: interrupted", err=True)
        sys.exit(130)
    except VsrError as error:
        if debugging():
            raise
        click.echo(f"vsr: {clean(full(error))}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        _drop_output()
        sys.exit(1)
    except OSError as error:
        if debugging():
            raise
        _drop_output()
        click.echo(f"vsr: {clean(plain(error))}", err=True)
        sys.exit(1)
    except Exception as error:
        if debugging():
            raise
        click.echo(f"vsr: {clean(unforeseen(error))}", err=True)
        sys.exit(1)


def _drop_output() -> None:
    """Throw away what standard output does not take, so that Python does not try again at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def echo(text: str, *, err: bool = True) -> None:
    """Write lines, on stderr unless told otherwise, in which a terminal finds nothing to obey."""
    click.echo("\n".join(clean(line) for line in text.removesuffix("\n").split("\n")), err=err)


def say(line: str) -> None:
    """Write one line of the library's on stderr, with the command line's advice."""
    click.echo(clean(full(line)), err=True)


def debugging() -> bool:
    """Whether a failure shall show its traceback."""
    return "--debug" in sys.argv or os.environ.get("VSR_DEBUG", "") not in ("", "0")


def unforeseen(error: Exception) -> str:
    """What to say of a failure that nobody thought of."""
    summary = str(error).strip().splitlines()
    message = f"{type(error).__name__}: {summary[0] if summary else 'no message'}"
    return f"{message} (a bug or an unusual file; --debug shows the traceback)"
