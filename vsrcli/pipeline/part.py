"""A part of a job's frames that is made by itself, from a frame in the middle of the source on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from vsrcli.frame import Frame


@dataclass(frozen=True)
class Part:
    """Frames [first, stop) of a job, of which segments begin at `first`.

    The net is run from frame `begin` on, which lies in the scene that starts at frame `scene`; what it makes of the
    frames before `first` is dropped. `read(number, warn)` yields the source's frames from a number on, and beyond
    `stop`.
    """

    first: int
    stop: int
    begin: int
    scene: int
    read: Callable[[int, Callable[[str], None]], Iterator[Frame]]
