"""The engine: LR frames go in one by one, HR frames come out in order, in bounded memory, however long the video is.

Time is cut at scene cuts and at fixed frame numbers (multiples of the window). Within a scene the state of forward
branches is carried across window borders exactly; reverse branches start `lookahead` frames past a window's end. A
window that never ends is the whole-clip way, a window of one frame is streaming: there is no other code for them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from vsrcli.engine.plan import STRIP_PIXELS, Plan
from vsrcli.engine.scenes import SceneDetector
from vsrcli.engine.tiles import Tile, tile_grid
from vsrcli.errors import OutOfMemoryError
from vsrcli.nets.recurrent import Features, RecurrentNet, State, Window, pad_frame, upsample_window


@dataclass
class _Frame:
    """A buffered frame: padded LR (1, 3, h, w), and its flows once they are known."""

    lr: Tensor
    cut: bool
    to_next: Tensor | None = None
    to_previous: Tensor | None = None


@dataclass
class _Chunk:
    """Frames [start, stop) are to be upscaled; frames up to `end` are seen; `length` is the scene's, if known."""

    start: int
    stop: int
    end: int
    length: int | None


@dataclass
class Engine:
    """Runs `net` (already placed on `device`) over one video.

    `push(frame)` and `flush()` take and give frames (3, h, w) in [0, 1] (not clamped at the output); both return an
    iterator that must be used up before the next call. `say` receives a line when something is changed to go on.
    """

    net: RecurrentNet
    plan: Plan
    device: torch.device
    detector: SceneDetector | None = field(default_factory=SceneDetector)
    say: Callable[[str], None] = lambda line: None

    def __post_init__(self) -> None:
        self._frames: dict[int, _Frame] = {}
        self._pushed = 0
        self._next = 0
        self._scene = 0
        self._states: dict[str, State] = {}
        self._size = (0, 0)

    @property
    def next_frame(self) -> int:
        """The number of the next frame that will come out."""
        return self._next

    def push(self, frame: Tensor) -> Iterator[Tensor]:
        """Take one LR frame; the HR frames that are ready now."""
        self._size = (frame.shape[-2], frame.shape[-1])
        cut = self.detector.is_cut(frame) if self.detector else False
        lr = pad_frame(frame[None], self.net.multiple, self.net.min_size)
        self._frames[self._pushed] = _Frame(lr, cut)
        self._pushed += 1
        return self._ready(ended=False)

    def flush(self) -> Iterator[Tensor]:
        """The video has ended: the HR frames that remain."""
        return self._ready(ended=True)

    def checkpoint(self) -> dict[str, Tensor]:
        """All that is needed to go on from frame `next_frame`, to be given to `restore`."""
        saved = {"next": torch.tensor(self._next), "scene": torch.tensor(self._scene)}
        h, w = self._size
        first = max(0, self._next - max(2, self.net.context))
        for number in range(first, self._next):
            saved[f"frame.{number}"] = self._frames[number].lr[0, :, :h, :w].cpu().contiguous()
        for branch, state in self._states.items():
            for i, tensor in enumerate(state):
                saved[f"state.{branch}.{i}"] = tensor.cpu().contiguous()
        return saved

    def restore(self, saved: dict[str, Tensor]) -> None:
        """Continue from a checkpoint; the next frame to push is the checkpoint's `next`."""
        for name in sorted((k for k in saved if k.startswith("frame.")), key=lambda k: int(k[6:])):
            frame = saved[name]
            self._size = (frame.shape[-2], frame.shape[-1])
            if self.detector:
                self.detector.is_cut(frame)
            lr = pad_frame(frame[None], self.net.multiple, self.net.min_size)
            self._frames[int(name[6:])] = _Frame(lr, cut=False)
        self._pushed = self._next = int(saved["next"])
        self._scene = int(saved["scene"])
        states: dict[str, dict[int, Tensor]] = {}
        for name, tensor in saved.items():
            if name.startswith("state."):
                _, branch, i = name.split(".")
                states.setdefault(branch, {})[int(i)] = tensor
        self._states = {branch: tuple(parts[i] for i in sorted(parts)) for branch, parts in states.items()}

    def _ready(self, *, ended: bool) -> Iterator[Tensor]:
        while self._next < self._pushed:
            if self._frames[self._next].cut and self._scene != self._next:
                self._scene, self._states = self._next, {}
            chunk = self._next_chunk(ended)
            if chunk is None:
                return
            yield from self._upscale(chunk)
            self._next = chunk.stop
            for number in [n for n in self._frames if n < self._next - max(2, self.net.context)]:
                del self._frames[number]

    def _next_chunk(self, ended: bool) -> _Chunk | None:
        """The chunk that starts at the next frame, or None if frames that it must see are still to come."""
        start, window, context = self._next, self.plan.window, self.net.context
        scene_end = next((n for n in range(start + 1, self._pushed) if self._frames[n].cut), None)
        if scene_end is None and ended:
            scene_end = self._pushed
        if window is None and scene_end is None:
            return None
        border = scene_end if window is None else (start // window + 1) * window
        assert border is not None
        stop = border if scene_end is None else min(border, scene_end)
        lookahead = self.plan.lookahead if self.net.bidirectional else 0
        end = stop + lookahead if scene_end is None else min(stop + lookahead, scene_end)
        if scene_end is None and self._pushed < end + context:
            return None
        return _Chunk(start, stop, end, None if scene_end is None else scene_end - self._scene)

    def _upscale(self, chunk: _Chunk) -> Iterator[Tensor]:
        """The chunk's HR frames. Short of memory, goes on with smaller tiles where it was."""
        done = 0
        while True:
            states = dict(self._states)
            try:
                with torch.inference_mode():
                    self._find_flows(chunk)
                for i, hr in enumerate(self._run(chunk, states)):
                    if i >= done:
                        done += 1
                        yield hr
                self._states = states
                return
            except (torch.OutOfMemoryError, RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            h, w = self._frames[chunk.start].lr.shape[-2:]
            self.plan = self.plan.smaller(h, w)
            self.say(f"out of memory: going on with tiles of {self.plan.tile[0]}x{self.plan.tile[1]}")  # type: ignore[index]
            if self.device.type == "cuda":
                torch.cuda.empty_cache()

    def _find_flows(self, chunk: _Chunk) -> None:
        """Flows on whole frames (tiles crop them, so that a tile's border does not disturb its motion)."""
        back_reach = chunk.end if self.net.forward_lookahead else chunk.stop
        for n in range(chunk.start, chunk.end):
            frame = self._frames[n]
            if n > self._scene and n < back_reach and frame.to_previous is None:
                frame.to_previous = self._flow(n, n - 1)
            if self.net.bidirectional and n + 1 < chunk.end and frame.to_next is None:
                frame.to_next = self._flow(n, n + 1)

    def _flow(self, n: int, neighbour: int) -> Tensor:
        frames = (self._frames[n].lr, self._frames[neighbour].lr)
        return self.net.flow(*(f.to(self.device) for f in frames)).cpu()

    def _run(self, chunk: _Chunk, states: dict[str, State]) -> Iterator[Tensor]:
        """Upscale the chunk tile by tile; `states` goes in as before the chunk and comes out as after it."""
        net, (h, w) = self.net, self._frames[chunk.start].lr.shape[-2:]
        tiles = tile_grid(h, w, self.plan.tile, halo=self.plan.halo, multiple=net.multiple, min_size=net.min_size)
        out_h, out_w = (side * net.scale for side in self._size)
        before = dict(states)
        if len(tiles) == 1:
            for hr in self._run_tile(chunk, tiles[0], before, states):
                yield hr[..., :out_h, :out_w]
            return
        canvas = [torch.zeros(3, h * net.scale, w * net.scale) for _ in range(chunk.start, chunk.stop)]
        for tile in tiles:
            weights = tile.weights(net.scale)
            after = dict(before)
            for target, hr in zip(canvas, self._run_tile(chunk, tile, before, after), strict=True):
                tile.crop(target, net.scale).add_(hr.cpu() * weights)
            stitch_states(states, after, tile, (h, w))
        for hr in canvas:
            yield hr[..., :out_h, :out_w]

    def _run_tile(
        self, chunk: _Chunk, tile: Tile, before: dict[str, State], after: dict[str, State]
    ) -> Iterator[Tensor]:
        """The HR crops (3, scale*crop_h, scale*crop_w) of one tile; the state after the chunk goes to `after`."""
        net, context = self.net, self.net.context

        def crop(x: Tensor | None, scale: int = 1) -> Tensor | None:
            return None if x is None else tile.crop(x, scale).to(self.device)

        with torch.inference_mode():
            first = max(self._scene, chunk.start - context)
            last = min(self._pushed, chunk.end + context)
            if chunk.length is not None:
                last = min(last, self._scene + chunk.length)
            lr = [tile.crop(self._frames[n].lr).to(self.device) for n in range(first, last)]
            encoded: list[Features] = [
                net.encode(lr, n - first, number=n - self._scene, length=chunk.length)
                for n in range(chunk.start, chunk.end)
            ]
            frames = [self._frames[n] for n in range(chunk.start, chunk.end)]
            h = self._frames[chunk.start].lr.shape[-2]
            window = Window(
                lr=lr[chunk.start - first : chunk.end - first],
                to_next=[crop(f.to_next) for f in frames],
                to_previous=[crop(f.to_previous) for f in frames],
                encoded=encoded,
                keep=chunk.stop - chunk.start,
                states={
                    branch: tuple(tile.crop(t, t.shape[-2] // h).to(self.device) for t in state)
                    for branch, state in before.items()
                },
                strip=max(8, STRIP_PIXELS // lr[0].shape[-1]),
            )
            steps = upsample_window(net, window)
        while True:
            with torch.inference_mode():
                hr = next(steps, None)
            if hr is None:
                break
            yield hr[0]
        after.update(window.states)


def stitch_states(states: dict[str, State], tile_states: dict[str, State], tile: Tile, size: tuple[int, int]) -> None:
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


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception of torch or Python says that memory ran out."""
    if isinstance(error, OutOfMemoryError):
        return False
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    # CPU allocators; MPS, and CUDA outside PyTorch's allocator; cuDNN and cuBLAS
    signs = ("not enough memory", "can't allocate memory", "out of memory", "ALLOC_FAILED")
    return any(sign in str(error) for sign in signs)
