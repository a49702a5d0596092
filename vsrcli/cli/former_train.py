"""`vsr train` as it was spelled before it had commands: options say what to do, and each calls its command."""

from pathlib import Path

import click

from vsrcli.cli import train
from vsrcli.cli.params import record_options
from vsrcli.engine.options import EngineOptions
from vsrcli.errors import UsageError


@click.command("train", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("words", metavar="[RECIPE | SOURCE...]", nargs=-1)
@train.data_option
@train.together(train.run_options)
@train.seed_option("Instead of the recipe's; of packing too.")
@record_options(EngineOptions, "device")
@train.threads_option
@click.option("--pack", "packing", is_flag=True, help="Pack the SOURCEs (videos, photographs, folders) into -o.")
@click.option(
    "--compact",
    "mib",
    type=click.IntRange(1),
    help="Write so many MiB of the packs named as SOURCEs to -o, compressed.",
)
@click.option(
    "--teacher",
    multiple=True,
    help="Write the packs named as SOURCEs to -o with this model's answers. Repeat for a mean.",
)
@click.option("--soup", is_flag=True, help="Mix the models named as SOURCEs, validating on --data, into -o.")
@train.output_option("The pack, or the mixed weights,")
@train.clips_option(" when packing or asking a teacher")
@train.together(train.pack_options)
@click.option("--list", "listing", is_flag=True, help="List the recipes.")
@click.pass_context
def former(
    ctx: click.Context,
    words: tuple[str, ...],
    data: tuple[Path, ...],
    out: Path | None,
    minutes: float | None,
    resume: bool,
    iterations: int | None,
    start: str | None,
    seed: int | None,
    device: str,
    packing: bool,
    mib: int | None,
    teacher: tuple[str, ...],
    soup: bool,
    output: Path | None,
    clips: int,
    frames: int,
    hold_out: tuple[str, ...],
    real_scale: int | None,
    listing: bool,
) -> None:
    """Train a model from a recipe, or do what an option says. `vsr train --help` shows the commands for it."""
    asked = {"--pack": packing, "--compact": mib, "--teacher": teacher, "--soup": soup, "--list": listing}
    if sum(map(bool, asked.values())) > 1:
        raise UsageError(f"{' and '.join(name for name, on in asked.items() if on)} exclude each other: give one")
    paths = tuple(map(Path, words))
    if listing:
        ctx.invoke(train.list_recipes)
    elif packing:
        ctx.invoke(
            train.pack,
            sources=paths,
            output=output,
            clips=clips,
            frames=frames,
            hold_out=hold_out,
            real_scale=real_scale,
            seed=seed,
        )
    elif mib:
        ctx.invoke(train.compact, packs=paths, mib=mib, output=output)
    elif teacher:
        ctx.invoke(train.teach, packs=paths, models=teacher, output=output, clips=clips, device=device)
    elif soup:
        ctx.invoke(train.soup, models=words, data=data, output=output, device=device)
    else:
        _known(words)
        ctx.invoke(
            train.run,
            words=words,
            data=data,
            out=out,
            minutes=minutes,
            resume=resume,
            iterations=iterations,
            start=start,
            seed=seed,
            device=device,
        )


def _known(words: tuple[str, ...]) -> None:
    """Raise UsageError where the first word is neither a recipe nor a file: it may be a command that is misspelt."""
    from vsrcli.training import recipe

    if words and words[0] not in recipe.known() and not Path(words[0]).exists():
        there = f"the commands are {', '.join(train.command.commands)}; the recipes {', '.join(recipe.known())}"
        raise UsageError(f"no command or recipe called {words[0]}: {there}, or a .toml file")
