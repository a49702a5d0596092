"""The command line: parse, call one function below, render. Commands are imported only when they are called."""

import contextlib
import difflib
import importlib
import io
import itertools
import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vsrcli import __version__
from vsrcli.cli.messages import full
from vsrcli.cli.mistyped import check
from vsrcli.errors import UsageError, VsrError, plain
from vsrcli.names import is_image, is_video
from vsrcli.words import clean

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS = {
    "upscale": "Upscale videos, image sequences or folders of them.",
    "preview": "Try a few seconds: clips, pictures, and a page with a before/after slider.",
    "web": "Upscale in the browser: a page on this machine with a queue of jobs.",
    "info": "Show the properties of a file and which weights vsr would pick.",
    "plan": "Cut a job into shards for several machines.",
    "run": "Run one shard of a plan.",
    "join": "Join the shards of a plan.",
    "models": "List the models: their purpose, speed, and where their weights are.",
    "weights": "Download, verify and locate weights.",
    "bench": "Measure the speed of models on this machine.",
    "evaluate": "Measure quality on clips with ground truth: the papers' tables.",
    "degrade": "Make the LR frames of clips by the papers' degradations.",
    "compare": "Show videos side by side, with labels, zoom and per-frame quality.",
    "train": "Train a model from a recipe.",
    "completion": "Print the script for completion of commands and options in a shell.",
    "devices": "List the devices on which a net can run here.",
    "doctor": "Check this installation and run a small job.",
}
"""The line of help of each command. The command itself is `command` in the module vsrcli.cli.NAME."""


HEARERS: list[Callable[[str, int], bool]] = []
"""Callbacks that get the message and exit code of a failure. One that returns True has shown it."""


TYPED = "vsrcli.typed"
"""Key under which a context keeps the words typed from the command's name on."""


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is called, and not for `vsr --help`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of COMMANDS."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the real command and return it."""
        if cmd_name not in COMMANDS:
            return None
        from vsrcli.cli import config

        command: click.Command = importlib.import_module(f"vsrcli.cli.{cmd_name}").command
        config.name_variables(config.add_options(self, command), f"VSR_{cmd_name}")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Resolve a command as click does, with hints about words that it would misunderstand."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise UsageError(meant(args, args[0]))
        ctx.meta[TYPED] = args
        name, command, words = super().resolve_command(ctx, args)
        if command is not None:
            check(words, command)
        return name, command, words

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse arguments as click does, with a hint about options before a file and without a command."""
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption:
            named = next((word for word in given if word in COMMANDS or is_source(word)), None)
            if named is None or named in COMMANDS:
                raise
            raise UsageError(meant(given, named)) from None

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Complete the commands from COMMANDS, importing none of them."""
        from click.shell_completion import CompletionItem

        commands = [CompletionItem(n, help=text) for n, text in COMMANDS.items() if n.startswith(incomplete)]
        return commands + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from COMMANDS, importing none of them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "VSR"})
@click.version_option(__version__, prog_name="vsr")
@click.option("--config", type=click.Path(path_type=Path), help="Read this settings file instead of those found.")
@click.option("--no-config", is_flag=True, help="Read no settings: neither vsr.toml here nor the user's.")
@click.pass_context
def cli(ctx: click.Context, config: Path | None, no_config: bool) -> None:
    """Upscale real videos with recurrent video super-resolution.

    \b
    vsr upscale in.mp4                      4x, with sound, to in_x4.mp4
    vsr upscale in.mp4 -m iconvsr -o out.mp4
    vsr bench --model repvsr --res 1080p
    """
    left = ("-h", "--help", "--no-config", "--config")
    if ctx.invoked_subcommand == "completion" or any(word.startswith(left) for word in ctx.meta[TYPED]):
        return
    from vsrcli.cli import config as settings

    settings.apply(ctx, config, none=no_config)
    for line in settings.unknown_variables(ctx):
        click.echo(f"warning: {clean(line)}", err=True)


def is_source(word: str) -> bool:
    """Return whether a word that is no command can be a source."""
    return not word.startswith("-") and (Path(word).exists() or is_video(Path(word)) or is_image(Path(word)))


def meant(args: list[str], word: str) -> str:
    """Return a message about a word that is no command, with a suggestion."""
    if is_source(word):
        return f"did you mean: vsr upscale {shlex.join(args)}"
    close = difflib.get_close_matches(word, COMMANDS, n=1)
    if close:
        return f"no such command: {word} (did you mean: vsr {close[0]})"
    return f"no such command, and no file: {word}"


def fail(message: str, code: int) -> None:
    """Report a failure in one line to all listeners, and exit."""
    heard = [hear(message, code) for hear in HEARERS]
    if not any(heard):
        click.echo(f"vsr: {clean(message)}", err=True)
    sys.exit(code)


def main() -> None:
    """Run `vsr`: every failure becomes one line on stderr and the documented exit code."""
    # Spinning OpenMP threads starve the decoder and encoder beside them; must be set before torch is imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    HEARERS.clear()
    if os.environ.get("_VSR_COMPLETE", "").startswith("powershell"):
        importlib.import_module("vsrcli.cli.completion")  # click knows the other shells
    try:
        cli.main(prog_name="vsr", standalone_mode=False)
        sys.stdout.flush()  # while a full disk can still be told
    except click.ClickException as error:
        _name_variable(error)
        shown, message = io.StringIO(), error.format_message()
        if asks_for_json(sys.argv):
            from vsrcli.cli.display_options import JsonLines, Log, record_failure

            record_failure(Log(None), JsonLines(), clean(message), 2)
            sys.exit(2)
        error.show(shown)
        several = isinstance(error, click.MissingParameter)  # its message has several lines
        echo(shown.getvalue() if several else shown.getvalue().replace(message, clean(message)))
        sys.exit(2)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        fail("interrupted", 130)
    except VsrError as error:
        if debugging():
            raise
        fail(full(error), error.exit_code)
    except BrokenPipeError:
        _drop_output()
        sys.exit(1)
    except OSError as error:
        if debugging():
            raise
        _drop_output()
        fail(plain(error), 1)
    except Exception as error:
        if debugging():
            raise
        fail(unforeseen(error), 1)


def _name_variable(error: click.ClickException) -> None:
    """Let the message about an invalid value name the environment variable that it comes from, if any."""
    if not isinstance(error, click.BadParameter) or error.ctx is None or error.param is None:
        return
    from_variable = error.ctx.get_parameter_source(str(error.param.name)) is click.core.ParameterSource.ENVIRONMENT
    if from_variable and isinstance(error.param.envvar, str):
        error.param_hint = error.param.envvar


def asks_for_json(words: list[str]) -> bool:
    """Return whether a command line asks for JSON lines, even one that cannot be parsed."""
    return "--progress=json" in words or ("--progress", "json") in itertools.pairwise(words)


def _drop_output() -> None:
    """Discard pending standard output, so that Python does not try to write it at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def echo(text: str, *, err: bool = True) -> None:
    """Write lines, by default to stderr, without control characters."""
    click.echo("\n".join(clean(line) for line in text.removesuffix("\n").split("\n")), err=err)


def say(line: str) -> None:
    """Write a line from the library to stderr, with the command line's advice."""
    click.echo(clean(full(line)), err=True)


def debugging() -> bool:
    """Return whether a failure shows its traceback."""
    return "--debug" in sys.argv or os.environ.get("VSR_DEBUG", "") not in ("", "0")


def unforeseen(error: Exception) -> str:
    """Return the message for an unexpected failure."""
    summary = str(error).strip().splitlines()
    message = f"{type(error).__name__}: {summary[0] if summary else 'no message'}"
    return f"{message} (a bug or an unusual file; --debug shows the traceback)"
