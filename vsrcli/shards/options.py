"""Options of cutting sources into shards. This module imports no torch."""

from dataclasses import dataclass

from vsrcli.errors import UsageError
from vsrcli.records import Record, option

WARMUP = 15
"""Default number of warm-up frames; `vsr evaluate --ablate warmup` measures the loss of fewer."""

SHARD_FRAMES = 1800
"""Default number of frames in a shard: a minute of video or more, of which some 30 frames are run twice."""


@dataclass(frozen=True)
class ShardOptions(Record):
    """The cutting of sources: the total number of `shards`, or the length of a shard, `shard_frames`.

    `warmup` is the number of frames that a shard runs before its own if it begins within a shot.
    """

    shards: int | None = option(None, least=1)
    shard_frames: int | None = option(None, least=1)
    warmup: int = option(WARMUP, least=0)

    def check(self) -> None:
        """Raise UsageError if the options contradict each other."""
        if self.shards is not None and self.shard_frames is not None:
            raise UsageError("a number of shards and a length of shards exclude each other: give one")

    def count(self, frames: int, of: int) -> int:
        """Return the number of shards of a source with so many frames; all sources together have `of`."""
        if self.shards is not None:
            return max(1, round(self.shards * frames / of))
        return -(-frames // (self.shard_frames or SHARD_FRAMES))
