"""Published figures beside the results of `vsr evaluate`: which fit them, and what they are of."""

from collections.abc import Collection
from typing import Any

from vsrcli.errors import UsageError
from vsrcli.evaluate.literature import reported
from vsrcli.evaluate.published import published, recognise
from vsrcli.zoo.catalogue import Figures

PAPERS_SCALE = 4
"""The scale of the papers' tables."""


def own_figures(
    asked: dict[str, Any], scale: int, run: Collection[str], clips: int
) -> tuple[dict[str, Figures], list[str]]:
    """Return the published figures of the models that are `run`, and sentences about what they are of."""
    test = None if asked["crf"] or asked["noise"] else recognise(asked["data"])
    if test is None:
        return {}, []
    found = {name: one for name, one in published(test, asked["degradation"], scale).items() if name in run}
    if not (found or asked["with_published"]):
        return {}, []
    if test.channels != asked["channels"]:
        return {}, [f"Published figures of {test.title} are with --channels {test.channels}."]
    remarks = []
    if clips != test.clips:
        run_here = f"{clips} {'was' if clips == 1 else 'were'} run"
        remarks.append(f"Published figures are of all {test.clips} clips of {test.title}; {run_here}.")
    if asked["frames"]:
        remarks.append("Published figures are of whole clips, not of their first frames.")
    return found, remarks


def literature_of(asked: dict[str, Any], scale: int) -> str:
    """Return the key of the test set with published results. Raises UsageError if none fits these results."""
    test = recognise(asked["data"])
    if test is None:
        raise UsageError(f"--published: {asked['data']} is named like no test set that papers report of")
    if scale != PAPERS_SCALE or asked["crf"] or asked["noise"] or not any(reported(test.key, asked["degradation"])):
        raise UsageError(f"--published: papers report nothing of {test.title} made in this way")
    if test.channels != asked["channels"]:
        raise UsageError(f"--published: papers report of {test.title} with --channels {test.channels}")
    return test.key
