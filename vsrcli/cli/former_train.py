"""The former spelling of `vsr train`, with options instead of commands; each option calls its command."""

from pathlib import Path
from typing import Any

import click

from vsrcli.cli import train
from vsrcli.cli.display_options import display_options, quiet_option
from vsrcli.cli.params import record_options
from vsrcli.engine.options import EngineOptions
from vsrcli.errors import UsageError

ASKED = {"pack": "packing", "compact": "mib", "teacher": "teacher", "soup": "soup", "list": "listing"}
"""The parameter of each option that selects a command."""


@click.command("train", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("words", metavar="[RECIPE | SOURCE...]", nargs=-1)
@train.data_option("to train or validate on")
@train.together(train.run_options)
@train.seed_option("Seed of random numbers.  [default: the recipe's; 0 for packing]")
@record_options(EngineOptions, "device")
@train.threads_option
@click.option("--pack", "packing", is_flag=True, help="Pack the SOURCEs (videos, photographs, folders) into -o.")
@click.option(
    "--compact",
    "mib",
    type=click.IntRange(1),
    help="Write so many MiB of the packs in SOURCEs to -o, compressed.",
)
@click.option(
    "--teacher",
    multiple=True,
    help="Write the packs in SOURCEs to -o with this model's results. Repeatable: their mean.",
)
@click.option("--soup", is_flag=True, help="Average the models in SOURCEs, validated on --data, into -o.")
@train.output_option("The pack, or the mixed weights,")
@train.clips_option("Clips per source when packing or adding results.")
@train.together(train.pack_options)
@display_options
@quiet_option()
@click.option("--list", "listing", is_flag=True, help="List the recipes.")
@click.pass_context
def former(ctx: click.Context, /, words: tuple[str, ...], **options: Any) -> None:
    """Train a model from a recipe, or do what an option selects. `vsr train --help` shows the commands."""
    asked = {"--" + name: options[given] for name, given in ASKED.items()}
    if sum(map(bool, asked.values())) > 1:
        raise UsageError(f"{' and '.join(name for name, on in asked.items() if on)} exclude each other: give one")
    paths = tuple(map(Path, words))
    if options["listing"]:
        ctx.invoke(train.list_recipes)
    elif options["packing"]:
        _hand_over(ctx, train.pack, sources=paths)
    elif options["mib"]:
        _hand_over(ctx, train.compact, packs=paths)
    elif options["teacher"]:
        _hand_over(ctx, train.teach, packs=paths, models=options["teacher"])
    elif options["soup"]:
        _hand_over(ctx, train.soup, models=words)
    else:
        _known(words)
        _hand_over(ctx, train.run)


def _hand_over(ctx: click.Context, command: click.Command, **own: Any) -> None:
    """Call a command with its `own` arguments and those that it shares with the former spelling."""
    shared = {p.name: ctx.params[p.name] for p in command.params if p.name in ctx.params}
    ctx.invoke(command, **shared | own)


def _known(words: tuple[str, ...]) -> None:
    """Raise UsageError if the first word is neither a recipe nor a file: it may be a misspelt command."""
    from vsrcli.training import recipe

    if words and words[0] not in recipe.known() and not Path(words[0]).exists():
        there = f"the commands are {', '.join(train.command.commands)}; the recipes {', '.join(recipe.known())}"
        raise UsageError(f"no command or recipe called {words[0]}: {there}, or a .toml file")
