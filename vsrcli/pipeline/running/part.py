"""A part of a job's frames that is run separately, from a frame in the middle of the source."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from vsrcli.frame import Frame


@dataclass(frozen=True)
class Part:
    """Frames [first, stop) of a job, of which segments begin at `first`.

    The net is run from frame `begin` on, which lies in the scene that starts at frame `scene`; what it makes of the
    frames before `first` is dropped. `pictures` are the numbers of the pictures that the source's frames show; frame
    `begin` shows one that the frame before does not. `read(number, warn)` yields the source's frames from a number on,
    and beyond `stop`.
    """

    first: int
    stop: int
    begin: int
    scene: int
    pictures: Sequence[int]
    read: Callable[[int, Callable[[str], None]], Iterator[Frame]]

    def past(self, pictures: int) -> int:
        """Return the first of the frames that show the last `pictures` pictures before frame `begin`."""
        return bisect_left(self.pictures, self.pictures[self.begin] - pictures)
