"""Find the memory that this process may still take: of the machine, its containers and cluster job, and its own limits.

A container or a cluster job sees the whole machine's memory in the usual places, and is killed when it takes more than
its own share. That share is set by control groups (cgroups, version 1 or 2, possibly nested) or by the limits of
`ulimit`.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

UNLIMITED = 1 << 62
"""Limits from this number of bytes on mean no limit: version 1 writes the largest number of pages."""


@dataclass(frozen=True)
class Room:
    """The bytes that may still be taken, and the limit behind them, in words that follow "the 2 GiB that ..."."""

    size: int
    bound: str


def room(*, root: Path = Path("/")) -> Room:
    """Return the smallest of what the machine, the control groups and the limits of the process leave.

    `root` is the folder that contains `proc` and the mounted control groups.
    """
    rooms = [Room(psutil.virtual_memory().available, "are free on this machine")]
    if sys.platform == "linux":
        rooms += [Room(size, "the container or cluster job may still take") for size in group_rooms(root)]
    rooms += process_rooms()
    return min(rooms, key=lambda one: one.size)


def group_rooms(root: Path = Path("/")) -> Iterator[int]:
    """Yield the bytes left by each control group with a limit: the process's own and all groups around it."""
    for place, version in group_folders(root):
        limits = ("memory.max", "memory.high") if version == 2 else ("memory.limit_in_bytes",)
        used = _number(place / ("memory.current" if version == 2 else "memory.usage_in_bytes"))
        stat = _stat(place)
        found = [_number(place / name) for name in limits]
        if version == 1:  # tells of groups outside the container too
            found.append(stat.get("hierarchical_memory_limit"))
        bounds = [limit for limit in found if limit is not None and limit < UNLIMITED]
        if bounds and used is not None:
            yield max(0, min(bounds) - max(0, used - _reclaimable(stat, version)))


def group_folders(root: Path = Path("/")) -> list[tuple[Path, int]]:
    """Return the folders of the process's memory control groups with their version, innermost first.

    See proc(5): /proc/self/cgroup names the group in each hierarchy; /proc/self/mountinfo tells where it is mounted and
    which group is at the mount. What cannot be read counts as absent.
    """
    try:
        groups = (root / "proc/self/cgroup").read_text().splitlines()
        mounts = (root / "proc/self/mountinfo").read_text().splitlines()
    except (OSError, ValueError):
        return []
    named: dict[int, str] = {}
    for line in groups:
        number, controllers, name = [*line.split(":", 2), "", ""][:3]
        if number == "0" and not controllers:
            named[2] = name
        elif "memory" in controllers.split(","):
            named[1] = name
    found: list[tuple[Path, int]] = []
    for line in mounts:
        fields, _, rest = line.partition(" - ")
        kind, _, options = [*rest.split(" ", 2), "", ""][:3]
        version = {"cgroup2": 2, "cgroup": 1}.get(kind, 0)
        if version not in named or len(fields.split()) < 5:
            continue
        if version == 1 and "memory" not in options.split(" ")[-1].split(","):
            continue
        top, mount = (_unescaped(field) for field in fields.split()[3:5])
        found += [(place, version) for place in _upwards(root / mount.lstrip("/"), _inside(named[version], top))]
    return found


def _inside(name: str, top: str) -> Path:
    """Return a group's path relative to the group `top` at the mount.

    In a container without its own namespace for control groups, `name` is the path outside, which begins with `top`.
    Otherwise both the mount and `name` belong to the namespace.
    """
    path = Path(name)
    inside = path.relative_to(top) if path.is_relative_to(top) else path.relative_to("/") if path.root else path
    return Path() if ".." in inside.parts else inside


def _upwards(mount: Path, inside: Path) -> Iterator[Path]:
    """Yield the folder `inside` the mount, if it exists, and all folders above it up to the mount."""
    for place in (inside, *inside.parents):
        if (mount / place).is_dir():
            yield mount / place


def process_rooms() -> Iterator[Room]:
    """Yield what the limits of the process's address space and data segment leave (`ulimit`)."""
    if sys.platform != "linux":  # on other systems these limits do not apply or mean something else
        return
    import resource

    taken = psutil.Process().memory_info()
    limits = (
        (resource.RLIMIT_AS, taken.vms, "the limit of the address space leaves"),
        (resource.RLIMIT_DATA, taken.data, "the limit of the data segment leaves"),
    )
    for limit, used, bound in limits:
        soft, _ = resource.getrlimit(limit)
        if soft != resource.RLIM_INFINITY:
            yield Room(max(0, soft - used), bound)


def _reclaimable(stat: dict[str, int], version: int) -> int:
    """Return the bytes of cached files, which count as used but can be reclaimed, as in MemAvailable."""
    prefix = "" if version == 2 else "total_"
    return stat.get(f"{prefix}inactive_file", 0) + stat.get(f"{prefix}active_file", 0)


def _stat(place: Path) -> dict[str, int]:
    try:
        pairs = [line.split() for line in (place / "memory.stat").read_text().splitlines()]
    except (OSError, ValueError):
        return {}
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdecimal()}


def _number(path: Path) -> int | None:
    """Return the number in a file; None if there is none or it is "max"."""
    try:
        text = path.read_text().strip()
    except (OSError, ValueError):
        return None
    return int(text) if text.isdecimal() else None


def _unescaped(field: str) -> str:
    r"""Return a field of mountinfo with its escapes (\040 for a space) resolved."""
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), field)
