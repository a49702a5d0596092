"""`vsr weights`: download, verify and locate the weights of the catalogue's models."""

import sys
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vsrcli.cli import say
from vsrcli.cli.display_options import display_options, quiet_option
from vsrcli.cli.lines import Lines
from vsrcli.cli.params import record_options
from vsrcli.engine.options import EngineOptions
from vsrcli.errors import WeightsError
from vsrcli.words import clean, counted
from vsrcli.zoo import ranges, store
from vsrcli.zoo.catalogue import Entry, catalogue
from vsrcli.zoo.loading import find, load

if TYPE_CHECKING:
    from torch import Tensor


def tell(line: str) -> None:
    """Print a message on stderr."""
    say(f"vsr: {line}")


@click.group(name="weights")
def command() -> None:
    """Download, verify and locate weights.

    Downloads are kept in the folder that VSR_HOME names, by default ~/.cache/vsr on Linux, ~/Library/Caches/vsr on
    macOS, %LOCALAPPDATA%\\vsr\\Cache on Windows. VSR_WEIGHTS_MIRROR replaces the host that they come from.
    """


@command.command()
@click.argument("models", metavar="MODEL...", nargs=-1, required=True)
def pull(models: tuple[str, ...]) -> None:
    """Download the weights of MODELs that are not here; resume interrupted downloads."""
    from rich.console import Console

    from vsrcli.cli.downloads import Downloads

    downloads = Downloads(Console(stderr=True))
    for entry in [catalogue().resolve(name) for name in models]:
        with closing(downloads):
            show = partial(downloads.show, name=entry.name)
            located, digest = store.obtain(entry, progress=show, say=tell)
        tell(f"{entry.name}: {located.kind}, verified (SHA-256 {digest[:8]}): {located.path}")


@command.command()
@click.argument("models", metavar="[MODEL]...", nargs=-1)
def verify(models: tuple[str, ...]) -> None:
    """Check the SHA-256 of all weights here, or of MODELs; exit with code 1 if any is damaged or missing."""
    entries = [find(name, say=tell) for name in models] or list(catalogue().models.values())
    bad = [entry.name for entry in entries if not verified(entry) and (models or store.locate(entry))]
    if bad:
        raise WeightsError(f"not intact: {', '.join(bad)}; `vsr weights pull {' '.join(bad)}` gets good files")


def verified(entry: Entry) -> bool:
    """Print a line for each file of a model; return whether there is one and all are intact."""
    files = store.present(entry)
    good = bool(files)
    for located in files:
        digest = store.sha256(located.path)
        intact = digest.startswith(located.source.sha256)
        good = good and intact
        verdict, path = "ok" if intact else "damaged", clean(str(located.path))
        click.echo(f"{entry.name:24} {verdict:8} {located.kind:10} {digest[:8]}  {path}")
    if not files:
        click.echo(f"{entry.name:24} {store.missing(entry)}")
    return good


@command.command()
@click.argument("model")
@click.argument("videos", metavar="VIDEO...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--frames",
    type=click.IntRange(1, 1000),
    default=5,
    show_default=True,
    help="Frames of each video or sequence, from its start.",
)
@click.option(
    "--output", "-o", type=click.Path(path_type=Path), help="File to write.  [default: where MODEL's is looked for]"
)
@record_options(EngineOptions, "threads")
@display_options
@quiet_option()
def calibrate(
    model: str,
    videos: tuple[Path, ...],
    frames: int,
    output: Path | None,
    threads: int | None,
    progress: Any,
    log_file: Path | None,
    quiet: bool,
) -> None:
    """Find the ranges that MODEL, a name or a checkpoint's path, needs for int8, by VIDEOs or folders of them.

    They are saved beside MODEL's weights and used from then on. A dozen videos of all kinds are enough; choose none on
    which you will measure quality. Numbered images of one size that look alike are a sequence, as for `vsr train pack`,
    and so is a pattern like frames/%08d.png; other images are clips of one frame.

    Give VIDEOs in their full size: they are made small here. Each is reduced by a whole number, to 96 lines or somewhat
    more, its middle of at most 128x96 is taken, and the right half gets noise. Videos of less than 192 lines are only
    cropped.
    """
    from vsrcli.engine.device import use_threads
    from vsrcli.evaluate.calibration import calibrate, clip_of, frames_of, frames_of_images
    from vsrcli.training.data.packing import sorted_out

    lines = Lines(progress, log_file, quiet=quiet)
    use_threads(threads)
    files, sequences, photos = sorted_out(videos)
    sources = [(str(file), file.stem, partial(frames_of, file)) for file in files]
    sources += [
        (f"{one.path}, {counted(len(one.images), 'image')}", one.path.name, partial(frames_of_images, one.images))
        for one in sequences
    ]
    sources += [(str(photo), photo.stem, partial(frames_of_images, [photo])) for photo in photos]
    loaded = load(model, say=lines.line)
    place = output or (ranges.beside(loaded.path) if loaded.source == "path" else ranges.own(find(model)))

    def clips() -> Iterator["Tensor"]:
        for number, (source, _, read) in enumerate(sources):
            lines.line(source)
            lines.count("calibrating", number, len(sources))
            yield clip_of(read(), frames)

    found = calibrate(loaded.net, clips())
    ranges.write(place, ranges.Calibration(loaded.sha256, tuple(name for _, name, _ in sources), found))
    lines.line(f"{loaded.name}: ranges of {counted(len(found), 'convolution')} in {place}")


@command.command()
@click.argument("model")
def path(model: str) -> None:
    """Print the path of MODEL's weights file."""
    entry = find(model, say=tell)
    located = store.locate(entry)
    if not located:
        raise WeightsError(f"{entry.name}: {store.remedy(entry, [])}")
    click.echo(clean(str(located.path)) if sys.stdout.isatty() else located.path)
