"""The actor on a node of a Ray cluster: it keeps its models loaded and runs one shard after another."""

import contextlib
import platform
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vsrcli.errors import VsrError
from vsrcli.pipeline.events import Event
from vsrcli.shards.making import begin_work
from vsrcli.shards.plan import Place, ShardPlan, SourcePlan
from vsrcli.shards.running import check_places, run_shard
from vsrcli.shards.transport import Made, pack_shard, unpack
from vsrcli.zoo.loading import Loader


class Worker:
    """An actor. Of its methods `progress` may be called while `make` runs."""

    def __init__(self, plan: ShardPlan, threads: int) -> None:
        import torch

        torch.set_num_threads(max(1, threads))
        self._plan, self._load = plan, Loader()
        self._done = 0
        self._copies: dict[int, tuple[SourcePlan, Path]] = {}

    def sees(self) -> list[bool]:
        """Return for each source whether this machine sees it and its work folder."""
        found = []
        for source in self._plan.sources:
            try:
                check_places(source)
                found.append(True)
            except VsrError:
                found.append(False)
        return found

    def node(self) -> str:
        """Return the machine's name."""
        return platform.node()

    def progress(self) -> int:
        """Return the number of finished frames of the shard that it runs."""
        return self._done

    def make(self, number: int, pieces: Sequence[Any] | None) -> tuple[int, Made | None]:
        """Run a shard and return its frames, and its files if the source came in `pieces` (Ray's references)."""
        place = self._plan.places[number - 1]
        self._done = 0
        if pieces is None:
            return run_shard(self._plan, place, self._hear, load=self._load).frames, None
        source = self._copy(place.source, pieces)
        plan = ShardPlan(self._plan.version, (source,))
        result = run_shard(plan, Place(number, source, place.index), self._hear, load=self._load)
        made = pack_shard(source, place.index)
        shutil.rmtree(source.shard_folder(place.index), ignore_errors=True)
        return result.frames, made

    def close(self) -> None:
        """Delete the copies of sources."""
        for _, folder in self._copies.values():
            shutil.rmtree(folder, ignore_errors=True)

    def _copy(self, source: SourcePlan, pieces: Sequence[Any]) -> SourcePlan:
        import ray

        key = next(n for n, one in enumerate(self._plan.sources) if one is source)
        if key not in self._copies:
            folder = Path(tempfile.mkdtemp(prefix="vsr-ray-"))
            try:
                copy = unpack(source, (ray.get(piece) for piece in pieces), folder)
                begin_work(copy, restart=False)
            except BaseException:
                with contextlib.suppress(OSError):
                    shutil.rmtree(folder)
                raise
            self._copies[key] = copy, folder
        return self._copies[key][0]

    def _hear(self, event: Event) -> None:
        if event.kind in ("start", "frame"):
            self._done = event.done
