"""`vsr models`: the catalogue as a table or as JSON."""

import json
import sys
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from vsrcli.zoo import picking, store
from vsrcli.zoo.catalogue import Entry, catalogue

MEANING = {
    "bi": "bicubic",
    "bd": "blur",
    "real": "blur, noise, compression",
}
"""What the degradations are called in the table."""


def as_record(entry: Entry, *, default: bool) -> dict[str, Any]:
    """All that `--json` says of a model; the field names are stable."""
    located = store.locate(entry)
    return {
        "name": entry.name,
        "architecture": entry.arch,
        "scale": entry.scale,
        "degradation": entry.degradation,
        "content": entry.content,
        "trained_on": entry.trained_on,
        "licence": entry.licence,
        "parameters": entry.parameters,
        "gflop_per_320x180_frame": entry.gflop,
        "published": {test: {"psnr": figures.psnr, "ssim": figures.ssim} for test, figures in entry.published.items()},
        "weights": located.kind if located else store.missing(entry),
        "path": str(located.path) if located else None,
        "default": default,
    }


def table(models: list[Entry], default: str, clean: str) -> Table:
    """The models, one a row; `default` and `clean` are what a compressed and a clean source get without -m."""
    grid = Table(box=None, pad_edge=False, header_style="bold", caption_justify="left", caption_style="dim")
    grid.caption = (
        f"* {default} is used without -m, or {clean} where the source is clean. "
        "Degradation: how the frames it learnt from were made small. "
        "GFLOP: per 320x180 frame. Vid4: published PSNR-Y in dB."
    )
    for title, right in (
        ("model", False),
        ("net", False),
        ("scale", True),
        ("degradation", False),
        ("params", True),
        ("GFLOP", True),
        ("Vid4", True),
        ("licence", False),
        ("weights", False),
    ):
        grid.add_column(title, justify="right" if right else "left", no_wrap=True)
    for entry in models:
        located = store.locate(entry)
        grid.add_row(
            entry.name + ("*" if entry.name == default else ""),
            entry.title,
            f"x{entry.scale}",
            MEANING.get(entry.degradation, entry.degradation),
            f"{entry.parameters / 1e6:.2f} M",
            f"{entry.gflop:.0f}",
            f"{entry.vid4:.2f}" if entry.vid4 else "",
            entry.licence,
            located.kind if located else store.missing(entry),
            style="" if located else "dim",
        )
    return grid


@click.command(name="models")
@click.option("--json", "as_json", is_flag=True, help="Print everything that is known of each model as JSON.")
def command(as_json: bool) -> None:
    """List the models: what they are for, what they cost, where their weights are.

    Any checkpoint in BasicSR's, mmagic's or vsr's own format can be used by its path instead.
    """
    models = list(catalogue().models.values())
    default = catalogue().resolve().name
    if as_json:
        click.echo(json.dumps([as_record(entry, default=entry.name == default) for entry in models], indent=2))
        return
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    open_, _ = picking.choices(catalogue(), None)
    clean = picking.best(catalogue(), open_, clean=True, at_hand=lambda entry: store.locate(entry) is not None)
    console.print(table(models, default, clean.name))
