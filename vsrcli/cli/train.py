"""`vsr train`: run a recipe, pack clips, add a teacher's results, average the weights of several runs."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from vsrcli.cli.display_options import display_options, quiet_option
from vsrcli.cli.lines import Lines
from vsrcli.cli.param_types import Shares
from vsrcli.cli.params import models_option, record_options
from vsrcli.engine.options import EngineOptions
from vsrcli.errors import UsageError
from vsrcli.words import counted

PATH = click.Path(path_type=Path)
FORMER = {"--pack", "--compact", "--teacher", "--soup", "--list"}
"""Options that select a command in the former spelling; see `former_train`."""

Command = TypeVar("Command", bound=Callable[..., Any])


class TrainGroup(click.Group):
    """The commands of `vsr train`; without a command, the options of the former spelling."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Parse as a command, or in the former way: `vsr train RECIPE`, `vsr train --pack SOURCE...`."""
        if self._former(args):
            from vsrcli.cli.former_train import former

            return former.make_context(info_name, args, parent, **extra)
        return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the parsed command."""
        return super().invoke(ctx) if ctx.command is self else ctx.command.invoke(ctx)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order in which they are used."""
        return list(self.commands)

    def _former(self, args: Sequence[str]) -> bool:
        if not args or args[0] in ("-h", "--help"):
            return False
        asked = any(arg.partition("=")[0] in FORMER for arg in args)
        return args[0] not in self.commands or (asked and Path(args[0]).exists())


@click.group("train", cls=TrainGroup, no_args_is_help=False, context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """Train a model from a recipe, on packed clips.

    \b
    vsr train pack videos/ photos/ -o pack.safetensors --hold-out lake
    vsr train run repvsr-bi --data pack.safetensors --minutes 60
    vsr train run repvsr-bi --data pack.safetensors --minutes 60 --resume
    vsr train teach pack.safetensors -m basicvsr.vimeo90k-bi -o taught.safetensors
    vsr train compact pack.safetensors --mib 50 -o small.safetensors
    vsr train soup repvsr.bi runs/a/best.safetensors --data pack.safetensors -o mixed.safetensors

    \b
    The former spelling works as well:
    vsr train RECIPE --data PACK
    vsr train --pack | --compact MIB | --teacher MODEL | --soup SOURCE... -o FILE
    vsr train --list
    """


def _set_threads(ctx: click.Context, param: click.Parameter, value: int | None) -> None:
    """Set the number of torch's threads; None or 0 keeps torch's default."""
    if value:
        import torch

        torch.set_num_threads(value)


threads_option = click.option(
    "--threads", type=click.IntRange(0), expose_value=False, callback=_set_threads, help="CPU threads.  [default: all]"
)
run_options = (
    click.option("--out", type=PATH, help="Folder for checkpoints, log and curve.  [default: runs/RECIPE]"),
    click.option("--minutes", type=float, help="Stop after this many minutes; continue later with --resume."),
    click.option("--resume", is_flag=True, help="Continue from the checkpoint in --out."),
    click.option(
        "--iterations",
        type=click.IntRange(1),
        help="Number of iterations. Fewer shorten the recipe's schedule in proportion.  [default: the recipe's]",
    ),
    click.option("--start", help="Initial weights: a model or a checkpoint.  [default: the recipe's]"),
)
pack_options = (
    click.option("--frames", type=click.IntRange(2), default=15, show_default=True, help="Frames per clip."),
    click.option("--hold-out", multiple=True, help="Keep sources whose name contains this for validation."),
    click.option("--real", "real_scale", type=int, help="Add compressed low-resolution frames, reduced by this scale."),
)


def data_option(what: str) -> Callable[[Command], Command]:
    """Return the option that names the packs."""
    return click.option("--data", multiple=True, type=PATH, help=f"Pack {what}, made by `vsr train pack`. Repeatable.")


def output_option(what: str) -> Callable[[Command], Command]:
    """Return the option that names the file to write."""
    return click.option("-o", "--output", type=PATH, help=f"{what} to write.")


def clips_option(help_text: str) -> Callable[[Command], Command]:
    """Return the option that bounds the clips of one source."""
    return click.option("--clips", default=12, show_default=True, help=help_text)


def seed_option(of: str) -> Callable[[Command], Command]:
    """Return the option of the random numbers' seed."""
    return click.option("--seed", type=int, help=of)


def together(options: Sequence[Callable[[Command], Command]]) -> Callable[[Command], Command]:
    """Return a decorator that gives a command several options, in their order."""

    def decorate(function: Command) -> Command:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


@command.command("run")
@click.argument("words", metavar="RECIPE", nargs=-1)
@data_option("to train and validate on")
@together(run_options)
@seed_option("Seed of random numbers.  [default: the recipe's]")
@record_options(EngineOptions, "device")
@threads_option
@display_options
@quiet_option()
def run(
    words: tuple[str, ...],
    data: tuple[Path, ...],
    out: Path | None,
    minutes: float | None,
    resume: bool,
    iterations: int | None,
    start: str | None,
    seed: int | None,
    device: str,
    progress: Any,
    log_file: Path | None,
    quiet: bool,
) -> None:
    """Train the model of RECIPE: the name of a shipped recipe, or a TOML file."""
    from vsrcli.engine.device import pick_device
    from vsrcli.training import changes
    from vsrcli.training import recipe as recipes
    from vsrcli.training.data.pack import Pack
    from vsrcli.training.loop.trainer import Trainer

    lines = Lines(progress, log_file, quiet=quiet)
    if len(words) != 1:
        raise UsageError(f"name one recipe: {', '.join(recipes.known())}, or a .toml file")
    given = recipes.load(words[0])
    recipe = given.changed(iterations=iterations, seed=seed, start=start)
    changed = changes.differences(given.as_dict()["optimiser"], recipe.as_dict()["optimiser"])
    if changed:
        lines.line(f"recipe {recipe.name}, changed: {', '.join(changed)}")
    out = out or Path("runs") / recipe.name
    packs = _packs(data)
    if (out / "last.pt").exists() and not resume:
        raise UsageError(f"{out} holds a run already: --resume goes on with it, another --out starts afresh")
    trainer = Trainer(recipe, Pack(packs), out, device=pick_device(device), say=lines.line)
    if resume:
        trainer.resume()
        if trainer.iteration >= recipe.optimiser.iterations:
            there = counted(trainer.iteration, "iteration")
            lines.line(f"{out} has {there} already: nothing to do, unless you ask for more")
    trainer.run(minutes=minutes, on_iteration=partial(lines.count, "training"))
    done = f"{trainer.iteration} of {recipe.optimiser.iterations} iterations, {trainer.minutes:.1f} minutes"
    lines.result(f"{out}: {done}")


@command.command("pack")
@click.argument("sources", nargs=-1, type=PATH, metavar="SOURCE...")
@output_option("The pack")
@clips_option("Largest number of clips per source.")
@together(pack_options)
@seed_option("Seed of the choice of clips.  [default: 0]")
@threads_option
@display_options
@quiet_option()
def pack(
    sources: tuple[Path, ...],
    output: Path | None,
    clips: int,
    frames: int,
    hold_out: tuple[str, ...],
    real_scale: int | None,
    seed: int | None,
    progress: Any,
    log_file: Path | None,
    quiet: bool,
) -> None:
    """Pack short sharp clips of SOURCEs: videos, photographs, folders, or patterns (frames/%08d.png)."""
    from vsrcli.training.data import packing

    lines = Lines(progress, log_file, quiet=quiet)
    target = _target(output)
    count = packing.pack(
        list(sources),
        target,
        frames=frames,
        clips_per_source=clips,
        hold_out=hold_out,
        real=real_scale,
        seed=seed or 0,
        say=lines.line,
    )
    _tell(lines, target, count)


@command.command("teach")
@click.argument("packs", nargs=-1, type=PATH, metavar="PACK...")
@models_option("Model whose results are added. Repeatable: their mean.")
@output_option("The pack")
@clips_option(
    "Clips per source to add results to. Further clips to train on are left out of the new pack; those for validation "
    "stay, without results."
)
@record_options(EngineOptions, "device")
@threads_option
@display_options
@quiet_option()
def teach(
    packs: tuple[Path, ...],
    models: tuple[str, ...],
    output: Path | None,
    clips: int,
    device: str,
    progress: Any,
    log_file: Path | None,
    quiet: bool,
) -> None:
    """Write the clips of PACKs with a large model's results as targets."""
    from vsrcli.training.distill.answers import add_answers

    lines = Lines(progress, log_file, quiet=quiet)
    if not models:
        raise UsageError("-m: name the model to learn from, or several")
    target = _target(output)
    count = add_answers(list(packs), target, list(models), clips_per_source=clips, device=device, say=lines.line)
    _tell(lines, target, count)


@command.command("compact")
@click.argument("packs", nargs=-1, type=PATH, metavar="PACK...")
@click.option("--mib", type=click.IntRange(1), required=True, help="Largest size of the file in MiB.")
@output_option("The pack")
@threads_option
@quiet_option()
def compact(packs: tuple[Path, ...], mib: int, output: Path | None, quiet: bool) -> None:
    """Write as many clips of PACKs as fit, compressed."""
    from vsrcli.training.data import packing

    target = _target(output)
    _tell(Lines(quiet=quiet), target, packing.compact(list(packs), target, mib * 2**20))


@command.command("soup")
@click.argument("models", nargs=-1, metavar="MODEL...")
@data_option("to validate on (with --shares not needed)")
@output_option("The mixed weights")
@click.option("--shares", type=Shares(), help="Mix all MODELs by these shares, without a choice, e.g. 0.65,0.35.")
@click.option(
    "--degradation",
    type=click.Choice(("bi", "bd", "mild", "real")),
    help="What the weights are for, if the MODELs are for different ones.  [default: the models' own]",
)
@record_options(EngineOptions, "device")
@threads_option
@display_options
@quiet_option()
def soup(
    models: tuple[str, ...],
    data: tuple[Path, ...],
    output: Path | None,
    shares: tuple[float, ...] | None,
    degradation: str | None,
    device: str,
    progress: Any,
    log_file: Path | None,
    quiet: bool,
) -> None:
    """Average the weights of those MODELs that validate best together.

    The best one is taken, and from the next best on each one with which the mean is no worse; --shares mixes all, and
    scores them only if --data is given.
    """
    from vsrcli.training.loop.soup import cook

    lines = Lines(progress, log_file, quiet=quiet)
    packs, target = list(data) if shares else _packs(data), _target(output)
    if not models:
        raise UsageError("name the models to mix, or one to see how it does")
    made = cook(list(models), packs, target, shares=shares, degradation=degradation, device=device, say=lines.line)
    if len(models) == 1:
        mixed = ""
    elif len(made.taken) == 1:
        mixed = f"; only {made.taken[0]} was taken: nothing was mixed"
    else:
        mixed = f"; mixed of {len(made.taken)} of {len(models)}: {', '.join(made.taken)}"
    scores = (
        f"{made.psnr:.3f} dB, {made.psnr - made.bicubic:+.3f} over bicubic" if packs else "not scored, without --data"
    )
    lines.result(f"{target}: {scores}{mixed}")


@command.command("recipes")
@click.argument("name", required=False)
def list_recipes(name: str | None) -> None:
    """List the shipped recipes and their purpose, or print the one called NAME.

    \b
    Start your own recipe from it:
    vsr train recipes repvsr-bi > mine.toml
    vsr train run mine.toml --data pack.safetensors
    """
    from vsrcli.training import recipe

    if name is not None:
        click.echo(recipe.text_of(name), nl=False)
        return
    names = recipe.known()
    width = max(map(len, names))
    click.echo("\n".join(f"{name:{width}}  {recipe.about(name)}" for name in names))


def _packs(data: tuple[Path, ...]) -> list[Path]:
    if not data:
        raise UsageError("--data: name a pack (`vsr train pack` makes one)")
    return list(data)


def _target(output: Path | None) -> Path:
    if output is None:
        raise UsageError("-o: name the file to write")
    return output


def _tell(lines: Lines, output: Path, count: int) -> None:
    lines.result(f"{output}: {counted(count, 'clip')}, {output.stat().st_size / 2**20:.1f} MiB")
