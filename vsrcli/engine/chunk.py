"""One chunk of frames through a net: flows on whole frames, then tile by tile all branches over its frames."""

from collections import deque
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from vsrcli.engine.plan import STRIP_PIXELS, Plan
from vsrcli.engine.tiles import Tile, tile_grid
from vsrcli.frame import Frame
from vsrcli.levels import picture_tensor, planes_to_unit
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
"""By branch, on whole frames: where forward branches enter a chunk at its start, reverse ones at its end."""

Padded = Mapping[int, Tensor]
"""Frames by number in the size that the net can take, on the host: (1, 3, h, w), levels or prepared float32."""


@dataclass(frozen=True)
class Chunk:
    """Frames [start, stop) are to be upscaled; frames up to `end` are seen, of a scene whose end may not be known."""

    start: int
    stop: int
    end: int
    scene: int
    scene_end: int | None

    def __len__(self) -> int:
        return self.stop - self.start


@dataclass
class Known:
    """What is known of a frame that waits, once it is needed: what the net has prepared (1, 3, h, w), and its flows."""

    prepared: Tensor | None = None
    to_next: Tensor | None = None
    to_previous: Tensor | None = None


class Frames:
    """The frames that wait, by number, in `store`, and what is known of them."""

    def __init__(self, store: MutableMapping[int, Frame]) -> None:
        self._store = store
        self._known: dict[int, Known] = {}
        self.size = (0, 0)

    def __getitem__(self, number: int) -> Frame:
        return self._store[number]

    def add(self, frame: Frame) -> None:
        """Take a frame in; numbers rise."""
        self.size = (frame.height, frame.width)
        self._store[frame.number] = frame
        self._known[frame.number] = Known()

    def known(self, number: int) -> Known:
        """Return what is known of a frame."""
        return self._known[number]

    def forget(self) -> None:
        """Forget what was prepared and the flows, of all frames: they will be made again."""
        for known in self._known.values():
            known.prepared = known.to_next = known.to_previous = None

    def drop(self, before: int) -> None:
        """Forget the frames before a number."""
        while (number := next(iter(self._known), before)) < before:
            del self._known[number]
            del self._store[number]


def pad_picture(data: np.ndarray, multiple: int, min_size: int) -> np.ndarray:
    """Return a picture (h, w, 3) padded as `pad_frame` pads frames; levels stay levels."""
    h, w = data.shape[:2]
    pad_h, pad_w = padding(h, w, multiple, min_size)
    if not (pad_h or pad_w):
        return data
    return np.pad(data, ((0, pad_h), (0, pad_w), (0, 0)), mode="reflect" if pad_h < h and pad_w < w else "edge")


class ChunkRunner:
    """Runs chunks of `frames` through `net`, which is on `device`. What runs out of memory is left to the caller."""

    def __init__(self, net: RecurrentNet, frames: Frames, device: torch.device) -> None:
        self.net, self.frames, self.device = net, frames, device

    def upscale(self, chunk: Chunk, plan: Plan, before: States, after: States) -> Iterator[Tensor]:
        """The chunk's HR frames (3, scale*h, scale*w). Branches enter it in the states `before`; those in which forward
        ones leave it go to `after`."""
        net, padded = self.net, self._padded(chunk)
        out_h, out_w = (side * net.scale for side in self.frames.size)
        with torch.inference_mode():
            self._find_flows(chunk, padded, before, net.branches)
        h, w = padded[chunk.start].shape[-2:]
        tiles = self._tiles(h, w, plan)
        if len(tiles) == 1:
            for hr in self._upscale_tile(chunk, tiles[0], plan, padded, before, after):
                yield hr[..., :out_h, :out_w]
            return
        canvas = deque(torch.zeros(3, h * net.scale, w * net.scale) for _ in range(len(chunk)))
        for tile in tiles:
            weights, left = tile.weights(net.scale), dict[str, State]()
            for hr in self._upscale_tile(chunk, tile, plan, padded, before, left):
                target = canvas.popleft()
                tile.crop(target, net.scale).add_(hr.cpu() * weights)
                if tile is tiles[-1]:
                    yield target[..., :out_h, :out_w]
                else:
                    canvas.append(target)
            stitch_states(after, left, tile, (h, w))

    @torch.inference_mode()
    def sweep(self, chunk: Chunk, plan: Plan, before: States, branch: Branch) -> States:
        """The states in which `branch` leaves the chunk, on whole frames in the machine's memory. No HR is made."""
        branches = self.net.branches[: self.net.branches.index(branch) + 1]
        padded, after = self._padded(chunk), dict[str, State]()
        self._find_flows(chunk, padded, before, branches)
        h, w = padded[chunk.start].shape[-2:]
        for tile in self._tiles(h, w, plan):
            left = sweep_window(self.net, self._window(chunk, tile, plan, padded, before), branch)
            stitch_states(after, left, tile, (h, w))
        self.frames.forget()  # a scene's flows are more than memory may hold
        return after

    def _padded(self, chunk: Chunk) -> Padded:
        """The chunk's frames, the next on either side, to which flows lead, and those at which `encode` looks."""
        net = self.net
        reach = max(1, net.context)
        # while a scene goes on, no branch enters a chunk in reverse: only `encode` looks beyond its end
        last = chunk.end + net.context if chunk.scene_end is None else min(chunk.end + reach, chunk.scene_end)
        numbers = range(max(chunk.scene, chunk.start - reach), last)
        return {n: self._prepared(n) for n in numbers}

    def _prepared(self, number: int) -> Tensor:
        """One frame as the net can take it, padded and prepared; what was prepared is kept with the frame."""
        net, known = self.net, self.frames.known(number)
        if known.prepared is not None:
            return known.prepared
        picture = pad_picture(self.frames[number].data, net.multiple, net.min_size)
        padded = picture_tensor(picture).permute(2, 0, 1)[None]
        if net.prepares:
            with torch.inference_mode():
                known.prepared = padded = net.prepare(planes_to_unit(padded, self.device)).cpu()
        return padded

    def _tiles(self, h: int, w: int, plan: Plan) -> list[Tile]:
        net = self.net
        return tile_grid(h, w, plan.tile, halo=plan.halo, multiple=net.multiple, min_size=net.min_size)

    def _find_flows(self, chunk: Chunk, padded: Padded, before: States, branches: Sequence[Branch]) -> None:
        """The flows that some branches need, on whole frames: tiles crop them, so that their borders do no harm."""
        enters_in_reverse = any(branch.reverse and branch.name in before for branch in branches)
        backward_end = chunk.end + 1 if enters_in_reverse else chunk.end
        forward_end = chunk.end if self.net.forward_lookahead else chunk.stop
        reverse = any(branch.reverse for branch in branches)
        forward = any(not branch.reverse for branch in branches)

        @lru_cache(maxsize=3)
        def unit(n: int) -> Tensor:
            return planes_to_unit(padded[n], self.device)

        for n in range(chunk.start, chunk.end):
            known = self.frames.known(n)
            if forward and chunk.scene < n < forward_end and known.to_previous is None:
                known.to_previous = self.net.flow(unit(n), unit(n - 1)).cpu()
            if reverse and n + 1 < backward_end and known.to_next is None:
                known.to_next = self.net.flow(unit(n), unit(n + 1)).cpu()

    def _upscale_tile(
        self, chunk: Chunk, tile: Tile, plan: Plan, padded: Padded, before: States, after: States
    ) -> Iterator[Tensor]:
        """The HR crops (3, scale*crop_h, scale*crop_w) of one tile; the states in which it is left go to `after`."""
        with torch.inference_mode():
            window = self._window(chunk, tile, plan, padded, before)
            steps = upsample_window(self.net, window)
        while True:
            with torch.inference_mode():
                hr = next(steps, None)
            if hr is None:
                break
            yield hr[0]
        names = [name for b in self.net.branches if not b.reverse for name in state_names(b)]
        after.update({name: window.states[name] for name in names if name in window.states})

    def _window(self, chunk: Chunk, tile: Tile, plan: Plan, padded: Padded, states: States) -> Window:
        """A tile of the chunk, with all that the branches need, on the device."""
        net, h = self.net, padded[chunk.start].shape[-2]
        length = None if chunk.scene_end is None else chunk.scene_end - chunk.scene
        first = min(padded)
        lr = [planes_to_unit(tile.crop(padded[n]), self.device) for n in sorted(padded)]
        encoded: list[Features] = [
            net.encode(lr, n - first, number=n - chunk.scene, length=length) for n in range(chunk.start, chunk.end)
        ]
        seen = [self.frames.known(n) for n in range(chunk.start, chunk.end)]

        def crop(x: Tensor | None) -> Tensor | None:
            return None if x is None else tile.crop(x).to(self.device)

        return Window(
            lr=lr[chunk.start - first : chunk.end - first],
            to_next=[crop(known.to_next) for known in seen],
            to_previous=[crop(known.to_previous) for known in seen],
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
    """Write a tile's states into the whole frame's, in place (those of `states` that are still the old ones are made
    anew at the frame's `size` (h, w)); states stay whole-frame so that the next chunk may use other tiles."""
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
