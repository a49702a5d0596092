"""A table of results, rendered as Markdown, CSV or JSON."""

import csv
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vsrcli.words import padded

Value = str | int | float | None


@dataclass(frozen=True)
class Column:
    """A column: its stable `key` (JSON and CSV), its `title` (Markdown), and the decimals of floating-point numbers.

    Markdown has the word `infinite` for an infinite number.
    """

    key: str
    title: str
    digits: int = 2
    infinite: str = "inf"


@dataclass(frozen=True)
class Table:
    """Rows of values by column key; a missing key, None or NaN means not measured and stays blank.

    `notes` are sentences about the figures, which Markdown has below the table.
    """

    columns: Sequence[Column]
    rows: Sequence[Mapping[str, Value]]
    notes: Sequence[str] = ()

    def markdown(self) -> str:
        """Return a GitHub table, padded to be readable as plain text too; numbers are right-aligned."""
        cells = [[c.title for c in self.columns]]
        cells += [[_text(row.get(c.key), c) for c in self.columns] for row in self.rows]
        right = [any(_is_number(row.get(c.key)) for row in self.rows) for c in self.columns]
        lines = padded(cells, right, least=3)
        rule = ["-" * (len(t) - 1) + ":" if r else "-" * len(t) for t, r in zip(lines[0], right, strict=True)]
        shown = "".join(f"| {' | '.join(line)} |\n" for line in [lines[0], rule, *lines[1:]])
        return shown + "".join(f"\n{note}\n" for note in self.notes)

    def csv(self) -> str:
        """Return CSV with a header of keys and values of full precision."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([c.key for c in self.columns])
        writer.writerows([_blank(row.get(c.key)) for c in self.columns] for row in self.rows)
        return out.getvalue()

    def json(self) -> str:
        """Return a JSON list of objects with the columns' keys; blanks are null, infinite numbers the text "inf"."""
        rows = [{c.key: _plain(row.get(c.key)) for c in self.columns} for row in self.rows]
        return json.dumps(rows, indent=2, allow_nan=False)


def mean_row(rows: Sequence[Mapping[str, Value]], **labels: Value) -> dict[str, Value]:
    """Return the mean over rows of every key that is a number in all of them, with `labels` for other keys."""
    means: dict[str, Value] = {}
    for key in rows[0] if rows else ():
        values = [v for row in rows if isinstance(v := row.get(key), int | float) and not math.isnan(v)]
        if len(values) == len(rows):
            means[key] = math.fsum(values) / len(values) if all(map(math.isfinite, values)) else math.inf
    return {**means, **labels}


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float)


def _blank(value: Value) -> Value:
    return None if isinstance(value, float) and math.isnan(value) else value


def _plain(value: Value) -> Value:
    value = _blank(value)
    return str(value) if isinstance(value, float) and math.isinf(value) else value


def _text(value: Value, column: Column) -> str:
    value = _blank(value)
    if value is None:
        return ""
    if value == math.inf:
        return column.infinite
    text = f"{value:z.{column.digits}f}" if isinstance(value, float) else str(value)
    return text.replace("|", "\\|")
