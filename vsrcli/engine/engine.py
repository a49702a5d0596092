"""The engine: LR frames go in one by one, HR frames come out in order, in bounded memory, however long the video is.

Time is cut at scene cuts and at fixed frame numbers (multiples of the window). Within a scene the state of forward
branches is carried across window borders exactly; reverse branches start `lookahead` frames past a window's end. A
window that never ends is the whole-clip way, a window of one frame is streaming: there is no other code for them. The
exact way runs window by window too, but waits for a scene's end and first sweeps through the scene for the states in
which reverse branches enter its windows (exact.py).
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from torch import Tensor

from vsrcli.engine.chunk import Chunk, ChunkRunner, Frames, States
from vsrcli.engine.colours import keep_colours
from vsrcli.engine.exact import entry_name, sweeps
from vsrcli.engine.plan import Plan
from vsrcli.engine.retry import with_room
from vsrcli.engine.scenes import BEFORE, SceneDetector
from vsrcli.engine.watch import DetailWatch, FirstLook, all_finite
from vsrcli.errors import WeightsError
from vsrcli.frame import Frame
from vsrcli.levels import picture_tensor, picture_to_unit, unit_to_picture
from vsrcli.nets.recurrent import Branch, RecurrentNet, State, state_names

Store = MutableMapping[str, State]
"""States by name: a dict, or what keeps them elsewhere than in memory."""

FrameStore = MutableMapping[int, Frame]
"""Frames by number: a dict, or what keeps them elsewhere than in memory."""


@dataclass
class Engine:
    """Runs `net` (already placed on `device`) over one video.

    `push(frame)` takes LR frames, whose numbers rise by one from `next_pushed`. It and `flush()` give HR frames, each
    with the number, times and bit depth of its LR frame; both return an iterator that must be used up before the next
    call. Float tensors go in and out by tensors.py. `say` receives a line when something is changed to go on.

    The exact way keeps a scene's frames in `frame_store` and the states that it has swept for in `state_store`, until
    they are used; what a run before has left in the latter is not swept for again. `swept` hears how many frames of how
    many the sweeps of a scene have seen, and with which frame the scene ends.
    """

    net: RecurrentNet
    plan: Plan
    device: torch.device
    detector: SceneDetector | None = field(default_factory=SceneDetector)
    say: Callable[[str], None] = lambda line: None
    frame_store: FrameStore = field(default_factory=dict)
    state_store: Store = field(default_factory=dict)
    swept: Callable[[int, int, int], None] = lambda done, total, scene_end: None

    def __post_init__(self) -> None:
        self._frames = Frames(self.frame_store if self.plan.exact else {})
        self._runner = ChunkRunner(self.net, self._frames, self.device)
        self._pushed = 0
        self._decided = 0  # frames pushed but those of which the detector does not know yet whether they start a scene
        self._next = 0
        self._scene = 0
        self._cuts: deque[int] = deque()
        self._swept_to = 0
        self._states: States = {}
        self._watch = DetailWatch(self.net.scale)
        self._first_look = FirstLook()
        self._overflowed = False

    @property
    def next_frame(self) -> int:
        """The number of the next frame that will come out."""
        return self._next

    @property
    def next_pushed(self) -> int:
        """The number that the next frame to be pushed must have."""
        return self._pushed

    def push(self, frame: Frame) -> Iterator[Frame]:
        """Take one LR frame and return the HR frames that are ready now. Raises ValueError for another number."""
        if frame.number != self._pushed:
            raise ValueError(f"frame {frame.number} was pushed where {self._pushed} is next")
        self._pushed += 1
        self._take(self.detector.push(frame) if self.detector else [(frame, False)])
        return self._ready(ended=False)

    def flush(self) -> Iterator[Frame]:
        """Return the HR frames that remain: the video has ended."""
        self._take(self.detector.flush() if self.detector else [])
        return self._ready(ended=True)

    def _take(self, decided: Iterable[tuple[Frame, bool]]) -> None:
        """Take frames in of which it is known whether they start a scene."""
        for frame, cut in decided:
            if cut:
                self._cuts.append(frame.number)
            self._frames.add(frame)
            self._decided = frame.number + 1

    def checkpoint(self) -> dict[str, Tensor]:
        """All that is needed to go on from frame `next_frame`, to be given to `restore`."""
        saved = {"next": torch.tensor(self._next), "scene": torch.tensor(self._scene)}
        saved["watch"] = self._watch.checkpoint()
        for number in range(max(0, self._next - self.past), self._next):
            saved[f"frame.{number}"] = picture_tensor(self._frames[number].data)
        for branch, state in self._states.items():
            for i, tensor in enumerate(state):
                saved[f"state.{branch}.{i}"] = tensor.cpu().contiguous()
        return saved

    def look_back(self, before: Iterable[Frame], scene: int) -> None:
        """Begin after the frames `before`, consecutive ones of which nothing is made, in the scene from `scene` on.

        There are `past` of them, or all that there are. Branches start afresh with the next frame, unless it starts a
        scene: then its frames are those that they are wherever an engine has begun.
        """
        for frame in before:
            if self.detector:
                self.detector.remember(frame)
            self._frames.add(frame)
            self._pushed = self._decided = self._next = frame.number + 1
        self._scene = scene

    def restore(self, saved: dict[str, Tensor]) -> None:
        """Continue from a checkpoint; the next frame to push is the checkpoint's `next`."""
        for name in sorted((k for k in saved if k.startswith("frame.")), key=lambda k: int(k[6:])):
            frame = Frame(int(name[6:]), saved[name].numpy())  # an HR frame was made of it already: its time is gone
            if self.detector:
                self.detector.remember(frame)
            self._frames.add(frame)
        self._pushed = self._decided = self._next = int(saved["next"])
        self._scene = int(saved["scene"])
        self._watch.restore(saved["watch"])
        states: dict[str, dict[int, Tensor]] = {}
        for name, tensor in saved.items():
            if name.startswith("state."):
                _, branch, i = name.split(".")
                states.setdefault(branch, {})[int(i)] = tensor
        self._states = {branch: tuple(parts[i] for i in sorted(parts)) for branch, parts in states.items()}

    @property
    def past(self) -> int:
        """How many frames before the next one are still needed: by the scene detector, and by `encode`."""
        return max(BEFORE, self.net.context)

    @property
    def _state_names(self) -> list[str]:
        """The names of all branches' states."""
        return [name for branch in self.net.branches for name in state_names(branch)]

    def _ready(self, *, ended: bool) -> Iterator[Frame]:
        while self._next < self._decided:
            if self._cuts and self._cuts[0] == self._next:
                self._scene, self._states = self._cuts.popleft(), {}
            chunk = self._next_chunk(ended)
            if chunk is None:
                return
            if self.plan.exact and chunk.scene_end is not None and self._swept_to < chunk.scene_end:
                self._sweep(chunk.scene_end)
            yield from self._upscale(chunk)
            self._next = chunk.stop
            self._frames.drop(self._next - self.past)
            if self.plan.exact:
                for name in self._state_names:
                    if entry_name(name, chunk) in self.state_store:
                        del self.state_store[entry_name(name, chunk)]

    def _next_chunk(self, ended: bool) -> Chunk | None:
        """The chunk that starts at the next frame, or None if frames that it must see are still to come."""
        scene_end = self._cuts[0] if self._cuts else self._decided if ended else None
        if scene_end is None and (self.plan.exact or self.plan.window is None):
            return None
        chunk = self._chunk(self._next, scene_end)
        return None if scene_end is None and self._decided < chunk.end + self.net.context else chunk

    def _chunk(self, start: int, scene_end: int | None) -> Chunk:
        """The chunk that starts at a frame; the scene's end must be known unless windows end."""
        window = self.plan.window
        border = scene_end if window is None else (start // window + 1) * window
        assert border is not None
        stop = border if scene_end is None else min(border, scene_end)
        ahead = self.plan.reach if self.net.bidirectional else 0
        end = stop + ahead if scene_end is None else min(stop + ahead, scene_end)
        return Chunk(start, stop, end, self._scene, scene_end)

    def _upscale(self, chunk: Chunk) -> Iterator[Frame]:
        """The chunk's HR frames. Short of memory, goes on with smaller tiles where it was; where half precision
        overflows, in float32 to the chunk's end, which depends on the chunk alone and so is the same after a restart.
        """
        fast = self.net.compute_dtype
        yield from with_room(partial(self._attempt, chunk), self._make_room)
        self._set_precision(fast)

    def _attempt(self, chunk: Chunk, done: int) -> Iterator[Frame]:
        """The chunk's HR frames but the first `done`, until memory runs out; the states after it are kept."""
        while True:
            after: States = {}
            for i, hr in enumerate(self._runner.upscale(chunk, self.plan, self._entering(chunk), after)):
                if i < done:
                    continue
                if not all_finite((hr,)):
                    break
                made = self._finished(chunk, self._frames[chunk.start + i], hr)  # in the exact way from disk
                done += 1
                yield made
            if done == len(chunk) and all_finite(*after.values()):
                self._states = after
                return
            self._make_precise(chunk.start + done)

    def _finished(self, chunk: Chunk, frame: Frame, hr: Tensor) -> Frame:
        """The HR frame of an LR frame as it leaves the engine, of what the net has made."""
        lr = picture_to_unit(frame.data, hr.device)
        if fault := self._first_look.fault(lr, hr):
            self.say(f"frame {frame.number}: {fault}; look at the result, or use another model")
        if self.plan.keep_colours:
            hr = keep_colours(hr, lr)
        self._look_at(chunk, frame.number, lr, hr)
        return replace(frame, data=unit_to_picture(hr, frame.bit_depth))

    def _make_precise(self, number: int) -> None:
        """Go over to float32 because frame `number`, or the state after it, is not finite. Raises WeightsError if all
        is in float32 already."""
        if self.net.compute_dtype == torch.float32:
            raise WeightsError(f"the model makes frames that hold no finite numbers (frame {number}): use another")
        if not self._overflowed:
            name = str(self.net.compute_dtype).removeprefix("torch.")
            self.say(f"{name} overflows at frame {number}: such windows are run in float32, which takes longer")
        self._overflowed = True
        self._set_precision(torch.float32)

    def _set_precision(self, dtype: torch.dtype) -> None:
        """Go over to another precision. What was prepared in the old one is made again: it may hold the overflow, and
        so a restart, which has nothing of it, finds the same."""
        if self.net.compute_dtype != dtype:
            self.net.set_precision(dtype)
            self._frames.forget()

    def _look_at(self, chunk: Chunk, number: int, lr: Tensor, hr: Tensor) -> None:
        """Warn once a scene if the detail of its results runs away."""
        if self._watch.runs_away(number, chunk.scene, lr, hr):
            self.say(
                f"frame {number}: the model draws ever more detail into this scene that the source does not have; "
                "look at the result, or use another model"
            )

    def _sweep(self, scene_end: int) -> None:
        """Store the states in which branches enter the chunks from the next frame to the scene's end.

        Where half precision overflows, a step is run again in float32.
        """
        chunks = [self._chunk(self._next, scene_end)]
        while chunks[-1].stop < scene_end:
            chunks.append(self._chunk(chunks[-1].stop, scene_end))
        steps = list(sweeps(self.net.branches, chunks))
        total, done, fast = sum(len(chunk) for _, chunk, _ in steps), 0, self.net.compute_dtype
        for branch, chunk, entered in steps:
            self.swept(done, total, scene_end)
            if entry_name(branch.name, entered) not in self.state_store:
                for states in with_room(partial(self._swept, chunk, branch), self._make_room):
                    for name in sorted(states, reverse=True):  # the branch's own, which says that all is there, last
                        self.state_store[entry_name(name, entered)] = states[name]
            self._set_precision(fast)
            done += len(chunk)
        if total:
            self.swept(total, total, scene_end)
        self._swept_to = scene_end

    def _swept(self, chunk: Chunk, branch: Branch, done: int) -> Iterator[States]:
        """Yield the states in which a branch leaves a chunk, once (`done` is 0), or fail where memory runs out."""
        while not all_finite(*(states := self._runner.sweep(chunk, self.plan, self._entering(chunk), branch)).values()):
            self._make_precise(chunk.start)
        yield states

    def _entering(self, chunk: Chunk) -> States:
        """The states in which branches enter a chunk: those carried on from the one before, and those swept for."""
        states = dict(self._states) if chunk.start == self._next else {}
        if self.plan.exact:
            stored = {name: self.state_store.get(entry_name(name, chunk)) for name in self._state_names}
            states |= {name: state for name, state in stored.items() if state is not None}
        return states

    def _make_room(self) -> None:
        """Go over to smaller tiles. Raises OutOfMemoryError if none are smaller."""
        self.plan = self.plan.smaller(*self._frames.size)
        self.say(f"out of memory: going on with tiles of {self.plan.tile[0]}x{self.plan.tile[1]}")  # type: ignore[index]
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
