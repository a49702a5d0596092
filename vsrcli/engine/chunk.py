"""One chunk of frames through a net: flows on whole frames, then tile by tile all branches over its frames."""

from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass

import torch
from torch import Tensor

from vsrcli.engine.plan import STRIP_PIXELS, Plan
from vsrcli.engine.tiles import Tile, tile_grid
from vsrcli.nets.recurrent import (
    Branch,
    Features,
    RecurrentNet,
    State,
    Window,
    pad_frame,
    sweep_window,
    upsample_window,
)

States = dict[str, State]
"""By branch, on whole frames: where forward branches enter a chunk at its start, reverse ones at its end."""


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
class Frame:
    """A frame that waits: LR (3, h, w), None where it has been put aside, and its flows once they are known."""

    lr: Tensor | None
    to_next: Tensor | None = None
    to_previous: Tensor | None = None


class Frames:
    """The frames that wait, by number; with `aside`, their LR lies there under `lr.NUMBER`."""

    def __init__(self, net: RecurrentNet, aside: MutableMapping[str, State] | None) -> None:
        self._net, self._aside = net, aside
        self._frames: dict[int, Frame] = {}
        self.size = (0, 0)

    def __getitem__(self, number: int) -> Frame:
        return self._frames[number]

    def add(self, number: int, lr: Tensor) -> None:
        """Take a frame (3, h, w) in; numbers rise."""
        self.size = (lr.shape[-2], lr.shape[-1])
        if self._aside is not None:
            self._aside[f"lr.{number}"] = (as_levels(lr),)
        self._frames[number] = Frame(lr if self._aside is None else None)

    def lr(self, number: int) -> Tensor:
        """The frame's LR (3, h, w)."""
        frame = self._frames[number]
        if frame.lr is not None:
            return frame.lr
        assert self._aside is not None
        return from_levels(self._aside[f"lr.{number}"][0])

    def padded(self, number: int) -> Tensor:
        """The frame's LR as the net can take it: (1, 3, h, w)."""
        return pad_frame(self.lr(number)[None], self._net.multiple, self._net.min_size)

    def drop(self, before: int) -> None:
        """Forget the frames before a number."""
        while (number := next(iter(self._frames), before)) < before:
            del self._frames[number]
            if self._aside is not None:
                del self._aside[f"lr.{number}"]


def as_levels(frame: Tensor) -> Tensor:
    """A frame in [0, 1] as uint8, where it holds nothing but 8-bit levels; else as it is."""
    levels = (frame * 255.0).round().clamp(0, 255).to(torch.uint8)
    return levels if torch.equal(from_levels(levels), frame) else frame


def from_levels(frame: Tensor) -> Tensor:
    """The inverse of `as_levels`."""
    return frame.float().div_(255.0) if frame.dtype == torch.uint8 else frame


class Runner:
    """Runs chunks of `frames` through `net`, which is on `device`. What runs out of memory is left to the caller."""

    def __init__(self, net: RecurrentNet, frames: Frames, device: torch.device) -> None:
        self.net, self.frames, self.device = net, frames, device

    def upscale(self, chunk: Chunk, plan: Plan, states: States) -> Iterator[Tensor]:
        """The chunk's HR frames (3, scale*h, scale*w). The states in which forward branches leave go to `states`."""
        net, before = self.net, dict(states)
        out_h, out_w = (side * net.scale for side in self.frames.size)
        with torch.inference_mode():
            self._find_flows(chunk, before, to_previous=True)
        h, w = self.frames.padded(chunk.start).shape[-2:]
        tiles = self._tiles(h, w, plan)
        if len(tiles) == 1:
            for hr in self._upscale_tile(chunk, tiles[0], before, states):
                yield hr[..., :out_h, :out_w]
            return
        canvas = [torch.zeros(3, h * net.scale, w * net.scale) for _ in range(len(chunk))]
        for tile in tiles:
            weights, after = tile.weights(net.scale), States()
            for target, hr in zip(canvas, self._upscale_tile(chunk, tile, before, after), strict=True):
                tile.crop(target, net.scale).add_(hr.cpu() * weights)
            stitch_states(states, after, tile, (h, w))
        for hr in canvas:
            yield hr[..., :out_h, :out_w]

    @torch.inference_mode()
    def sweep(self, chunk: Chunk, plan: Plan, states: States, branch: Branch) -> State:
        """The state with which `branch` leaves the chunk, on whole frames in the machine's memory. No HR is made."""
        first = self.net.branches[0]
        self._find_flows(chunk, states, to_previous=not (branch is first and first.reverse))
        h, w = self.frames.padded(chunk.start).shape[-2:]
        after = States()
        for tile in self._tiles(h, w, plan):
            state = sweep_window(self.net, self._window(chunk, tile, states), branch)
            stitch_states(after, {branch.name: state}, tile, (h, w))
        for n in range(chunk.start, chunk.end):
            self.frames[n].to_next = self.frames[n].to_previous = None  # a scene's flows are more than memory may hold
        return after[branch.name]

    def _tiles(self, h: int, w: int, plan: Plan) -> list[Tile]:
        net = self.net
        return tile_grid(h, w, plan.tile, halo=plan.halo, multiple=net.multiple, min_size=net.min_size)

    def _find_flows(self, chunk: Chunk, states: States, *, to_previous: bool) -> None:
        """Flows on whole frames (tiles crop them, so that a tile's border does not disturb its motion)."""
        back_reach = chunk.end if self.net.forward_lookahead else chunk.stop
        enters_in_reverse = any(branch.reverse and branch.name in states for branch in self.net.branches)
        for n in range(chunk.start, chunk.end):
            frame = self.frames[n]
            if to_previous and chunk.scene < n < back_reach and frame.to_previous is None:
                frame.to_previous = self._flow(n, n - 1)
            if self.net.bidirectional and n + 1 < chunk.end + enters_in_reverse and frame.to_next is None:
                frame.to_next = self._flow(n, n + 1)

    def _flow(self, n: int, neighbour: int) -> Tensor:
        return self.net.flow(*(self.frames.padded(i).to(self.device) for i in (n, neighbour))).cpu()

    def _upscale_tile(self, chunk: Chunk, tile: Tile, before: Mapping[str, State], after: States) -> Iterator[Tensor]:
        """The HR crops (3, scale*crop_h, scale*crop_w) of one tile; forward branches' states after it go to `after`."""
        with torch.inference_mode():
            window = self._window(chunk, tile, before)
            steps = upsample_window(self.net, window)
        while True:
            with torch.inference_mode():
                hr = next(steps, None)
            if hr is None:
                break
            yield hr[0]
        after.update({b.name: window.states[b.name] for b in self.net.branches if not b.reverse})

    def _window(self, chunk: Chunk, tile: Tile, states: Mapping[str, State]) -> Window:
        """A tile of the chunk, with all that the branches need, on the device."""
        net, frames = self.net, self.frames
        first = max(chunk.scene, chunk.start - net.context)
        last = chunk.end + net.context
        length = None
        if chunk.scene_end is not None:
            last, length = min(last, chunk.scene_end), chunk.scene_end - chunk.scene
        lr = [tile.crop(frames.padded(n)).to(self.device) for n in range(first, last)]
        encoded: list[Features] = [
            net.encode(lr, n - first, number=n - chunk.scene, length=length) for n in range(chunk.start, chunk.end)
        ]
        seen = [frames[n] for n in range(chunk.start, chunk.end)]
        h = frames.padded(chunk.start).shape[-2]

        def crop(x: Tensor | None) -> Tensor | None:
            return None if x is None else tile.crop(x).to(self.device)

        return Window(
            lr=lr[chunk.start - first : chunk.end - first],
            to_next=[crop(frame.to_next) for frame in seen],
            to_previous=[crop(frame.to_previous) for frame in seen],
            encoded=encoded,
            keep=len(chunk),
            states={
                branch: tuple(tile.crop(x, x.shape[-2] // h).to(self.device) for x in state)
                for branch, state in states.items()
            },
            strip=max(8, STRIP_PIXELS // lr[0].shape[-1]),
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
