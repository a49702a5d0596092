"""A record converts values to the types of its fields, and rejects all others in one line."""

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from vsrcli.engine.options import EngineOptions
from vsrcli.errors import UsageError
from vsrcli.nets.horizon import Horizon
from vsrcli.pipeline.options import Options
from vsrcli.records import Record, option, options_of


@dataclass(frozen=True)
class Toy(Record):
    count: int | None = option(None, least=1, most=9)
    share: float = option(0.5, above=0)
    pair: tuple[int, int] | Literal["auto"] | None = option("auto", least=2)
    rate: Fraction = option(Fraction(25))
    name: str | None = option(None, noun="title")
    on: bool = option(False, kept="no")


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("count", np.int64(3), 3),
        ("share", 1, 1.0),
        ("share", Fraction(1, 4), 0.25),
        ("pair", [4, 5], (4, 5)),
        ("pair", (np.uint8(4), 5), (4, 5)),
        ("pair", "4x5", (4, 5)),
        ("pair", None, None),
        ("rate", 29.97, Fraction(2997, 100)),
        ("rate", 30, Fraction(30)),
        ("name", Path("a") / "b", str(Path("a") / "b")),
    ],
)
def test_natural_values_are_converted_to_the_type_of_the_field(name: str, given: Any, kept: Any) -> None:
    value = getattr(Toy(**{name: given}), name)
    assert value == kept and type(value) is type(kept)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"count": 0}, "not a count: 0 (it must be 1 or more and 9 or less)"),
        ({"count": 10}, "not a count: 10"),
        ({"count": True}, "not a count: True (give a whole number or None)"),
        ({"count": 1.0}, "not a count: 1.0"),
        ({"count": "3"}, "not a count: '3'"),
        ({"share": 0}, "not a share: 0.0 (it must be more than 0)"),
        ({"share": float("inf")}, "not a share: inf"),
        ({"pair": "auto "}, "not a pair: 'auto ' (give a pair of whole numbers or 'WxH' or 'auto' or None)"),
        ({"pair": (4, 1)}, "not a pair: 4x1 (it must be 2 or more)"),
        ({"pair": "4x1"}, "not a pair: 4x1 (it must be 2 or more)"),
        ({"pair": "4x5x6"}, "not a pair: '4x5x6'"),
        ({"pair": (4, 5, 6)}, "not a pair: (4, 5, 6)"),
        ({"pair": (4, "5")}, "not a pair: (4, '5')"),
        ({"rate": "25"}, "not a rate: '25' (give a number)"),
        ({"name": 7}, "not a title: 7 (give a text or None)"),
        ({"on": 1}, "not a on: 1 (give True or False)"),
    ],
)
def test_other_values_are_rejected_in_one_line(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as refused:
        Toy(**given)
    assert str(refused.value).startswith(message)


def test_a_record_is_plain_data_by_name() -> None:
    toy = Toy(count=3, pair=(4, 5))
    everything = {"count": 3, "share": 0.5, "pair": [4, 5], "rate": "25", "name": None, "on": False}
    assert toy.plain() == everything
    assert toy.plain(keep=lambda one: one.kept == "asked") == {k: v for k, v in everything.items() if k != "on"}


def test_a_horizon_may_be_a_number_of_frames() -> None:
    assert EngineOptions(horizon=45).horizon == Horizon.of(45)  # type: ignore[arg-type]
    assert EngineOptions().horizon == Horizon() and EngineOptions(horizon=None).horizon is None
    with pytest.raises(UsageError, match="3 or more frames"):
        EngineOptions(horizon=Horizon(frames=2))


def test_the_record_of_a_job_holds_those_of_its_parts() -> None:
    names = [one.name for one in options_of(Options)]
    assert len(names) == len(set(names))
    assert {one.name for one in options_of(EngineOptions)} < set(names)
    assert replace(Options(), tile=[64, 32]).tile == (64, 32)  # type: ignore[arg-type]
