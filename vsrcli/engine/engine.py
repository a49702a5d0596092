"""The engine: LR frames go in one by one, HR frames come out in order, in bounded memory, however long the video is.

Time is cut at scene cuts and at fixed frame numbers (multiples of the window). Within a scene the state of forward
branches is carried across window borders exactly; reverse branches start `lookahead` frames past a window's end. A
window that never ends is the whole-clip way, a window of one frame is streaming: there is no other code for them. The
exact way runs window by window too, but waits for a scene's end and first sweeps through the scene for the states in
which reverse branches enter its windows (exact.py).
"""

from collections import deque
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from vsrcli.engine.chunk import Chunk, Frames, Runner, States
from vsrcli.engine.exact import sweeps
from vsrcli.engine.plan import Plan
from vsrcli.engine.scenes import SceneDetector
from vsrcli.errors import OutOfMemoryError
from vsrcli.nets.recurrent import Branch, RecurrentNet, State


@dataclass
class Engine:
    """Runs `net` (already placed on `device`) over one video.

    `push(frame)` and `flush()` take and give frames (3, h, w) in [0, 1] (not clamped at the output); both return an
    iterator that must be used up before the next call. `say` receives a line when something is changed to go on.

    The exact way puts a scene's frames and states into `aside`, by name, until they are used; where a job goes on, it
    may find there the states that the run before had put in. `swept` hears how many frames of how many it has seen.
    """

    net: RecurrentNet
    plan: Plan
    device: torch.device
    detector: SceneDetector | None = field(default_factory=SceneDetector)
    say: Callable[[str], None] = lambda line: None
    aside: MutableMapping[str, State] = field(default_factory=dict)
    swept: Callable[[int, int], None] = lambda done, total: None

    def __post_init__(self) -> None:
        self._frames = Frames(self.net, self.aside if self.plan.exact else None)
        self._runner = Runner(self.net, self._frames, self.device)
        self._pushed = 0
        self._next = 0
        self._scene = 0
        self._cuts: deque[int] = deque()
        self._swept_to = 0
        self._states: States = {}

    @property
    def next_frame(self) -> int:
        """The number of the next frame that will come out."""
        return self._next

    def push(self, frame: Tensor) -> Iterator[Tensor]:
        """Take one LR frame; the HR frames that are ready now."""
        if self.detector and self.detector.is_cut(frame):
            self._cuts.append(self._pushed)
        self._frames.add(self._pushed, frame)
        self._pushed += 1
        return self._ready(ended=False)

    def flush(self) -> Iterator[Tensor]:
        """The video has ended: the HR frames that remain."""
        return self._ready(ended=True)

    def checkpoint(self) -> dict[str, Tensor]:
        """All that is needed to go on from frame `next_frame`, to be given to `restore`."""
        saved = {"next": torch.tensor(self._next), "scene": torch.tensor(self._scene)}
        for number in range(max(0, self._next - self._past), self._next):
            saved[f"frame.{number}"] = self._frames.lr(number).cpu().contiguous()
        for branch, state in self._states.items():
            for i, tensor in enumerate(state):
                saved[f"state.{branch}.{i}"] = tensor.cpu().contiguous()
        return saved

    def restore(self, saved: dict[str, Tensor]) -> None:
        """Continue from a checkpoint; the next frame to push is the checkpoint's `next`."""
        for name in sorted((k for k in saved if k.startswith("frame.")), key=lambda k: int(k[6:])):
            frame = saved[name]
            if self.detector:
                self.detector.is_cut(frame)
            self._frames.add(int(name[6:]), frame)
        self._pushed = self._next = int(saved["next"])
        self._scene = int(saved["scene"])
        states: dict[str, dict[int, Tensor]] = {}
        for name, tensor in saved.items():
            if name.startswith("state."):
                _, branch, i = name.split(".")
                states.setdefault(branch, {})[int(i)] = tensor
        self._states = {branch: tuple(parts[i] for i in sorted(parts)) for branch, parts in states.items()}

    @property
    def _past(self) -> int:
        """How many frames before the next one are still needed: by the scene detector, and by `encode`."""
        return max(2, self.net.context)

    def _ready(self, *, ended: bool) -> Iterator[Tensor]:
        while self._next < self._pushed:
            if self._cuts and self._cuts[0] == self._next:
                self._scene, self._states = self._cuts.popleft(), {}
            chunk = self._next_chunk(ended)
            if chunk is None:
                return
            if self.plan.exact and chunk.scene_end is not None and self._swept_to < chunk.scene_end:
                self._sweep(chunk.scene_end)
            yield from self._upscale(chunk)
            self._next = chunk.stop
            self._frames.drop(self._next - self._past)
            for name in [aside_name(branch, chunk) for branch in self.net.branches]:
                if name in self.aside:
                    del self.aside[name]

    def _next_chunk(self, ended: bool) -> Chunk | None:
        """The chunk that starts at the next frame, or None if frames that it must see are still to come."""
        scene_end = self._cuts[0] if self._cuts else self._pushed if ended else None
        if scene_end is None and (self.plan.exact or self.plan.window is None):
            return None
        chunk = self._chunk(self._next, scene_end)
        return None if scene_end is None and self._pushed < chunk.end + self.net.context else chunk

    def _chunk(self, start: int, scene_end: int | None) -> Chunk:
        """The chunk that starts at a frame; the scene's end must be known unless windows end."""
        window = self.plan.window
        border = scene_end if window is None else (start // window + 1) * window
        assert border is not None
        stop = border if scene_end is None else min(border, scene_end)
        lookahead = self.plan.lookahead if self.net.bidirectional and not self.plan.exact else 0
        end = stop + lookahead if scene_end is None else min(stop + lookahead, scene_end)
        return Chunk(start, stop, end, self._scene, scene_end)

    def _upscale(self, chunk: Chunk) -> Iterator[Tensor]:
        """The chunk's HR frames. Short of memory, goes on with smaller tiles where it was."""
        done = 0
        while True:
            states = self._entering(chunk)
            try:
                for i, hr in enumerate(self._runner.upscale(chunk, self.plan, states)):
                    if i >= done:
                        done += 1
                        yield hr
                self._states = {b.name: states[b.name] for b in self.net.branches if not b.reverse}
                return
            except (torch.OutOfMemoryError, RuntimeError, MemoryError) as error:
                self._make_room(error)

    def _sweep(self, scene_end: int) -> None:
        """Put aside the states in which branches enter the chunks from the next frame to the scene's end."""
        chunks = [self._chunk(self._next, scene_end)]
        while chunks[-1].stop < scene_end:
            chunks.append(self._chunk(chunks[-1].stop, scene_end))
        work = list(sweeps(self.net.branches, chunks))
        total, done = sum(len(chunk) for _, chunk, _ in work), 0
        for branch, chunk, entered in work:
            name = aside_name(branch, entered)
            while name not in self.aside:
                try:
                    self.aside[name] = self._runner.sweep(chunk, self.plan, self._entering(chunk), branch)
                except (torch.OutOfMemoryError, RuntimeError, MemoryError) as error:
                    self._make_room(error)
            done += len(chunk)
            self.swept(done, total)
        self._swept_to = scene_end

    def _entering(self, chunk: Chunk) -> States:
        """The states in which branches enter a chunk: those carried on from the one before, and those put aside."""
        states = dict(self._states) if chunk.start == self._next else {}
        for branch in self.net.branches:
            if (name := aside_name(branch, chunk)) in self.aside:
                states[branch.name] = self.aside[name]
        return states

    def _make_room(self, error: Exception) -> None:
        """Go over to smaller tiles. Raises `error` if it is not of memory, OutOfMemoryError if none are smaller."""
        if not is_out_of_memory(error):
            raise error
        self.plan = self.plan.smaller(*self._frames.padded(self._next).shape[-2:])
        self.say(f"out of memory: going on with tiles of {self.plan.tile[0]}x{self.plan.tile[1]}")  # type: ignore[index]
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


def aside_name(branch: Branch, chunk: Chunk) -> str:
    """Under which the state is put aside in which a branch enters a chunk."""
    return f"{branch.name}.{chunk.start}"


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception of torch or Python says that memory ran out."""
    if isinstance(error, OutOfMemoryError):
        return False
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    # CPU allocators; MPS, and CUDA outside PyTorch's allocator; cuDNN and cuBLAS
    signs = ("not enough memory", "can't allocate memory", "out of memory", "ALLOC_FAILED")
    return any(sign in str(error) for sign in signs)
