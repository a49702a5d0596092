"""`vsr train`: run a recipe, or pack videos and photographs for it."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from vsrcli.cli import say
from vsrcli.cli.params import record_options
from vsrcli.engine.options import EngineOptions
from vsrcli.errors import UsageError
from vsrcli.words import clean

if TYPE_CHECKING:
    from vsrcli.training.recipe import Recipe

PATH = click.Path(path_type=Path)


@click.command("train", context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("what", metavar="[RECIPE | SOURCE...]", nargs=-1)
@click.option(
    "--data", multiple=True, type=PATH, help="A pack to train or validate on, made by --pack. Repeat for several."
)
@click.option("--out", type=PATH, help="Folder of checkpoints, log and curve.  [default: runs/RECIPE]")
@click.option("--minutes", type=float, help="Stop after so many minutes; --resume goes on later.")
@click.option("--resume", is_flag=True, help="Go on from the checkpoint in --out.")
@click.option("--iterations", type=int, help="Instead of the recipe's.")
@click.option("--seed", type=int, help="Instead of the recipe's; of packing too.")
@click.option("--start", help="Begin with the weights of this model, or checkpoint, instead of the recipe's.")
@record_options(EngineOptions, "device")
@click.option("--threads", type=int, help="CPU threads.  [default: all]")
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
@click.option("-o", "--output", type=PATH, help="The pack, or the mixed weights, to write.")
@click.option("--clips", default=12, show_default=True, help="Clips per source when packing or asking a teacher.")
@click.option("--frames", type=click.IntRange(2), default=15, show_default=True, help="Frames a clip when packing.")
@click.option("--hold-out", multiple=True, help="Validate on sources whose name contains this, when packing.")
@click.option("--real", "real_scale", type=int, help="Add compressed low-resolution frames, reduced by this scale.")
@click.option("--list", "listing", is_flag=True, help="List the recipes.")
def command(
    what: tuple[str, ...],
    data: tuple[Path, ...],
    out: Path | None,
    minutes: float | None,
    resume: bool,
    iterations: int | None,
    seed: int | None,
    start: str | None,
    device: str,
    threads: int | None,
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
    """Train a model from a recipe, on packed clips.

    \b
    vsr train --pack videos/ photos/ -o pack.safetensors --hold-out lake
    vsr train repvsr-bi --data pack.safetensors --minutes 60
    vsr train repvsr-bi --data pack.safetensors --minutes 60 --resume
    vsr train --teacher basicvsr.vimeo90k-bi pack.safetensors -o taught.safetensors
    vsr train --compact 50 pack.safetensors -o small.safetensors
    vsr train --soup repvsr.bi runs/a/best.safetensors --data pack.safetensors -o mixed.safetensors
    """
    import torch

    from vsrcli.training import recipe as recipes

    tasks = {"--pack": packing, "--compact": mib, "--teacher": teacher, "--soup": soup, "--list": listing}
    if sum(map(bool, tasks.values())) > 1:
        raise UsageError(f"{' and '.join(name for name, asked in tasks.items() if asked)} exclude each other: give one")
    if threads:
        torch.set_num_threads(threads)
    if listing:
        click.echo("\n".join(recipes.known()))
    elif packing:
        _pack(what, output, clips=clips, frames=frames, hold_out=hold_out, real_scale=real_scale, seed=seed or 0)
    elif mib:
        from vsrcli.training.data.packing import compact

        target = _target(output)
        _tell(target, compact([Path(w) for w in what], target, mib * 2**20))
    elif teacher:
        from vsrcli.training.distill.answers import add_answers

        target = _target(output)
        count = add_answers(
            [Path(w) for w in what],
            target,
            list(teacher),
            clips_per_source=clips,
            device=device,
            say=say,
        )
        _tell(target, count)
    elif soup:
        _soup(what, _packs(data), _target(output), device)
    else:
        if len(what) != 1:
            raise UsageError(f"name one recipe: {', '.join(recipes.known())}, or a .toml file")
        data = _packs(data)
        recipe = recipes.load(what[0]).changed(iterations=iterations, seed=seed, start=start)
        _train(recipe, data, out or Path("runs") / recipe.name, minutes=minutes, resume=resume, device=device)


def _pack(
    what: tuple[str, ...],
    output: Path | None,
    *,
    clips: int,
    frames: int,
    hold_out: tuple[str, ...],
    real_scale: int | None,
    seed: int,
) -> None:
    from vsrcli.training.data.packing import pack

    output = _target(output)
    count = pack(
        [Path(w) for w in what],
        output,
        frames=frames,
        clips_per_source=clips,
        hold_out=hold_out,
        real=real_scale,
        seed=seed,
        say=say,
    )
    _tell(output, count)


def _soup(what: tuple[str, ...], data: tuple[Path, ...], output: Path, device: str) -> None:
    from vsrcli.training.loop.soup import cook

    if not what:
        raise UsageError("--soup: name the models to mix, or one to see how it does")
    psnr, bicubic = cook(list(what), list(data), output, device=device, say=say)
    click.echo(f"{clean(str(output))}: {psnr:.3f} dB, {psnr - bicubic:+.3f} over bicubic")


def _packs(data: tuple[Path, ...]) -> tuple[Path, ...]:
    if not data:
        raise UsageError("--data: name a pack (vsr train --pack makes one)")
    return data


def _target(output: Path | None) -> Path:
    if output is None:
        raise UsageError("-o: name the file to write")
    return output


def _tell(output: Path, count: int) -> None:
    click.echo(f"{clean(str(output))}: {count} clips, {output.stat().st_size / 2**20:.1f} MiB")


def _train(
    recipe: "Recipe", data: tuple[Path, ...], out: Path, *, minutes: float | None, resume: bool, device: str
) -> None:
    from vsrcli.engine.device import pick_device
    from vsrcli.training.data.pack import Pack
    from vsrcli.training.loop.trainer import Trainer

    if (out / "last.pt").exists() and not resume:
        raise UsageError(f"{out} holds a run already: --resume goes on with it, another --out starts afresh")
    trainer = Trainer(recipe, Pack(list(data)), out, device=pick_device(device), say=say)
    if resume:
        trainer.resume()
    trainer.run(minutes=minutes)
    click.echo(
        f"{clean(str(out))}: {trainer.iteration} of {recipe.optimiser.iterations} iterations, "
        f"{trainer.minutes:.1f} minutes"
    )
