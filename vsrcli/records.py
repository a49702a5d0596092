"""Records of options: frozen dataclasses with typed fields, from which all other forms of an option are derived."""

import math
import os
import re
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields, is_dataclass
from fractions import Fraction
from numbers import Integral, Real
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from vsrcli.errors import UsageError
from vsrcli.rates import exact_rate

Kept = Literal["asked", "resolved", "no"]
"""How a job's record keeps an option: the requested value; the resolved value; or not at all, since no frame depends on
it or another option includes it."""

_WXH = re.compile(r"[0-9]{1,9}x[0-9]{1,9}", re.IGNORECASE)
LARGEST_DENOMINATOR = 1_000_000
"""Largest denominator of a rate: numbers such as 29.97 are no exact fractions."""


def option(
    default: Any,
    *,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    noun: str | None = None,
    unit: str | None = None,
    kept: Kept = "asked",
) -> Any:
    """Return a field of a record of options.

    Limits apply to a number, or to each of a pair.

    Args:
        default: default value.
        least: smallest value.
        above: the value must be greater.
        most: largest value.
        noun: name in messages, instead of the field's name.
        unit: distinguishes numbers that are written differently (seconds, bytes, rate: frames a second).
        kept: how a job's record keeps it.
    """
    about = {"least": least, "above": above, "most": most, "noun": noun, "unit": unit, "kept": kept}
    return field(default=default, metadata=about)


@dataclass(frozen=True)
class Option:
    """One field of a record: its name, the alternatives of its type, its default, and the arguments of `option`."""

    name: str
    kinds: tuple[Any, ...]
    default: Any
    least: float | None = None
    above: float | None = None
    most: float | None = None
    noun: str | None = None
    unit: str | None = None
    kept: Kept = "asked"

    @property
    def words(self) -> tuple[str, ...]:
        """The words that it accepts, in order; empty for numbers and free text."""
        return tuple(word for kind in self.kinds if get_origin(kind) is Literal for word in get_args(kind))

    def fit(self, value: Any) -> Any:
        """Convert a value to the type of this option. Raises UsageError if it has another type or is out of range."""
        for kind in self.kinds:
            fitted = _fit(kind, value)
            if fitted is not MISSING:
                self._check(fitted)
                return exact_rate(fitted) if self.unit == "rate" and isinstance(fitted, Fraction) else fitted
        noun = self.noun or self.name.replace("_", " ")
        if all(get_origin(kind) is Literal for kind in self.kinds):
            raise UsageError(f"no such {noun}: {value} (use {', '.join(self.words)})")
        raise UsageError(f"not a {noun}: {value!r} (give {' or '.join(map(_described, self.kinds))})")

    def _check(self, value: Any) -> None:
        numbers = value if isinstance(value, tuple) else (value,)
        limits = [f"{self.least:g} or more"] if self.least is not None else []
        limits += [f"more than {self.above:g}"] if self.above is not None else []
        limits += [f"{self.most:g} or less"] if self.most is not None else []
        for number in numbers:
            if not isinstance(number, int | float | Fraction) or isinstance(number, bool):
                continue
            low = (self.least is not None and number < self.least) or (self.above is not None and number <= self.above)
            if low or (self.most is not None and number > self.most):
                noun = self.noun or self.name.replace("_", " ")
                shown = "x".join(map(str, numbers))
                raise UsageError(f"not a {noun}: {shown} (it must be {' and '.join(limits)})")


def options_of(record: type) -> tuple[Option, ...]:
    """Return the options of a type of record, in the order of its fields."""
    hints = get_type_hints(record)
    assert is_dataclass(record)
    return tuple(Option(f.name, _alternatives(hints[f.name]), f.default, **f.metadata) for f in fields(record))


class Record:
    """Base of frozen dataclasses of options. It converts values to the types of the fields.

    Raises UsageError for a value of another type or out of range.
    """

    def __post_init__(self) -> None:
        for one in options_of(type(self)):
            object.__setattr__(self, one.name, one.fit(getattr(self, one.name)))

    def plain(self, *, keep: Callable[[Option], bool] = lambda option: True) -> dict[str, Any]:
        """Return the options for which `keep` is true as plain data for JSON, by name."""
        return {one.name: plain(getattr(self, one.name)) for one in options_of(type(self)) if keep(one)}


def plain(value: Any) -> Any:
    """Return the value of an option as plain data for JSON."""
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, tuple):
        return list(value)
    return asdict(value) if is_dataclass(value) and not isinstance(value, type) else value


def _alternatives(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _fit(kind: Any, value: Any) -> Any:
    """Return the value converted to one type, or MISSING."""
    if get_origin(kind) is Literal:
        return value if isinstance(value, str) and value in get_args(kind) else MISSING
    if get_origin(kind) is tuple:
        return _texts(value) if get_args(kind) == (str, ...) else _pair(value)
    if kind in (int, float, Fraction):
        return _number(kind, value)
    if kind is str and isinstance(value, os.PathLike):
        return os.fspath(value)
    return value if isinstance(value, kind) else MISSING


def _number(kind: type, value: Any) -> Any:
    accepted: Any = Integral if kind is int else Real
    if isinstance(value, bool) or not isinstance(value, accepted) or not math.isfinite(value):
        return MISSING
    if kind is Fraction:
        return Fraction(value).limit_denominator(LARGEST_DENOMINATOR)
    return kind(value)


def _texts(value: Any) -> Any:
    """Return texts as a tuple; of a mapping, texts like "key=value"."""
    if isinstance(value, Mapping):
        value = [f"{key}={one}" for key, one in value.items()]
    if not isinstance(value, tuple | list) or not all(isinstance(one, str) for one in value):
        return MISSING
    return tuple(value)


def _pair(value: Any) -> Any:
    """Return two whole numbers as a tuple, also of a text like "64x48"."""
    if isinstance(value, str) and _WXH.fullmatch(value):
        value = tuple(map(int, value.lower().split("x")))
    if not isinstance(value, tuple | list) or len(value) != 2:
        return MISSING
    numbers: Iterator[Any] = (_number(int, number) for number in value)
    pair = tuple(numbers)
    return MISSING if MISSING in pair else pair


def _described(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " or ".join(map(repr, get_args(kind)))
    if get_origin(kind) is tuple:
        return "a list of texts" if get_args(kind) == (str, ...) else "a pair of whole numbers or 'WxH'"
    names = {int: "a whole number", float: "a number", Fraction: "a number", str: "a text", bool: "True or False"}
    return "None" if kind is types.NoneType else names.get(kind, f"a {kind.__name__}")
