"""The interface of destinations of HR frames. Each consists of segments and gets its name at the end."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vsrcli.frame import Frame
from vsrcli.media.read.joins import Join
from vsrcli.pipeline.folder.work_folder import Segment


class Writer(Protocol):
    """Writer of the frames of one segment."""

    def write(self, frame: Frame) -> None:
        """Write one frame of levels."""

    def close(self) -> None:
        """Flush and complete the segment."""


class Announce(Protocol):
    """Callback with the next name of the output, and the finished file that will get it (None: images)."""

    def __call__(self, output: Path, *, file: Path | None = None) -> None:
        """Record the name."""


@dataclass(frozen=True)
class Placing:
    """Settings for naming an output: whether it may `overwrite`, the callback, and the name that an earlier run used.

    `cancelled` returns whether to stop while the output is being written.
    """

    overwrite: bool
    announce: Announce
    begun: str | None
    cancelled: Callable[[], bool]


class Sink(Protocol):
    """One kind of output.

    `size` is (width, height) as coded, `shown` as players show it, upright and in square pixels.
    `warnings` are lines about what the output cannot hold, `kept` the names of what it gets beside the picture and
    another might not. `keeps_alpha` says whether it keeps the source's transparency.
    """

    output: Path
    kept: tuple[str, ...]
    size: tuple[int, int]
    shown: tuple[int, int]
    warnings: list[str]
    keeps_alpha: bool

    def settings(self) -> dict[str, object]:
        """Return the settings that affect the encoded frames, for the job's record."""

    def held(self, frames: int | None) -> int:
        """Return about how many bytes are held while `frames` (None: many) frames are encoded."""

    def writer(self, path: Path) -> Writer:
        """Return a writer for the segment at `path`."""

    def finish(
        self,
        segments: Sequence[Segment],
        tags: Mapping[str, str],
        warn: Callable[[str], None],
        placing: Placing,
        joins: Sequence[Join] = (),
    ) -> Path:
        """Move the complete output into place and return its name. At `joins` the source's clock jumps back."""
