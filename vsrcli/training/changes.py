"""What has changed from one recipe to another: what a command says of its options, and a run that goes on of both."""

import json
from collections.abc import Mapping
from typing import Any

from vsrcli.errors import UsageError

FIXED = {"net": ("arch", "config"), "optimiser": ("method", "frozen", "slow", "rates")}
"""Keys that a run keeps: its saved net and optimiser fit no other values."""
IDLE = ("start", "start_parts")
"""Keys that do nothing once a run has begun."""


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return which keys of a section have other values now: "rate 0.0005 -> 0.001".

    Keys that one of the two lacks, as sections of other versions may, are left out.
    """
    both = [key for key in now if key in before and now[key] != before[key]]
    return [f"{key} {json.dumps(before[key])} -> {json.dumps(now[key])}" for key in both]


def since(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return the differences between the recipe that a run followed and the one with which it goes on, as dictionaries.

    Raises UsageError if they concern what a run keeps.
    """
    for section, keys in FIXED.items():
        kept = differences({k: before[section][k] for k in keys if k in before[section]}, now[section])
        if kept:
            raise UsageError(f"a run cannot go on with another {kept[0].split()[0]}: {', '.join(kept)}")
    sections = [key for key, value in now.items() if isinstance(value, dict)]
    own = ({k: v for k, v in now[section].items() if k not in IDLE} for section in sections)
    return [line for section, part in zip(sections, own, strict=True) for line in differences(before[section], part)]
