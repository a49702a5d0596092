"""The engine takes LR frames one by one and returns HR frames in order, in bounded memory at any length of video.

Time is divided at scene cuts and at fixed frame numbers (multiples of the window). Within a scene the state of forward
branches is carried across window borders exactly; reverse branches start `lookahead` frames after a window's end. Clip
propagation is one window without end and streaming a window of one frame: there is no other code for them. Exact
propagation uses windows too, but waits for the end of a scene and first sweeps through the scene for the states in
which reverse branches enter its windows (exact.py).

What the net sees is counted in pictures. They are the frames of the video, unless the plan shows repeated frames again
instead of running them (repeats.py): then they are the frames that are run.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch
from torch import Tensor

from vsrcli import log
from vsrcli.engine.chunk import Chunk, ChunkRunner, Frames, States
from vsrcli.engine.colours import is_grey, keep_colours
from vsrcli.engine.exact import entry_name, sweeps
from vsrcli.engine.matte import PREFIX, Mattes, even, is_even
from vsrcli.engine.plan import Plan
from vsrcli.engine.repeats import SETTLED, Showings, is_repeat, steadied, steady
from vsrcli.engine.retry import with_room
from vsrcli.engine.scenes import BEFORE, Detector, SceneDetector
from vsrcli.engine.watch import DetailWatch, FirstFrameCheck, all_finite, faults
from vsrcli.errors import WeightsError
from vsrcli.frame import Frame
from vsrcli.levels import levels_on_device, picture_tensor, picture_to_unit, unit_to_picture
from vsrcli.nets.recurrent import Branch, RecurrentNet, State, state_names

Store = MutableMapping[str, State]
"""States by name: a dict, or a mapping that stores them outside memory."""

FrameStore = MutableMapping[int, Frame]
"""Frames by number: a dict, or a mapping that stores them outside memory."""


@dataclass
class Engine:
    """Runs `net`, which is on `device` already, over one video.

    `push(frame)` takes LR frames, whose numbers increase by one from `next_pushed`. It and `flush()` return HR frames
    with the number, times and bit depth of their LR frames. Both return an iterator that must be exhausted before the
    next call. Use tensors.py for float tensors.

    Attributes:
        net: the net.
        plan: windows, tiles and all else that `choose_plan` decides.
        device: where the net runs.
        detector: scene detector, or None for a single scene.
        say: called with a line for the user, such as a switch to float32.
        frame_store: frames of a scene, for exact propagation.
        state_store: states from the sweeps of exact propagation until they are used. Those of an earlier run are not
            computed again.
        swept: called during sweeps with the frames done, their total, and the end of the scene.
    """

    net: RecurrentNet
    plan: Plan
    device: torch.device
    detector: Detector | None = field(default_factory=SceneDetector)
    say: Callable[[str], None] = log.warning
    frame_store: FrameStore = field(default_factory=dict)
    state_store: Store = field(default_factory=dict)
    swept: Callable[[int, int, int], None] = lambda done, total, scene_end: None

    def __post_init__(self) -> None:
        store = self.frame_store if self.plan.exact else {}
        self._frames, self._mattes = Frames(store), Frames(Mattes(store))
        self._runner = ChunkRunner(self.net, self._frames, self.device)
        self._matte_runner = ChunkRunner(self.net, self._mattes, self.device)
        self._pushed = 0
        self._shown = 0  # number of frames that were returned
        self._showings = Showings()
        self._last: Frame | None = None  # the frame that was pushed last, whose picture the next one may have nearly
        self._newest: Frame | None = None  # the frame that the next one may repeat
        self._held: Frame | None = None  # the last result, while its picture may be shown again
        self._began: int | None = None  # the first frame of the chunk that is running
        # from here on numbers count pictures
        self._decided = 0  # number of pushed pictures for which the detector has decided whether they start a scene
        self._next = 0
        self._scene = 0
        self._cuts: deque[int] = deque()
        self._swept_to = 0
        self._states: States = {}
        self._matte_states: States = {}
        self._varies: dict[int, bool] = {}  # of pictures with opacity: is it not the same everywhere?
        self._watch = DetailWatch(self.net.scale)
        self._first_check = FirstFrameCheck()
        self._overflowed = False

    @property
    def next_frame(self) -> int:
        """The number of the frame from which `restore` would continue: the next HR frame, or its window's first."""
        return self._shown if self._began is None else self._began

    @property
    def repeated(self) -> int:
        """Number of returned frames that were not run, because they repeat the one before."""
        return self._showings.repeated

    @property
    def next_pushed(self) -> int:
        """The number that the next pushed frame must have."""
        return self._pushed

    def push(self, frame: Frame) -> Iterator[Frame]:
        """Take one LR frame and return the HR frames that are ready. Raises ValueError for an unexpected number."""
        if frame.number != self._pushed:
            raise ValueError(f"frame {frame.number} was pushed where {self._pushed} is next")
        self._pushed += 1
        self._last = frame = steady(frame, self._last, self.plan.near)
        self._take(self.detector.push(frame) if self.detector else [(frame, False)])
        return self._ready(ended=False)

    def flush(self) -> Iterator[Frame]:
        """Return the remaining HR frames at the end of the video."""
        self._take(self.detector.flush() if self.detector else [])
        return self._ready(ended=True)

    def _take(self, decided: Iterable[tuple[Frame, bool]]) -> None:
        """Add frames for which it is known whether they start a scene."""
        for frame, cut in decided:
            if cut:
                self._cuts.append(self._decided)
            if not self._repeats(frame):
                self._add(replace(frame, number=self._decided))
                self._decided += 1
            self._showings.add(self._decided - 1, frame)
            self._newest = frame

    def _add(self, frame: Frame) -> None:
        self._frames.add(frame)
        self._mattes.add(frame)
        if frame.alpha is not None:
            self._varies[frame.number] = not is_even(frame)

    def _drop(self, before: int) -> None:
        self._frames.drop(before)
        self._mattes.drop(before)
        while (number := next(iter(self._varies), before)) < before:
            del self._varies[number]

    def _repeats(self, frame: Frame) -> bool:
        """Return whether a frame is the newest picture again, and need not be run."""
        scene = self._cuts[-1] if self._cuts else self._scene
        if not self.plan.hold_repeats or self._newest is None or self._decided - scene < SETTLED:
            return False
        return is_repeat(frame, self._newest)

    def checkpoint(self) -> dict[str, Tensor]:
        """Return all that `restore` needs to continue from frame `next_frame`."""
        saved = {"next": torch.tensor(self._next), "scene": torch.tensor(self._scene)}
        saved |= {"next_frame": torch.tensor(self.next_frame), "watch": self._watch.checkpoint()}
        past = range(max(0, self._next - self.past), self._next)
        saved["shown"] = torch.tensor([self._showings.count(number) for number in past], dtype=torch.int64)
        for number in past:
            # copies, because near repeats share what they hold, and a file of tensors does not
            saved[f"frame.{number}"] = picture_tensor(self._frames[number].data).clone()
            if (alpha := self._frames[number].alpha) is not None:
                saved[f"opacity.{number}"] = picture_tensor(alpha).clone()
        if self._held is not None and self._began is None and self._showings.first(self._next) != self._shown:
            saved["held"] = picture_tensor(self._held.data)
            if self._held.alpha is not None:
                saved["held_opacity"] = picture_tensor(self._held.alpha)
        mattes = {PREFIX + name: state for name, state in self._matte_states.items()}
        for branch, state in (self._states | mattes).items():
            for i, tensor in enumerate(state):
                saved[f"state.{branch}.{i}"] = tensor.cpu().contiguous()
        return saved

    def look_back(self, before: Iterable[Frame], pictures: Sequence[int], scene: int) -> None:
        """Start after the frames `before`, which are consecutive and not upscaled, in the scene from `scene` on.

        Branches start from zero with the next frame, which is no repeat. If it starts a scene, the result equals that
        of any other run.

        Args:
            before: the frames that show the last `past` pictures, or all earlier ones.
            pictures: the number of the picture that each of them shows.
            scene: the number of the scene's first picture.
        """
        for frame, picture in zip(steadied(before, self.plan.near), pictures, strict=True):
            if self.detector:
                self.detector.remember(frame)
            if picture >= self._next:
                self._add(replace(frame, number=picture))
            self._showings.shown_before(picture, self._showings.count(picture) + 1)
            self._last = self._newest = frame
            self._pushed = self._shown = frame.number + 1
            self._decided = self._next = picture + 1
        self._scene = scene

    def restore(self, saved: dict[str, Tensor]) -> None:
        """Continue from a checkpoint. The next frame to push is the checkpoint's `next_frame`."""
        numbers = sorted(int(name[6:]) for name in saved if name.startswith("frame."))
        for number, times in zip(numbers, saved["shown"].tolist(), strict=True):
            alpha = _picture(saved, f"opacity.{number}")
            frame = Frame(number, saved[f"frame.{number}"].numpy(), alpha=alpha)  # its time is past
            if self.detector:
                self.detector.remember(frame, times)
            self._add(frame)
            self._showings.shown_before(number, times)
            self._last = self._newest = frame
        self._pushed = self._shown = int(saved["next_frame"])
        self._decided = self._next = int(saved["next"])
        self._scene = int(saved["scene"])
        held = _picture(saved, "held")
        self._held = None
        if held is not None:
            self._held = Frame(self._next - 1, held, alpha=_picture(saved, "held_opacity"))
        self._watch.restore(saved["watch"])
        states: dict[str, dict[int, Tensor]] = {}
        for name, tensor in saved.items():
            if name.startswith("state."):
                _, branch, i = name.split(".")
                states.setdefault(branch, {})[int(i)] = tensor
        whole = {branch: tuple(parts[i] for i in sorted(parts)) for branch, parts in states.items()}
        self._states = {name: state for name, state in whole.items() if not name.startswith(PREFIX)}
        self._matte_states = {name[len(PREFIX) :]: whole[name] for name in whole if name.startswith(PREFIX)}

    @property
    def past(self) -> int:
        """Number of frames before the next one that are still needed, by the scene detector and by `encode`."""
        return max(BEFORE, self.net.context)

    @property
    def _state_names(self) -> list[str]:
        """Names of the states of all branches."""
        return [name for branch in self.net.branches for name in state_names(branch)]

    def _show(self, made: Frame) -> Iterator[Frame]:
        """Yield the frames that show a picture, with its result. More may follow while it is the newest."""
        for frame in self._showings.take(made.number):
            yield replace(frame, data=made.data, alpha=made.alpha)
            self._shown += 1
        self._held = made if self.plan.hold_repeats else None

    def _frame(self, picture: int) -> int:
        """Return the number of the frame that shows a picture next."""
        first = self._showings.first(picture)
        return self._pushed if first is None else first

    def _ready(self, *, ended: bool) -> Iterator[Frame]:
        if self._held is not None:
            yield from self._show(self._held)
        while self._next < self._decided:
            self._held = None
            if self._cuts and self._cuts[0] == self._next:
                self._scene, self._states, self._matte_states = self._cuts.popleft(), {}, {}
            chunk = self._next_chunk(ended)
            if chunk is None:
                return
            if self.plan.exact and chunk.scene_end is not None and self._swept_to < chunk.scene_end:
                self._sweep(chunk.scene_end)
            self._began = self._shown
            for made in self._upscale(chunk):
                yield from self._show(made)
            self._began, self._next = None, chunk.stop
            self._drop(self._next - self.past)
            self._showings.drop(self._next - self.past)
            if self.plan.exact:
                for name in [prefix + name for prefix in ("", PREFIX) for name in self._state_names]:
                    if entry_name(name, chunk) in self.state_store:
                        del self.state_store[entry_name(name, chunk)]

    def _next_chunk(self, ended: bool) -> Chunk | None:
        """Return the chunk that starts at the next frame, or None if it needs frames that are not there yet."""
        scene_end = self._cuts[0] if self._cuts else self._decided if ended else None
        if scene_end is None and (self.plan.exact or self.plan.window is None):
            return None
        chunk = self._chunk(self._next, scene_end)
        return None if scene_end is None and self._decided < chunk.end + self.net.context else chunk

    def _chunk(self, start: int, scene_end: int | None) -> Chunk:
        """Return the chunk that starts at a frame. The scene's end must be known for windows without end."""
        window = self.plan.window
        border = scene_end if window is None else (start // window + 1) * window
        assert border is not None
        stop = border if scene_end is None else min(border, scene_end)
        ahead = self.plan.reach if self.net.bidirectional else 0
        end = stop + ahead if scene_end is None else min(stop + ahead, scene_end)
        return Chunk(start, stop, end, self._scene, scene_end)

    def _upscale(self, chunk: Chunk) -> Iterator[Frame]:
        """Yield the chunk's HR frames.

        When memory runs out, it continues with smaller tiles at the same frame. Where half precision overflows, the
        rest of the chunk is run in float32. This depends on the chunk alone, so a restarted job gives the same result.
        """
        fast = self.net.precision
        mattes: States = {}
        opacities = self._opacities(chunk, mattes)
        self._set_precision(fast)
        yield from with_room(partial(self._attempt, chunk, opacities), self._use_smaller_tiles)
        self._set_precision(fast)
        self._matte_states = mattes

    def _opacities(self, chunk: Chunk, after: States) -> list[np.ndarray | None]:
        """Return the opacity of the chunk's HR frames, None for opaque ones; put the states at its end into `after`."""
        numbers = range(chunk.start, chunk.stop)
        if self._has_matte(chunk):
            found = list(with_room(partial(self._matte_attempt, chunk, after), self._use_smaller_tiles))
            self._mattes.clear_derived()  # else both would take up memory at once
            return [*found]
        return [even(self._frames[n], self.net.scale) if n in self._varies else None for n in numbers]

    def _has_matte(self, chunk: Chunk) -> bool:
        """Return whether the net is to be run on the chunk's opacity; in exact propagation, if later chunks need it."""
        end = chunk.scene_end if self.plan.exact and chunk.scene_end is not None else chunk.end
        return any(self._varies.get(number) for number in range(chunk.start, end))

    def _matte_attempt(self, chunk: Chunk, after: States, done: int) -> Iterator[np.ndarray]:
        """Yield the opacity of the chunk's HR frames as `_attempt` does the frames."""
        while True:
            after.clear()
            entered = self._entry_states(chunk, PREFIX)
            for i, hr in enumerate(self._matte_runner.upscale(chunk, self.plan, entered, after)):
                if i < done:
                    continue
                if not all_finite((hr,)):
                    break
                frame, lr = self._mattes[chunk.start + i], self._matte_runner.lr(chunk.start + i, hr.device)
                kept = keep_colours(hr, lr, grey=True) if self.plan.keep_colours else hr
                done += 1
                yield np.ascontiguousarray(unit_to_picture(kept, frame.bit_depth)[..., 0])
            if done == len(chunk) and all_finite(*after.values()):
                return
            self._switch_to_float32(chunk.start + done)

    def _attempt(self, chunk: Chunk, opacities: list[np.ndarray | None], done: int) -> Iterator[Frame]:
        """Yield the chunk's HR frames except the first `done`, until memory runs out; store the states at its end."""
        while True:
            after: States = {}
            for i, hr in enumerate(self._runner.upscale(chunk, self.plan, self._entry_states(chunk), after)):
                if i < done:
                    continue
                whole = after if i == len(chunk) - 1 and self.plan.tile is None else {}
                lr_frame = self._frames[chunk.start + i]  # exact propagation reads it from disk
                made = self._finish(chunk, lr_frame, hr, whole)
                if made is None:
                    break
                done += 1
                yield replace(made, alpha=opacities[i])
            if done == len(chunk) and (self.plan.tile is None or all_finite(*after.values())):
                self._states = after
                return
            self._switch_to_float32(chunk.start + done)

    def _finish(self, chunk: Chunk, frame: Frame, hr: Tensor, after: States) -> Frame | None:
        """Return the HR frame as it leaves the engine: checked, with the source's colours, as levels.

        Returns None if it, or a state in `after`, is not finite. A device is waited for once, for the levels.
        """
        number, lr = frame.number, self._runner.lr(frame.number, hr.device)
        if not self._first_check.taken and (fault := self._first_check.fault(picture_to_unit(frame.data), hr)):
            self.say(f"frame {self._frame(number)}: {fault}; check the result, or use another model")
        kept = keep_colours(hr, lr, grey=is_grey(frame.data)) if self.plan.keep_colours else hr
        due = self._watch.is_due(number, chunk.scene, lr)
        facts = [*faults((hr,), *after.values()), *(self._watch.energies(lr, kept) if due else ())]
        data, numbers = self._runner.lane.down(levels_on_device(kept, frame.bit_depth), facts)
        *unsound, fine, found = numbers if due else (*numbers, 0.0, 0.0)
        if any(unsound):
            return None
        if self._watch.judge(number, chunk.scene, (fine, found) if due else None):
            self.say(
                f"frame {self._frame(number)}: the model adds more and more detail to this scene that the source does "
                "not have; check the result, or use another model"
            )
        return replace(frame, data=data)

    def _switch_to_float32(self, number: int) -> None:
        """Switch to float32 because picture `number`, or the state after it, is not finite.

        Raises WeightsError if the net runs in float32 already.
        """
        number = self._frame(number)
        if self.net.precision == torch.float32:
            raise WeightsError(f"the model computes frames that are not finite (frame {number}): use another")
        if not self._overflowed:
            name = str(self.net.precision).removeprefix("torch.")
            self.say(f"{name} overflows at frame {number}: such windows run in float32, which takes longer")
        self._overflowed = True
        self._set_precision(torch.float32)

    def _set_precision(self, dtype: torch.dtype) -> None:
        """Switch to another precision and delete what was prepared in the old one.

        That may hold the overflow. A restarted job does not have it either, so both give the same result.
        """
        if self.net.precision != dtype:
            self.net.set_precision(dtype)
            self._frames.clear_derived()
            self._mattes.clear_derived()

    def _sweep(self, scene_end: int) -> None:
        """Store the states in which branches enter the chunks from the next frame to the scene's end.

        Where half precision overflows, a step is run again in float32.
        """
        chunks = [self._chunk(self._next, scene_end)]
        while chunks[-1].stop < scene_end:
            chunks.append(self._chunk(chunks[-1].stop, scene_end))
        mattes = chunks if any(map(self._has_matte, chunks)) else []
        steps = [(self._runner, "", *step) for step in sweeps(self.net.branches, chunks)]
        steps += [(self._matte_runner, PREFIX, *step) for step in sweeps(self.net.branches, mattes)]
        total, done, fast = sum(len(chunk) for *_, chunk, _ in steps), 0, self.net.precision
        for runner, prefix, branch, chunk, entered in steps:
            self.swept(done, total, self._frame(scene_end))
            if entry_name(prefix + branch.name, entered) not in self.state_store:
                for states in with_room(partial(self._swept, runner, prefix, chunk, branch), self._use_smaller_tiles):
                    for name in sorted(
                        states, reverse=True
                    ):  # the branch's own state last: it marks the entry as complete
                        self.state_store[entry_name(prefix + name, entered)] = states[name]
            self._set_precision(fast)
            done += len(chunk)
        if total:
            self.swept(total, total, self._frame(scene_end))
        self._swept_to = scene_end

    def _swept(self, runner: ChunkRunner, prefix: str, chunk: Chunk, branch: Branch, done: int) -> Iterator[States]:
        """Yield once the states in which a branch leaves a chunk (`done` is 0). Fails where memory runs out."""
        while not all_finite(
            *(states := runner.sweep(chunk, self.plan, self._entry_states(chunk, prefix), branch)).values()
        ):
            self._switch_to_float32(chunk.start)
        yield states

    def _entry_states(self, chunk: Chunk, prefix: str = "") -> States:
        """Return the states in which branches enter a chunk: those of the chunk before and those of the sweeps.

        `prefix` begins the stored names.
        """
        states = dict(self._matte_states if prefix else self._states) if chunk.start == self._next else {}
        if self.plan.exact:
            stored = {name: self.state_store.get(entry_name(prefix + name, chunk)) for name in self._state_names}
            states |= {name: state for name, state in stored.items() if state is not None}
        return states

    def _use_smaller_tiles(self) -> None:
        """Switch to smaller tiles. Raises OutOfMemoryError if there are none."""
        self.plan = self.plan.smaller(*self._frames.size)
        self.say(f"out of memory: continuing with tiles of {self.plan.tile[0]}x{self.plan.tile[1]}")  # type: ignore[index]
        if self.device.type == "cuda":
            self._frames.clear_derived()
            self._mattes.clear_derived()
            torch.cuda.empty_cache()


def _picture(saved: dict[str, Tensor], name: str) -> np.ndarray | None:
    return saved[name].numpy() if name in saved else None
