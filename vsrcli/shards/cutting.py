"""Cut a source into shards so that the longest one takes the least time.

Shards end where the encoder's segments end, at multiples of a number of frames, so that the joined file is the one
that a single machine writes. A shard that ends there just after a scene cut costs nothing but the frames between the
two: the next one begins at the cut, as a single run would, and drops them. A shot that is longer than a shard should
be is cut at other borders too; there the net is warmed up on the frames before.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Shard:
    """Frames [first, stop) of a source; the net runs from frame `begin` on, in the scene that starts at `scene`.

    If `begin` equals `scene`, the frames equal those of a single run. `cost` is the number of frames that are run.
    """

    first: int
    stop: int
    begin: int
    scene: int
    cost: int

    @property
    def exact(self) -> bool:
        """Whether its frames equal those of a single run."""
        return self.begin == self.scene


@dataclass(frozen=True)
class _Border:
    """A possible first frame of a shard, and the frame at which the net would begin for it.

    `seen` is the end of the frames that the shard before runs.
    """

    first: int
    begin: int
    scene: int
    seen: int


def cut(
    frames: int,
    cuts: Sequence[int],
    *,
    count: int,
    segment: int,
    warmup: int,
    longest: int | None = None,
    whole_scenes: bool = False,
) -> list[Shard]:
    """Cut a source of `frames` frames into at most `count` shards so that the highest cost of a shard is minimal.

    `cuts` are the frames, in order, at which scenes start (0 may be left out). Shards begin at multiples of `segment`.
    Shots longer than `longest` (default: frames / count) are cut inside, after `warmup` frames. With `whole_scenes`,
    for nets that see a scene as a whole, none are.
    """
    starts = sorted({0, *cuts})
    longest = longest or max(1, -(-frames // count))
    borders = list(_borders(frames, starts, segment, warmup, longest, whole_scenes))
    least, most = -(-frames // count), frames
    while least < most:
        limit = (least + most) // 2
        if _within(borders, limit, count) is None:
            least = limit + 1
        else:
            most = limit
    chosen = _within(borders, most, count)
    assert chosen is not None  # one shard of all frames is within the limit
    return [
        Shard(border.first, after.first, border.begin, border.scene, after.seen - border.begin)
        for border, after in zip(chosen, [*chosen[1:], borders[-1]], strict=True)
    ]


def _borders(
    frames: int, starts: Sequence[int], segment: int, warmup: int, longest: int, whole_scenes: bool
) -> list[_Border]:
    """Return the possible first frames of shards, in order, and the end. Each begins no earlier than the one before."""
    ends = [*starts[1:], frames]
    firsts: set[int] = set()
    for start, end in zip(starts, ends, strict=True):
        first = -(-start // segment) * segment
        firsts.add(first)
        if end - start > longest and not whole_scenes:
            firsts.update(range(first, end, segment))
    borders = []
    for first in sorted(first for first in firsts if first < frames):
        scene = starts[bisect_right(starts, first) - 1]
        inside = first - scene >= segment and not whole_scenes
        begin = max(scene, first - warmup) if inside else scene
        # if scenes are seen as a whole, the shard before has run all of this one
        ahead = bisect_left(starts, first)
        seen = first if not whole_scenes else starts[ahead] if ahead < len(starts) else frames
        borders.append(_Border(first, begin, scene, seen))
    return [*borders, _Border(frames, frames, frames, frames)]


def _within(borders: Sequence[_Border], limit: int, count: int) -> list[_Border] | None:
    """Return the first frames of the fewest shards with costs up to `limit`, or None if they are more than `count`.

    Each shard is as long as possible: then the next one begins later and reaches farther too.
    """
    ends = [border.seen for border in borders]
    chosen: list[_Border] = []
    at = 0
    while at < len(borders) - 1:
        if len(chosen) == count:
            return None
        chosen.append(borders[at])
        reached = bisect_right(ends, borders[at].begin + limit) - 1
        if reached <= at:
            return None
        at = reached
    return chosen
