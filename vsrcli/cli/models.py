"""`vsr models`: the catalogue as a table or as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import click

from vsrcli.words import padded
from vsrcli.zoo import picking, store
from vsrcli.zoo.catalogue import Entry, catalogue, channels_of
from vsrcli.zoo.uses import speed_of, use_of

MEANING = {
    "bi": "bicubic",
    "bd": "blur",
    "mild": "slight compression",
    "real": "blur, noise, compression",
}
"""Names of the degradations in the table."""
STRENGTHS = {"bi": "clean", "mild": "mildly compressed"}
"""Sources for which other weights than the default are taken, by the degradation that they are like."""


def as_record(entry: Entry, *, default: bool) -> dict[str, Any]:
    """Return all properties of a model for `--json`; the field names are stable."""
    located = store.locate(entry)
    return {
        "name": entry.name,
        "architecture": entry.arch,
        "scale": entry.scale,
        "degradation": entry.degradation,
        "content": entry.content,
        "use": use_of(entry),
        "trained_on": entry.trained_on,
        "licence": entry.licence,
        "sources": [{k: v for k, v in asdict(source).items() if v is not None} for source in entry.sources],
        "parameters": entry.parameters,
        "gflop_per_320x180_frame": entry.gflop,
        "published": {
            test: {"psnr": figures.psnr, "ssim": figures.ssim, "channels": channels_of(test)}
            for test, figures in entry.published.items()
        },
        "weights": located.kind if located else store.missing(entry),
        "path": str(located.path) if located else None,
        "default": default,
    }


COLUMNS = {"use it for": False, "model": False, "scale": True, "speed": False, "weights": False}
"""The table's columns, and whether they contain numbers."""
TECHNICAL = {"net": False, "degradation": False, "params": True, "GFLOP": True, "Vid4": True, "licence": False}
"""The columns that `-v` adds."""


def table(models: list[Entry], default: str, *, verbose: bool = False) -> list[str]:
    """Return the table's lines, one for each model. Those without weights on this machine are dim.

    Models are sorted by purpose, that of the default first. `verbose` adds the technical columns.
    """
    uses = list(dict.fromkeys(use_of(entry) for entry in models))
    first = use_of(next(entry for entry in models if entry.name == default))
    ordered = sorted(models, key=lambda one: (use_of(one) != first, uses.index(use_of(one)), one.name != default))
    here = [store.locate(entry) for entry in ordered]
    columns = COLUMNS | (TECHNICAL if verbose else {})
    rows = [tuple(columns)]
    for entry, located in zip(ordered, here, strict=True):
        cells = (
            use_of(entry),
            entry.name + ("*" if entry.name == default else ""),
            f"x{entry.scale}",
            speed_of(entry),
            located.kind if located else store.missing(entry),
        )
        technical = (
            entry.title,
            MEANING.get(entry.degradation, entry.degradation),
            f"{entry.parameters / 1e6:.2f} M",
            f"{entry.gflop:.0f}",
            f"{entry.vid4:.2f}" if entry.vid4 else "",
            entry.licence,
        )
        rows.append(cells + technical if verbose else cells)
    head, *lines = ("  ".join(row).rstrip() for row in padded(rows, list(columns.values())))
    styled = (click.style(line, dim=located is None) for line, located in zip(lines, here, strict=True))
    return [click.style(head, bold=True), *styled]


@click.command(name="models")
@click.option(
    "--json", "as_json", is_flag=True, help="Print all properties as JSON, with published figures of all test sets."
)
@click.option(
    "-v", "--verbose", is_flag=True, help="Show architecture, cost, licence and published PSNR-Y on Vid4 too."
)
def command(as_json: bool, verbose: bool) -> None:
    """List the models: their purpose, speed, and where their weights are.

    Any checkpoint in BasicSR's, mmagic's or vsr's own format can be used by its path instead.
    """
    models = list(catalogue().models.values())
    default = catalogue().resolve().name
    if as_json:
        click.echo(json.dumps([as_record(entry, default=entry.name == default) for entry in models], indent=2))
        return
    open_, _ = picking.choices(catalogue(), None)
    fitting = [(_fitting(open_, degradation), words) for degradation, words in STRENGTHS.items()]
    others = [f"{name} where the source is {words}" for name, words in fitting if name != default]
    legend = [f"* used without -m, or {', or '.join(others)}."]
    if verbose:
        legend += [
            "Degradation: how the frames it learnt from were made small. GFLOP: per 320x180 frame.",
            "Vid4: published PSNR-Y in dB. --json: published figures of all test sets.",
        ]
    else:
        legend.append("vsr models -v: what they are and cost. vsr info FILE: what a file gets.")
    click.echo("\n".join(table(models, default, verbose=verbose)))
    click.secho("\n".join(legend), dim=True)


def _fitting(open_: Sequence[Entry], degradation: str) -> str:
    """Return the name of the local weights that fit a source like that."""
    return picking.best(catalogue(), open_, degradation, at_hand=lambda entry: store.locate(entry) is not None).name
