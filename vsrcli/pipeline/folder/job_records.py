"""The records of a job on disk. They may have been changed by others, so invalid ones are rejected."""

import json
from itertools import count, takewhile
from pathlib import Path
from typing import Any

from vsrcli.engine.plan import Plan
from vsrcli.errors import Reason, UsageError
from vsrcli.files import write_durably
from vsrcli.pipeline.folder.work_files import JOB_NAME, read_small


def damaged(folder: Path) -> UsageError:
    """Return the error for a job whose records or states are not as vsr writes them."""
    return UsageError(f"{folder} holds a damaged job", Reason.JOB_DAMAGED)


def read_segment_record(path: Path) -> dict[str, Any] | None:
    """Return the record of a finished segment; None if it is damaged."""
    try:
        record: dict[str, Any] = json.loads(read_small(path))
        sound = all(isinstance(pts, int) for pts in record["pts"]) and isinstance(record["last"], bool)
        sound &= isinstance(record["segment"], dict) and isinstance(record["state"], dict | None)
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return record if sound else None


def read_job_record(folder: Path, wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the record of the job in `folder`, or write `wanted` there and return it.

    Raises UsageError if they differ.
    """
    path = folder / JOB_NAME
    if not path.exists():
        write_durably(path, json.dumps(wanted, indent=1).encode())
        return wanted
    try:
        found: dict[str, Any] = json.loads(read_small(path))
        changed = [k for part in ("source", "settings") for k in wanted[part] if found[part].get(k) != wanted[part][k]]
    except (OSError, ValueError, KeyError, AttributeError, TypeError, RecursionError):
        raise damaged(folder) from None
    if changed:
        named = ", ".join(name.replace("_", " ") for name in changed)
        raise UsageError(f"{folder} holds an unfinished job that differs in {named}", Reason.JOB_DIFFERS)
    return found


def frames_kept(folder: Path, wanted: dict[str, Any]) -> int:
    """Return how many frames of the same job an earlier run has kept in `folder`; nothing is written or verified."""
    if not (folder / JOB_NAME).exists():
        return 0
    try:
        read_job_record(folder, wanted)
    except UsageError:
        return 0
    records = (read_segment_record(folder / f"{index:06d}.json") for index in count())
    return sum(len(record["pts"]) for record in takewhile(bool, records) if record)


def begun_with(folder: Path) -> str | None:
    """Return the model's name in the record of the job in `folder`; None if there is no readable record."""
    try:
        return str(json.loads(read_small(folder / JOB_NAME))["settings"]["model"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def is_sound(plan: Plan, segment_frames: int) -> bool:
    """Return whether a plan from a file is valid."""

    def whole(value: object, least: int) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and least <= value <= 1 << 40

    window, tile, horizon = plan.window, plan.tile, plan.horizon
    return (
        whole(segment_frames, 1)
        and (window is None or (whole(window, 1) and segment_frames % window == 0))
        and whole(plan.lookahead, 0)
        and whole(plan.halo, 0)
        and (tile is None or (len(tile) == 2 and all(whole(side, 1) for side in tile)))
        and (horizon is None or all(whole(n, 0) or isinstance(n, float | bool | None) for n in vars(horizon).values()))
        and isinstance(plan.exact, bool)
        and isinstance(plan.keep_colours, bool)
        and isinstance(plan.hold_repeats, bool)
        and whole(plan.near, 0)
    )
