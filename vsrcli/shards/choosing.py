"""Choose the shard to run: the one that the caller names, or the one of the scheduler's array task."""

import re
from collections.abc import Mapping

from vsrcli.errors import Reason, UsageError
from vsrcli.shards.plan import Place, ShardPlan

VARIABLES = {"SLURM_ARRAY_TASK_ID": 1, "JOB_COMPLETION_INDEX": 0, "AWS_BATCH_JOB_ARRAY_INDEX": 0}
"""Of Slurm, Kubernetes and AWS Batch, with the number of the first task of an array."""


def choose(plan: ShardPlan, told: str | None, environment: Mapping[str, str]) -> Place:
    """Return the shard named as "3" or "3/16", counted from 1; without a name, that of the array task.

    Raises UsageError if there is no such shard, if the plan has another number of them, or if none is named.
    """
    count = len(plan.places)
    if told is not None:
        match = re.fullmatch(r"([0-9]{1,9})(?:/([0-9]{1,9}))?", told)
        if match is None:
            raise UsageError(f"not a shard: {told} (write it like 3/{count})")
        if match[2] is not None and int(match[2]) != count:
            raise UsageError(f"the plan has {count} shards, not {int(match[2])}")
        return _place(plan, int(match[1]), told)
    for name, first in VARIABLES.items():
        value = environment.get(name, "")
        if value:
            index = int(value) if re.fullmatch(r"[0-9]{1,9}", value) else -1
            return _place(plan, index - first + 1, f"{name}={value}")
    if count == 1:
        return plan.places[0]
    raise UsageError(f"the plan has {count} shards", Reason.NO_SHARD, count=count)


def _place(plan: ShardPlan, number: int, told: str) -> Place:
    if not 1 <= number <= len(plan.places):
        raise UsageError(f"there is no shard {told}: the plan has {len(plan.places)}, counted from 1")
    return plan.places[number - 1]
