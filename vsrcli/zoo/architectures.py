"""All architectures, found in the files of the nets. Each net's file describes it, see `vsrcli/nets/marks.py`."""

import importlib
import pkgutil
from collections.abc import Iterable
from graphlib import TopologicalSorter

from vsrcli import nets
from vsrcli.nets.marks import Architecture, Config, Shapes

__all__ = ["ARCHITECTURES", "UNSUPPORTED", "Architecture", "Config", "Shapes"]


def find() -> dict[str, Architecture]:
    """Return the ARCHITECTURE of every module of `vsrcli.nets` that has one, by name, in the order of the modules."""
    modules = [importlib.import_module(f"{nets.__name__}.{one.name}") for one in pkgutil.iter_modules(nets.__path__)]
    found = [vars(module)["ARCHITECTURE"] for module in modules if "ARCHITECTURE" in vars(module)]
    return {one.name: one for one in found}


def ordered(found: Iterable[Architecture]) -> list[Architecture]:
    """Return architectures, each one ahead of those in its `before`. Raises CycleError if that is impossible."""
    known = {one.name: one for one in found}
    sorter: TopologicalSorter[str] = TopologicalSorter({name: [] for name in known})
    for one in known.values():
        for later in one.before:
            sorter.add(later, one.name)
    return [known[name] for name in sorter.static_order()]


ARCHITECTURES: dict[str, Architecture] = {one.name: one for one in ordered(find().values())}
"""All architectures by name, in the order in which a checkpoint's keys are compared with their markers."""

UNSUPPORTED = {
    "pcd_align.": "EDVR's feature extractor alone, which is only a part of IconVSR",
    "basic_module.": "SPyNet alone, which is only a part of the video nets",
}
"""Known nets that cannot be loaded, by marker, so that the message can say so."""
