"""Base of all recurrent nets: a few named steps, and the loop that runs them over time.

A net declares its propagation `branches` in the order in which they run. Each branch visits the frames in one direction
and hands a `State` from frame to frame. The steps see one frame at a time, so the same net can run over a whole clip,
over windows that carry state, or as a stream: `_visit` below is the only loop.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn

from vsrcli.nets.horizon import Horizon, bounded_step, young_name
from vsrcli.nets.instructions import dtype_beside_int8
from vsrcli.nets.int8 import Int8Conv, Ranges
from vsrcli.nets.layers import Conv
from vsrcli.nets.reparam import RepConv

State = tuple[Tensor, ...]
"""State of a branch between frames: tensors (n, c, k*h, k*w) for an LR frame (n, 3, h, w), k a whole number."""

Features = dict[str, Tensor]
"""Features of one frame: "lr" (n, 3, h, w), those of `encode`, and each branch's result by its name."""


@dataclass(frozen=True)
class Branch:
    """One propagation branch: its name, and whether it runs from the last frame to the first."""

    name: str
    reverse: bool


@dataclass
class Window:
    """Consecutive LR frames of one scene, with all that the branches need.

    A flow of frame i gives, for each of its pixels, the position of the same point in the neighbour.

    Attributes:
        lr: the frames, after `prepare`.
        to_next: for each frame the flow to the next one; None at the scene's last frame or where it is not needed.
        to_previous: for each frame the flow to the previous one; None at the scene's first frame.
        encoded: for each frame the result of `encode`.
        keep: number of frames from the start that are output; the rest is lookahead for the reverse branches.
        states: states by name (`state_names`) in which branches enter the window.
        strip: number of rows that are reconstructed at once (None: all); it bounds memory without changing the result.
        horizon: bound of the branches' memory.
        first: number of frames of the scene before the window, for the horizon.
        beyond: number of frames that reverse branches have visited before the window, for the horizon.
    """

    lr: Sequence[Tensor]
    to_next: Sequence[Tensor | None]
    to_previous: Sequence[Tensor | None]
    encoded: Sequence[Features]
    keep: int
    states: dict[str, State] = field(default_factory=dict)
    strip: int | None = None
    horizon: Horizon | None = None
    first: int = 0
    beyond: int = 0


def frames_around(lr: Sequence[Tensor], index: int, *, number: int, length: int | None) -> Features:
    """Return the frames before and after `lr[index]`; at a scene's ends its first or last frame replaces a missing one.

    `number` and `length` are as for `RecurrentNet.encode`.
    """
    last = length is not None and number + 1 == length
    return {"previous": lr[index - 1 if number else index], "next": lr[index if last else index + 1]}


class RecurrentNet(nn.Module):
    """Base class of all nets. Subclasses set the class attributes and implement the steps.

    Attributes:
        branches: propagation branches in the order in which they run.
        prepares: whether `prepare` does anything.
        float32_parts: modules (dotted names) that stay in float32 at any precision.
        int8_parts: modules (dotted names) whose convolutions run in int8 where that is the precision.
        ranges: ranges of the inputs of these convolutions, without which there is no int8.
        unfit_ranges: path of a file of ranges that were made for other weights; empty if there is none.
        prefers_int8: whether int8 is known to cost these weights next to no quality.
        feature_module: module (dotted name) whose output, one a frame in the frames' order, is upsampled; distillation
            compares it.
        options: attributes that a user may set on a finished net.
        interpolates: whether it can make the features of new frames itself, between each two of a scene.
        between: whether frames of odd numbers in a scene are new ones, of which only the place counts.
        context: number of neighbours on each side that `encode` uses.
        multiple: height and width must be multiples of this in all steps; `forward` and the engine pad frames and crop
            the result.
        min_size: least height and width in all steps.
        reconstruct_reach: number of LR pixels around a pixel that `reconstruct` uses (0: it needs whole frames).
        scale: upscaling factor.
        stored_channels: channels per LR pixel that are kept for each frame of a window, for planning memory.
        state_channels: channels (float32) of a branch's state.
        working_channels: channels (float32) that are alive at the peak of a step.
        flow_channels: channels (float32) at the peak of `flow` and of `prepare`, which work on whole frames.
    """

    branches: ClassVar[tuple[Branch, ...]]
    prepares: ClassVar[bool] = False
    float32_parts: ClassVar[tuple[str, ...]] = ()
    int8_parts: ClassVar[tuple[str, ...]] = ()
    ranges: Ranges | None = None
    unfit_ranges: str = ""
    prefers_int8: bool = False
    feature_module: ClassVar[str]
    options: ClassVar[tuple[str, ...]] = ()
    interpolates: ClassVar[bool] = False
    between: bool = False
    context: int = 0
    multiple: int = 1
    min_size: int = 1
    reconstruct_reach: int = 0
    scale: int = 4
    stored_channels: int = 64
    state_channels: int = 64
    working_channels: int = 512
    flow_channels: int = 256
    _packed: dict[str, Int8Conv] | None = None

    @property
    def forward_lookahead(self) -> bool:
        """Whether a forward branch feeds a later reverse one, and so must run into the lookahead too."""
        kinds = [b.reverse for b in self.branches]
        return any(not kind and any(kinds[i:]) for i, kind in enumerate(kinds))

    @property
    def bidirectional(self) -> bool:
        """Whether any branch runs backward in time (such a net cannot stream)."""
        return any(b.reverse for b in self.branches)

    @property
    def cost_period(self) -> int:
        """Number of frames after which the cost of a frame repeats."""
        return 1

    @property
    def compute_dtype(self) -> torch.dtype:
        """The type in which the convolutions run (flows, sums and states stay in float32)."""
        return next(p.dtype for name, p in self.named_parameters() if not self._stays_float32(name))

    def use_ranges(self, ranges: Ranges | None) -> None:
        """Take the ranges for int8 if they are those of all its convolutions."""
        known = ranges is not None and all(name in ranges for name, _ in self.int8_convs())
        self.ranges = ranges if known else None

    @property
    def precision(self) -> torch.dtype:
        """What `set_precision` was given last: int8, or the type of the convolutions."""
        return torch.int8 if any(conv.int8 for _, conv in self.int8_convs()) else self.compute_dtype

    def int8_convs(self) -> Iterator[tuple[str, Conv]]:
        """Yield the convolutions of `int8_parts` with their dotted names."""
        for name, module in self.named_modules():
            if isinstance(module, Conv) and _within(name, self.int8_parts):
                yield name, module

    def set_precision(self, dtype: torch.dtype) -> None:
        """Convert the convolutions of a merged net to `dtype` for inference, in place, except `float32_parts`.

        With int8, which needs `ranges`, those of `int8_parts` run in int8 and the others in the fastest type.
        """
        self._use_int8(on=dtype == torch.int8)
        if dtype == torch.int8:
            dtype = dtype_beside_int8()
        for name, module in self.named_modules():
            if not self._stays_float32(name):
                if isinstance(module, Conv):
                    module.compute_dtype = None
                for parameter in module.parameters(recurse=False):
                    parameter.data = parameter.data.to(dtype)

    def _use_int8(self, *, on: bool) -> None:
        """Let the convolutions of `int8_parts` run in int8 or not. Their weights are packed once, the first time."""
        if on and self._packed is None:
            assert self.ranges is not None, "int8 needs ranges"
            self._packed = {name: Int8Conv(conv, self.ranges[name]) for name, conv in self.int8_convs()}
        if self._packed is not None:
            for name, conv in self.int8_convs():
                conv.int8 = self._packed[name] if on else None

    def set_training_precision(self, dtype: torch.dtype) -> None:
        """Make the same convolutions compute in `dtype` while all weights stay in float32, in place."""
        for name, module in self.named_modules():
            if isinstance(module, (Conv, RepConv)) and not self._stays_float32(name):
                module.compute_dtype = dtype

    def _stays_float32(self, name: str) -> bool:
        return _within(name, self.float32_parts)

    def adopt(self, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Convert the state dict of another net to initial weights of this one; by default it is returned as it is."""
        return dict(given)

    def prepare(self, lr: Tensor) -> Tensor:
        """Return a frame of the same shape that replaces the padded LR frame (n, 3, h, w) in all steps, `flow` too.

        It depends on one frame alone, so that the result does not depend on how a video is cut into windows.
        """
        return lr

    def flow(self, frame: Tensor, neighbour: Tensor) -> Tensor:
        """Return the optical flow (n, 2, h, w), x then y in pixels: where in `neighbour` each pixel of `frame` lies.

        A net without flow returns zeros, which take up no memory.
        """
        return frame.new_zeros(()).expand(frame.shape[0], 2, *frame.shape[-2:])

    def encode(self, lr: Sequence[Tensor], index: int, *, number: int, length: int | None) -> Features:
        """Extract the features of a frame that do not depend on propagation.

        Args:
            lr: frames of one scene, with up to `context` neighbours around the frame.
            index: the frame's place in `lr`.
            number: the frame's number in its scene.
            length: the scene's length if its end is at most `context` frames away, else None.
        """
        return {}

    def propagate(
        self, branch: str, features: Features, flow: Tensor | None, state: State | None
    ) -> tuple[Tensor, State]:
        """Run one step of a branch; return the frame's feature and the state for the branch's next frame.

        `flow` points from this frame to that of `state`; both are None where the branch starts.
        """
        raise NotImplementedError

    def fade(self, state: State, factor: Tensor) -> State:
        """Return the state with its features multiplied by `factor` (n, 1, h, w)."""
        return tuple(tensor * factor for tensor in state)

    def reconstruct(self, features: Features) -> Tensor:
        """Return the HR frame (n, 3, scale*h, scale*w), float32, not clamped."""
        raise NotImplementedError

    def forward(self, clip: Tensor) -> Tensor:
        """Upscale whole clips (n, t, 3, h, w) in [0, 1] to (n, t, 3, scale*h, scale*w)."""
        h, w = clip.shape[-2:]
        frames = [self.prepare(pad_frame(f, self.multiple, self.min_size)) for f in clip.unbind(1)]
        count = len(frames)
        window = Window(
            lr=frames,
            to_next=[
                self.flow(frames[i], frames[i + 1]) if self.bidirectional and i + 1 < count else None
                for i in range(count)
            ],
            to_previous=[self.flow(frames[i], frames[i - 1]) if i else None for i in range(count)],
            encoded=[self.encode(frames, i, number=i, length=count) for i in range(count)],
            keep=count,
        )
        hr = torch.stack(list(upsample_window(self, window)), 1)
        return hr[..., : h * self.scale, : w * self.scale]


def _within(name: str, parts: Sequence[str]) -> bool:
    """Return whether a dotted name is one of `parts` or inside one."""
    return any(name == part or name.startswith(part + ".") for part in parts)


def pad_frame(frame: Tensor, multiple: int, min_size: int) -> Tensor:
    """Pad (n, c, h, w) at the right and bottom to `multiple` and at least `min_size`, by reflection where possible."""
    h, w = frame.shape[-2:]
    pad_h, pad_w = padding(h, w, multiple, min_size)
    if not (pad_h or pad_w):
        return frame
    mode = "reflect" if pad_h < h and pad_w < w else "replicate"
    return nn.functional.pad(frame, (0, pad_w, 0, pad_h), mode=mode)


def padding(h: int, w: int, multiple: int, min_size: int) -> tuple[int, int]:
    """Return the number of rows and columns that pad (h, w) to the next `multiple` and at least to `min_size`."""
    least = -(-min_size // multiple) * multiple
    return max(-h % multiple, least - h), max(-w % multiple, least - w)


def upsample_window(net: RecurrentNet, window: Window) -> Iterator[Tensor]:
    """Run all branches over a window and yield the HR frames of its first `keep` frames, in order."""
    for features in propagate_window(net, window):
        yield reconstruct_in_strips(net, features, window.strip)


def propagate_window(net: RecurrentNet, window: Window) -> Iterator[Features]:
    """Run all branches over a window and yield the features of its first `keep` frames, in order.

    Forward branches start from `window.states` (by name) and leave there the state after frame `keep` - 1, so that the
    next window continues exactly. Reverse branches start at the window's end, from their state there or, where there is
    none, from zero. Only the frames that a later branch still needs are visited.
    """
    count, keep = len(window.lr), window.keep
    frames = _known(window)
    for position, branch in enumerate(net.branches[:-1]):
        feeds_reverse = any(b.reverse for b in net.branches[position + 1 :])
        for i, states in _visit(net, branch, window, frames, len(frames) if branch.reverse or feeds_reverse else keep):
            if not branch.reverse and i == keep - 1:
                _hand_on(window, branch, states)
        del frames[count if feeds_reverse else keep :]

    last = net.branches[-1]
    for i, states in _visit(net, last, window, frames, keep):
        _hand_on(window, last, states)
        yield frames[i]
        frames[i] = {}


def sweep_window(net: RecurrentNet, window: Window, branch: Branch) -> dict[str, State]:
    """Run the branches up to `branch` over all frames of a window; return its states at the window's far end.

    Each branch starts from its states in `window.states`, at the window's start or, in reverse, at its end.
    """
    frames = _known(window)
    reached: dict[str, State] = {}
    for each in net.branches[: net.branches.index(branch) + 1]:
        for _, states in _visit(net, each, window, frames, len(frames)):
            reached = states
    return reached


def state_names(branch: Branch) -> tuple[str, str]:
    """Return the names of a branch's state and of the young state that will take over (horizon.py)."""
    return branch.name, young_name(branch)


def _hand_on(window: Window, branch: Branch, states: dict[str, State]) -> None:
    """Replace a branch's states in the window by `states`."""
    for name in state_names(branch):
        window.states.pop(name, None)
    window.states.update(states)


def _known(window: Window) -> list[Features]:
    """Return the features of a window's frames before any branch has run."""
    return [{"lr": lr, **encoded} for lr, encoded in zip(window.lr, window.encoded, strict=True)]


def _visit(
    net: RecurrentNet, branch: Branch, window: Window, frames: list[Features], count: int
) -> Iterator[tuple[int, dict[str, State]]]:
    """Run one branch over the first `count` frames in its direction; yield each frame's index and the states."""
    states = {name: window.states[name] for name in state_names(branch) if name in window.states}
    flows = window.to_next if branch.reverse else window.to_previous
    for i in range(count - 1, -1, -1) if branch.reverse else range(count):
        age = window.beyond + len(window.lr) - 1 - i if branch.reverse else window.first + i
        frames[i][branch.name] = bounded_step(
            net, branch, frames[i], flows[i] if states else None, states, horizon=window.horizon, age=age
        )
        yield i, dict(states)


def reconstruct_in_strips(net: RecurrentNet, features: Features, rows: int | None) -> Tensor:
    """Run `net.reconstruct` on at most `rows` LR rows at a time. It is local, so the result is the same."""
    height, reach = features["lr"].shape[-2], net.reconstruct_reach
    if rows is None or rows >= height or not reach:
        return net.reconstruct(features)
    strips = []
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        crop_top, crop_bottom = max(0, top - reach), min(height, bottom + reach)
        hr = net.reconstruct({name: x[..., crop_top:crop_bottom, :] for name, x in features.items()})
        strips.append(hr[..., (top - crop_top) * net.scale : (bottom - crop_top) * net.scale, :])
    return torch.cat(strips, -2)
