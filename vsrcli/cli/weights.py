"""`vsr weights`: download, verify and locate the weights of the catalogue's models."""

import sys
from contextlib import closing
from functools import partial

import click

from vsrcli.cli import say
from vsrcli.errors import WeightsError
from vsrcli.words import clean
from vsrcli.zoo import store
from vsrcli.zoo.catalogue import Entry, catalogue
from vsrcli.zoo.loading import find


def tell(line: str) -> None:
    """Print a message on stderr."""
    say(f"vsr: {line}")


@click.group(name="weights")
def command() -> None:
    """Download, verify and locate weights.

    Downloads are kept in VSR_HOME. VSR_WEIGHTS_MIRROR replaces the host that they come from.
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
def path(model: str) -> None:
    """Print the path of MODEL's weights file."""
    entry = find(model, say=tell)
    located = store.locate(entry)
    if not located:
        raise WeightsError(f"{entry.name}: {store.remedy(entry, [])}")
    click.echo(clean(str(located.path)) if sys.stdout.isatty() else located.path)
