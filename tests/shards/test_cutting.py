"""Where films are cut into shards: exactly at cuts, evenly, fast, and close to what no cutting could better."""

import heapq
import math
import time

import numpy as np
import pytest

from vsrcli.shards.cutting import Shard, cut

HOURS_2 = 172_800  # frames at 24 a second


def shots(frames: int = HOURS_2, *, seed: int = 0) -> list[int]:
    """Where the shots of a film begin: log-normal lengths with a median of 3 s and a mean of 4.5, as films have."""
    lengths = np.random.default_rng(seed).lognormal(math.log(72), 0.9, frames // 20).astype(int) + 8
    starts = np.concatenate([[0], np.cumsum(lengths)])
    return [int(start) for start in starts if start < frames]


def check(shards: list[Shard], frames: int, cuts: list[int], segment: int, warmup: int) -> None:
    assert [shard.first for shard in shards] == [0, *(shard.stop for shard in shards[:-1])]
    assert shards[-1].stop == frames
    for shard in shards:
        assert shard.first % segment == 0
        assert shard.scene == max(c for c in [0, *cuts] if c <= shard.first)
        assert shard.exact or shard.begin == shard.first - warmup
        assert shard.cost >= shard.stop - shard.begin


@pytest.mark.parametrize("count", [1, 2, 7, 16, 100])
@pytest.mark.parametrize("segment", [4, 60])
def test_shards_cover_the_video_and_start_at_segments(count: int, segment: int) -> None:
    for seed in range(5):
        frames = 3000 + 7 * seed
        cuts = shots(frames, seed=seed)
        found = cut(frames, cuts, count=count, segment=segment, warmup=15)
        assert 1 <= len(found) <= count
        check(found, frames, cuts, segment, 15)


def test_only_shots_longer_than_a_shard_are_split() -> None:
    cuts = [0, 100, 190, 310, 2000]
    split = [shard for shard in cut(2400, cuts, count=8, segment=60, warmup=15) if not shard.exact]
    assert {shard.scene for shard in split} == {310, 2000}
    assert all(shard.exact for shard in cut(400, [0, 100, 190, 310], count=3, segment=60, warmup=15))


@pytest.mark.parametrize(("frames", "cuts"), [(1, []), (59, [3]), (60, []), (61, [60]), (130, [1, 2, 3, 61, 62, 119])])
def test_short_videos_are_cut_too(frames: int, cuts: list[int]) -> None:
    for count in (1, 2, 50):
        check(cut(frames, cuts, count=count, segment=60, warmup=5), frames, cuts, 60, 5)


def test_scenes_are_not_split_for_exact_and_clip_propagation() -> None:
    cuts = [0, 70, 500, 900]
    found = cut(1000, cuts, count=10, segment=60, warmup=15, whole_scenes=True)
    check(found, 1000, cuts, 60, 15)
    assert all(shard.exact for shard in found) and {shard.first for shard in found} <= {0, 120, 540, 900}
    # each runs to the end of the scene in which it ends
    for shard in found:
        assert shard.cost == min(c for c in [*cuts, 1000] if c >= shard.stop) - shard.begin


def test_cutting_into_two_minimises_the_longest_shard() -> None:
    for seed in range(10):
        cuts = shots(1500, seed=seed)
        found = max(shard.cost for shard in cut(1500, cuts, count=2, segment=60, warmup=15))
        tried = []
        for first in range(60, 1500, 60):
            scene = max(c for c in cuts if c <= first)
            end = min((c for c in cuts if c > first), default=1500)
            if first - scene >= 60 and end - scene <= 750:
                continue
            begin = scene if first - scene < 60 else max(scene, first - 15)
            tried.append(max(first, 1500 - begin))
        assert found == min([*tried, 1500])


def test_a_two_hour_video_is_cut_in_under_two_seconds() -> None:
    cuts = shots()
    for count in (8, 64, 512):
        began = time.process_time()
        cut(HOURS_2, cuts, count=count, segment=60, warmup=15)
        assert time.process_time() - began < 2


def makespan(costs: list[int], workers: int) -> int:
    """Frames run until the last worker is done, each taking the next shard when it is free."""
    busy = [0] * workers
    for cost in sorted(costs, reverse=True):
        heapq.heappush(busy, heapq.heappop(busy) + cost)
    return max(busy)


@pytest.mark.parametrize(("workers", "least"), [(8, 0.97), (64, 0.9), (512, 0.7)])
def test_total_time_is_near_the_ideal(workers: int, least: float) -> None:
    shares = []
    for seed in range(4):
        found = cut(HOURS_2, shots(seed=seed), count=workers, segment=60, warmup=15)
        shares.append(HOURS_2 / workers / makespan([shard.cost for shard in found], workers))
    print(f"{workers} workers: {min(shares):.3f} to {max(shares):.3f} of ideal")
    assert min(shares) >= least
