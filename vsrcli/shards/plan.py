"""The plan of a job on several machines: all that each needs so that shards fit together."""

import hashlib
import json
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from vsrcli.engine.plan import Plan
from vsrcli.engine.repeats import picture_numbers
from vsrcli.pipeline.findings import Findings
from vsrcli.pipeline.jobs.places import job_folder
from vsrcli.shards.cutting import Shard


@dataclass(frozen=True)
class SourcePlan:
    """One source and its shards, in the order of time.

    `options` are those of the job in plain data, with model, precision and type of device settled. `settings` and
    `fingerprint` are what the job's record holds (jobs/job.py and fingerprint.py), `engine` and `segment_frames` how it
    is run; `asked` is how it was to be cut. `pts` and `sums` are of each frame: its time, and the CRC-32 of the levels
    that the net is given, which a near repeat takes from the frame that it repeats. `cuts` are the frames at which
    scenes start, except the first.
    """

    input: Path
    output: Path
    options: dict[str, Any]
    settings: dict[str, Any]
    fingerprint: dict[str, Any]
    engine: Plan
    segment_frames: int
    asked: dict[str, Any]
    shards: tuple[Shard, ...]
    pts: list[int] = field(repr=False)
    sums: list[int] = field(repr=False)
    cuts: list[int] = field(repr=False)
    findings: Findings = field(default_factory=Findings)

    @property
    def folder(self) -> Path:
        """The work folder. Each shard has a folder of its own in it."""
        return job_folder(self.output, self.options.get("work_dir"))

    def shard_folder(self, index: int) -> Path:
        """Return the work folder of one shard."""
        return self.folder / f"shard-{index:04d}"

    @cached_property
    def pictures(self) -> Sequence[int]:
        """Return the number of the picture that each frame shows: frames that are shown again count once."""
        return picture_numbers(self.sums, frozenset(self.cuts)) if self.engine.hold_repeats else range(len(self.sums))

    def picture_begin(self, frame: int) -> int:
        """Return the first of the frames that show the picture of a frame."""
        return bisect_left(self.pictures, self.pictures[frame])

    def origin(self, frame: int) -> int:
        """Return the first of the frames that have the picture of a frame, to the last bit or nearly."""
        while frame and self.sums[frame - 1] == self.sums[frame]:
            frame -= 1
        return frame

    @cached_property
    def identity(self) -> str:
        """A digest of the whole plan, which distinguishes work on it from work on another plan."""
        from vsrcli.shards.plan_file import source_record

        record = source_record(self) | {"shards": [vars(shard) for shard in self.shards]}
        return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Place:
    """A shard of a plan: its `number` from 1 on, and the `index` among those of its source."""

    number: int
    source: SourcePlan
    index: int

    @property
    def shard(self) -> Shard:
        """The shard's own record."""
        return self.source.shards[self.index]

    def __str__(self) -> str:
        last = self.shard.stop - 1
        return f"shard {self.number} (frames {self.shard.first} to {last} of {self.source.input.name})"


@dataclass(frozen=True)
class ShardPlan:
    """The plans of several sources; `version` is that of the vsr that made the plan."""

    version: str
    sources: tuple[SourcePlan, ...]

    @cached_property
    def places(self) -> list[Place]:
        """All shards, the longest first, which is the best order to run them; their numbers count from 1."""
        found = sorted(self._unordered(), key=lambda found: -found[0].shards[found[1]].cost)
        return [Place(number, source, index) for number, (source, index) in enumerate(found, 1)]

    def places_of(self, source: SourcePlan) -> list[Place]:
        """Return the shards of one source in the order of time."""
        return sorted((place for place in self.places if place.source is source), key=lambda place: place.index)

    def _unordered(self) -> Iterator[tuple[SourcePlan, int]]:
        for source in self.sources:
            for index in range(len(source.shards)):
                yield source, index
