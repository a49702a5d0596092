"""What may be asked of how sources are cut into shards. Imports no torch."""

from dataclasses import dataclass

from vsrcli.errors import UsageError
from vsrcli.records import Record, option

WARMUP = 15
"""Frames; `vsr evaluate --ablate warmup` prints what fewer cost."""

SHARD_FRAMES = 1800
"""Frames in a shard where nothing is asked for: a minute of film or more, which begins some 30 frames early."""


@dataclass(frozen=True)
class ShardOptions(Record):
    """How sources are cut: into so many `shards` in all, or into shards of about `shard_frames` frames each.

    `warmup` is how many frames a shard that begins within a shot runs before its own.
    """

    shards: int | None = option(None, least=1)
    shard_frames: int | None = option(None, least=1)
    warmup: int = option(WARMUP, least=0)

    def check(self) -> None:
        """Raise UsageError if the options contradict each other."""
        if self.shards is not None and self.shard_frames is not None:
            raise UsageError("a number of shards and a length of shards exclude each other: give one")

    def count(self, frames: int, of: int) -> int:
        """Return into how many shards a source of so many frames is cut, where all sources together have `of`."""
        if self.shards is not None:
            return max(1, round(self.shards * frames / of))
        return -(-frames // (self.shard_frames or SHARD_FRAMES))
