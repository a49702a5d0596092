"""Run one chunk of frames through a net: flows on whole frames, then all branches, tile by tile."""

from collections import deque
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from vsrcli.engine.lane import Lane
from vsrcli.engine.plan import STRIP_PIXELS, Plan
from vsrcli.engine.tiles import Tile, tile_grid
from vsrcli.frame import Frame
from vsrcli.levels import picture_tensor, picture_to_unit, to_unit
from vsrcli.nets.recurrent import (
    Branch,
    Features,
    RecurrentNet,
    State,
    Window,
    padding,
    state_names,
    sweep_window,
    upsample_window,
)

States = dict[str, State]
"""States by name on whole frames, in which branches enter a chunk: forward ones at its start, reverse ones at its end.
"""

Padded = Mapping[int, Tensor]
"""Frames by number, padded to a size for the net, where `Derived` has them: (1, 3, h, w), levels or prepared float32.
"""


MIDDLE = 0.5
"""What is taken from levels of 8 bits that wait as float16 until all tiles are done: so their steps are below 0.07."""


@dataclass(frozen=True)
class Chunk:
    """Frames [start, stop) of a scene that are upscaled together; frames up to `end` are used as lookahead.

    `scene` is the first frame of the scene, `scene_end` the one after its last, or None if it is not known yet.
    """

    start: int
    stop: int
    end: int
    scene: int
    scene_end: int | None

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass
class Derived:
    """Data derived from a waiting frame once they are needed: its padded levels and the prepared frame (1, 3, h, w),
    and its flows.

    They are on the device, or in main memory if frames are divided into tiles.
    """

    levels: Tensor | None = None
    prepared: Tensor | None = None
    to_next: Tensor | None = None
    to_previous: Tensor | None = None


class Frames:
    """The frames that wait, by number, in `store`, and the data derived from them."""

    def __init__(self, store: MutableMapping[int, Frame]) -> None:
        self._store = store
        self._derived: dict[int, Derived] = {}
        self.size = (0, 0)

    def __getitem__(self, number: int) -> Frame:
        return self._store[number]

    def add(self, frame: Frame) -> None:
        """Add a frame. Numbers increase."""
        self.size = (frame.height, frame.width)
        self._store[frame.number] = frame
        self._derived[frame.number] = Derived()

    def derived(self, number: int) -> Derived:
        """Return the data derived from a frame."""
        return self._derived[number]

    def clear_derived(self) -> None:
        """Delete the levels on the device, the prepared frames and the flows of all frames.

        They are computed again when needed.
        """
        for derived in self._derived.values():
            derived.levels = derived.prepared = derived.to_next = derived.to_previous = None

    def drop(self, before: int) -> None:
        """Delete the frames before a number."""
        while (number := next(iter(self._derived), before)) < before:
            del self._derived[number]
            del self._store[number]


def pad_picture(data: np.ndarray, multiple: int, min_size: int) -> np.ndarray:
    """Return a picture (h, w, 3) padded as `pad_frame` pads frames; levels remain levels."""
    h, w = data.shape[:2]
    pad_h, pad_w = padding(h, w, multiple, min_size)
    if not (pad_h or pad_w):
        return data
    return np.pad(data, ((0, pad_h), (0, pad_w), (0, 0)), mode="reflect" if pad_h < h and pad_w < w else "edge")


class ChunkRunner:
    """Runs chunks of `frames` through `net` on `device`. The caller handles exceptions for lack of memory."""

    def __init__(self, net: RecurrentNet, frames: Frames, device: torch.device) -> None:
        self.net, self.frames, self.device = net, frames, device
        self.lane = Lane(device)

    def lr(self, number: int, device: torch.device) -> Tensor:
        """Return a frame (3, h, w) in [0, 1] on the device of its result. Levels that are there are not moved again."""
        levels, (h, w) = self.frames.derived(number).levels, self.frames.size
        if device.type == "cpu" or levels is None or levels.device != device:
            return picture_to_unit(self.frames[number].data, device)
        return to_unit(levels[0, :, :h, :w])

    def upscale(self, chunk: Chunk, plan: Plan, before: States, after: States) -> Iterator[Tensor]:
        """Yield the chunk's HR frames (3, scale*h, scale*w).

        Branches enter the chunk in the states `before`. The states in which forward branches leave it are put into
        `after`.
        """
        net, padded = self.net, self._padded(chunk, plan)
        out_h, out_w = (side * net.scale for side in self.frames.size)
        with torch.inference_mode():
            self._estimate_flows(chunk, plan, padded, before, net.branches)
        h, w = padded[chunk.start].shape[-2:]
        tiles = self._tiles(h, w, plan)
        if len(tiles) == 1:
            for hr in self._upscale_tile(chunk, tiles[0], plan, padded, before, after):
                yield hr[..., :out_h, :out_w]
            return
        half = self.frames[chunk.start].bit_depth == 8 and len(chunk) > 1
        kind = torch.float16 if half else torch.float32
        canvas = deque(torch.zeros(3, h * net.scale, w * net.scale, dtype=kind) for _ in range(len(chunk)))
        for tile in tiles:
            weights, left = tile.weights(net.scale), dict[str, State]()
            for hr in self._upscale_tile(chunk, tile, plan, padded, before, left):
                target = canvas.popleft()
                part = hr.cpu() - MIDDLE if half else hr.cpu()
                tile.crop(target, net.scale).add_(part.mul_(weights) if half else part * weights)
                if tile is tiles[-1]:
                    yield (target.float().add_(MIDDLE) if half else target)[..., :out_h, :out_w]
                else:
                    canvas.append(target)
            stitch_states(after, left, tile, (h, w))

    @torch.inference_mode()
    def sweep(self, chunk: Chunk, plan: Plan, before: States, branch: Branch) -> States:
        """Return the states in which `branch` leaves the chunk, on whole frames in main memory.

        No HR frame is computed.
        """
        branches = self.net.branches[: self.net.branches.index(branch) + 1]
        padded, after = self._padded(chunk, plan), dict[str, State]()
        self._estimate_flows(chunk, plan, padded, before, branches)
        h, w = padded[chunk.start].shape[-2:]
        for tile in self._tiles(h, w, plan):
            left = sweep_window(self.net, self._window(chunk, tile, plan, padded, before), branch)
            stitch_states(after, left, tile, (h, w))
        self.frames.clear_derived()  # a scene's flows are more than memory may hold
        return after

    def _padded(self, chunk: Chunk, plan: Plan) -> Padded:
        """Return the chunk's frames, one more on either side for the flows, and those that `encode` uses."""
        net = self.net
        reach = max(1, net.context)
        # while a scene goes on, no branch enters a chunk in reverse: only `encode` looks beyond its end
        last = chunk.end + net.context if chunk.scene_end is None else min(chunk.end + reach, chunk.scene_end)
        numbers = range(max(chunk.scene, chunk.start - reach), last)
        return {n: self._prepared(n, plan) for n in numbers}

    def _prepared(self, number: int, plan: Plan) -> Tensor:
        """Return one frame padded and prepared for the net. It is cached."""
        net, derived = self.net, self.frames.derived(number)
        if derived.prepared is not None:
            return derived.prepared
        levels = derived.levels
        if levels is None:
            picture = pad_picture(self.frames[number].data, net.multiple, net.min_size)
            levels = picture_tensor(picture).permute(2, 0, 1)[None]
            if self.device.type != "cpu" and plan.tile is None:
                derived.levels = levels = self.lane.up(levels)
        if not net.prepares:
            return levels
        with torch.inference_mode():
            derived.prepared = self._home(net.prepare(self._unit(levels)), plan)
        return derived.prepared

    def _unit(self, planes: Tensor) -> Tensor:
        """Return planes, levels or float32, as contiguous float32 on the device."""
        return to_unit(self.lane.up(planes)).contiguous()

    def _home(self, tensor: Tensor, plan: Plan) -> Tensor:
        """Return data derived from a whole frame where they are stored: with tiles in main memory."""
        return tensor if plan.tile is None else tensor.cpu()

    def _tiles(self, h: int, w: int, plan: Plan) -> list[Tile]:
        net = self.net
        return tile_grid(h, w, plan.tile, halo=plan.halo, multiple=net.multiple, min_size=net.min_size)

    def _estimate_flows(
        self, chunk: Chunk, plan: Plan, padded: Padded, before: States, branches: Sequence[Branch]
    ) -> None:
        """Estimate the flows that `branches` need, on whole frames.

        Tiles crop them, so that flows have no tile borders.
        """
        enters_in_reverse = any(branch.reverse and branch.name in before for branch in branches)
        backward_end = chunk.end + 1 if enters_in_reverse else chunk.end
        forward_end = chunk.end if self.net.forward_lookahead else chunk.stop
        reverse = any(branch.reverse for branch in branches)
        forward = any(not branch.reverse for branch in branches)

        @lru_cache(maxsize=3)
        def unit(n: int) -> Tensor:
            return self._unit(padded[n])

        for n in range(chunk.start, chunk.end):
            derived = self.frames.derived(n)
            if forward and chunk.scene < n < forward_end and derived.to_previous is None:
                derived.to_previous = self._home(self.net.flow(unit(n), unit(n - 1)), plan)
            if reverse and n + 1 < backward_end and derived.to_next is None:
                derived.to_next = self._home(self.net.flow(unit(n), unit(n + 1)), plan)

    def _upscale_tile(
        self, chunk: Chunk, tile: Tile, plan: Plan, padded: Padded, before: States, after: States
    ) -> Iterator[Tensor]:
        """Yield the HR crops (3, scale*crop_h, scale*crop_w) of one tile.

        The states at its end are put into `after` before the last crop is yielded.
        """
        names = [name for b in self.net.branches if not b.reverse for name in state_names(b)]
        with torch.inference_mode():
            window = self._window(chunk, tile, plan, padded, before)
            steps = upsample_window(self.net, window)
        while True:
            with torch.inference_mode():
                hr = next(steps, None)
            if hr is None:
                break
            after.clear()
            after.update({name: window.states[name] for name in names if name in window.states})
            yield hr[0]

    def _window(self, chunk: Chunk, tile: Tile, plan: Plan, padded: Padded, states: States) -> Window:
        """Return the tile of the chunk as a window on the device, with all that the branches need."""
        net, h = self.net, padded[chunk.start].shape[-2]
        length = None if chunk.scene_end is None else chunk.scene_end - chunk.scene
        first = min(padded)
        lr = [self._unit(tile.crop(padded[n])) for n in sorted(padded)]
        encoded: list[Features] = [
            net.encode(lr, n - first, number=n - chunk.scene, length=length) for n in range(chunk.start, chunk.end)
        ]
        seen = [self.frames.derived(n) for n in range(chunk.start, chunk.end)]

        def crop(x: Tensor | None) -> Tensor | None:
            return None if x is None else tile.crop(x).to(self.device)

        return Window(
            lr=lr[chunk.start - first : chunk.end - first],
            to_next=[crop(derived.to_next) for derived in seen],
            to_previous=[crop(derived.to_previous) for derived in seen],
            encoded=encoded,
            keep=len(chunk),
            states={
                branch: tuple(tile.crop(x, x.shape[-2] // h).to(self.device) for x in state)
                for branch, state in states.items()
            },
            strip=max(8, STRIP_PIXELS // lr[0].shape[-1]),
            horizon=plan.horizon if net.bidirectional else None,
            first=chunk.start - chunk.scene,
            beyond=chunk.scene_end - chunk.end if plan.exact and chunk.scene_end is not None else 0,
        )


def stitch_states(states: States, tile_states: States, tile: Tile, size: tuple[int, int]) -> None:
    """Write a tile's states into those of the whole frame, in place.

    The first tile creates the states at the frame's `size` (h, w). States cover whole frames, so that the next chunk
    may use other tiles.
    """
    crop_h = tile.rows.crop_stop - tile.rows.crop_start
    for branch, state in tile_states.items():
        scales = [t.shape[-2] // crop_h for t in state]
        if tile.rows.start == 0 and tile.columns.start == 0:
            states[branch] = tuple(
                t.new_zeros(*t.shape[:-2], size[0] * k, size[1] * k, device="cpu")
                for t, k in zip(state, scales, strict=True)
            )
        for whole, part, k in zip(states[branch], state, scales, strict=True):
            tile.paste(whole, part.cpu(), k)
