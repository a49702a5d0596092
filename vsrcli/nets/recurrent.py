"""What every recurrent net is: a few named steps that a caller strings over time.

A net declares its propagation `branches` in the order in which they run. Each branch visits the frames in one
direction and hands a `State` from frame to frame. The steps know one frame at a time, so the same net can run over a
whole clip, over windows that carry state, or as a stream: `_visit` below is the only loop.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn

from vsrcli.nets.horizon import Horizon, bounded_step, young_name
from vsrcli.nets.layers import Conv
from vsrcli.nets.reparam import RepConv

State = tuple[Tensor, ...]
"""What a branch hands to its next frame: tensors (n, c, k*h, k*w) for an LR frame (n, 3, h, w), k a whole number."""

Features = dict[str, Tensor]
"""All that is known of one frame: "lr" (n, 3, h, w), what `encode` made, and each branch's result by its name."""


@dataclass(frozen=True)
class Branch:
    """One propagation branch: its name, and whether it runs from the last frame to the first."""

    name: str
    reverse: bool


@dataclass
class Window:
    """Consecutive LR frames of one scene, ready for the branches.

    `lr` holds the frames, prepared. `to_next[i]` is the flow from frame i to frame i+1 (None at the scene's last frame
    or where it is not needed), `to_previous[i]` the flow from frame i to i-1 (None at the scene's first frame): the
    flow of i says, for each of its pixels, where in the neighbour the same thing lies. `encoded[i]` is what `encode`
    made.
    `keep` frames from the start are wanted as output; the rest is lookahead for the reverse branches. `strip` rows are
    reconstructed at once (None: all), which bounds memory without changing the result.

    `horizon` bounds the memory of the branches. For it, `first` is how many frames of the scene lie before the window,
    `beyond` how many frames reverse branches have visited before they enter it.
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
    """Return the frames before and after `lr[index]`; a scene's first and last frame stand in for those not there.

    `number` and `length` are as for `RecurrentNet.encode`.
    """
    last = length is not None and number + 1 == length
    return {"previous": lr[index - 1 if number else index], "next": lr[index if last else index + 1]}


class RecurrentNet(nn.Module):
    """Base of all nets. Subclasses set the class attributes and implement the four steps.

    `float32_parts` names the modules (dotted) that stay in float32 whatever the precision.
    `context` is how many neighbours on each side `encode` looks at; `multiple` and `min_size` what height and width
    must be for the steps (`forward` and the engine pad frames accordingly and crop the result);
    `reconstruct_reach` how many LR pixels around a pixel `reconstruct` looks at (0: it must see whole frames).
    For planning memory, in channels per LR pixel: `stored_channels` are kept for each frame of a window,
    `state_channels` (float32) make a branch's state, `working_channels` (float32) are alive at the peak of a step,
    `flow_channels` (float32) at the peak of `flow` and of `prepare`, which see whole frames.
    `prepares` says whether `prepare` does anything. `feature_module` names the module (dotted) whose output, one a
    frame and in their order, feeds the upsampling: what distillation compares. `options` names the attributes that a
    user may set on a finished net.
    """

    branches: ClassVar[tuple[Branch, ...]]
    prepares: ClassVar[bool] = False
    float32_parts: ClassVar[tuple[str, ...]] = ()
    feature_module: ClassVar[str]
    options: ClassVar[tuple[str, ...]] = ()
    context: int = 0
    multiple: int = 1
    min_size: int = 1
    reconstruct_reach: int = 0
    scale: int = 4
    stored_channels: int = 64
    state_channels: int = 64
    working_channels: int = 512
    flow_channels: int = 256

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
        """Return the number of frames after which the cost of a frame repeats."""
        return 1

    @property
    def compute_dtype(self) -> torch.dtype:
        """The type in which the convolutions run (flows, sums and states stay in float32)."""
        return next(p.dtype for name, p in self.named_parameters() if not self._stays_float32(name))

    def set_precision(self, dtype: torch.dtype) -> None:
        """Run the convolutions in `dtype`, all but those of `float32_parts`, for inference (merged nets). In place."""
        for name, module in self.named_modules():
            if not self._stays_float32(name):
                if isinstance(module, Conv):
                    module.compute_dtype = None
                for parameter in module.parameters(recurse=False):
                    parameter.data = parameter.data.to(dtype)

    def set_training_precision(self, dtype: torch.dtype) -> None:
        """Run the same convolutions in `dtype` with all weights kept in float32. In place."""
        for name, module in self.named_modules():
            if isinstance(module, (Conv, RepConv)) and not self._stays_float32(name):
                module.compute_dtype = dtype

    def _stays_float32(self, name: str) -> bool:
        return any(name == part or name.startswith(part + ".") for part in self.float32_parts)

    def prepare(self, lr: Tensor) -> Tensor:
        """What takes the place of a padded LR frame (n, 3, h, w) in all steps, `flow` too: the same shape.

        It sees one frame alone, so that it cannot depend on how a video is cut up.
        """
        return lr

    def flow(self, frame: Tensor, neighbour: Tensor) -> Tensor:
        """Return the optical flow (n, 2, h, w), x then y in pixels: where in `neighbour` each pixel of `frame` lies.

        Zeros, which take up no memory, of a net that uses none.
        """
        return frame.new_zeros(()).expand(frame.shape[0], 2, *frame.shape[-2:])

    def encode(self, lr: Sequence[Tensor], index: int, *, number: int, length: int | None) -> Features:
        """What can be said of a frame before propagation.

        `lr[index]` is the frame; around it stand up to `context` neighbours of the same scene. `number` is the
        frame's number in its scene. `length` is the scene's length if its end is within `context` of the frame or
        nearer, else None.
        """
        return {}

    def propagate(
        self, branch: str, features: Features, flow: Tensor | None, state: State | None
    ) -> tuple[Tensor, State]:
        """One step of a branch: the frame's feature, and the state for the branch's next frame.

        `flow` points from this frame to the one that `state` comes from; both are None where the branch starts.
        """
        raise NotImplementedError

    def fade(self, state: State, factor: Tensor) -> State:
        """Return a state whose features are multiplied by `factor` (n, 1, h, w)."""
        return tuple(tensor * factor for tensor in state)

    def reconstruct(self, features: Features) -> Tensor:
        """The HR frame (n, 3, scale*h, scale*w), float32, not clamped."""
        raise NotImplementedError

    def forward(self, clip: Tensor) -> Tensor:
        """Upscale whole clips: (n, t, 3, h, w) in [0, 1] -> (n, t, 3, scale*h, scale*w)."""
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


def pad_frame(frame: Tensor, multiple: int, min_size: int) -> Tensor:
    """Pad (n, c, h, w) at the right and bottom to `multiple` and at least `min_size`, by reflection where it can."""
    h, w = frame.shape[-2:]
    pad_h, pad_w = padding(h, w, multiple, min_size)
    if not (pad_h or pad_w):
        return frame
    mode = "reflect" if pad_h < h and pad_w < w else "replicate"
    return nn.functional.pad(frame, (0, pad_w, 0, pad_h), mode=mode)


def padding(h: int, w: int, multiple: int, min_size: int) -> tuple[int, int]:
    """Return how many rows and columns bring (h, w) to the next `multiple` and at least to `min_size`."""
    least = -(-min_size // multiple) * multiple
    return max(-h % multiple, least - h), max(-w % multiple, least - w)


def upsample_window(net: RecurrentNet, window: Window) -> Iterator[Tensor]:
    """Run all branches over a window and yield the HR frames of its first `keep` frames, in order."""
    for features in propagate_window(net, window):
        yield reconstruct_in_strips(net, features, window.strip)


def propagate_window(net: RecurrentNet, window: Window) -> Iterator[Features]:
    """Run all branches over a window and yield what is known of its first `keep` frames, in order.

    Forward branches start from `window.states` (by branch name) and leave there the state after frame `keep` - 1, so
    that the next window can go on exactly. Reverse branches start at the window's end, from their state there or, where
    there is none, afresh. Only the frames that a later branch still needs are visited.
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
    """Run the branches up to `branch` over all frames of a window: the states that it leaves at the window's far end.

    Each branch starts from its states in `window.states`, at the window's start or, in reverse, at its end.
    """
    frames = _known(window)
    reached: dict[str, State] = {}
    for each in net.branches[: net.branches.index(branch) + 1]:
        for _, states in _visit(net, each, window, frames, len(frames)):
            reached = states
    return reached


def state_names(branch: Branch) -> tuple[str, str]:
    """Return the names of a branch's state and of the young one that is to take over (horizon.py)."""
    return branch.name, young_name(branch)


def _hand_on(window: Window, branch: Branch, states: dict[str, State]) -> None:
    """Put a branch's states in place of those that the window had."""
    for name in state_names(branch):
        window.states.pop(name, None)
    window.states.update(states)


def _known(window: Window) -> list[Features]:
    """What is known of a window's frames before any branch has run."""
    return [{"lr": lr, **encoded} for lr, encoded in zip(window.lr, window.encoded, strict=True)]


def _visit(
    net: RecurrentNet, branch: Branch, window: Window, frames: list[Features], count: int
) -> Iterator[tuple[int, dict[str, State]]]:
    """Take one branch through the first `count` frames, in its direction; yields each frame's index and the states."""
    states = {name: window.states[name] for name in state_names(branch) if name in window.states}
    flows = window.to_next if branch.reverse else window.to_previous
    for i in range(count - 1, -1, -1) if branch.reverse else range(count):
        age = window.beyond + len(window.lr) - 1 - i if branch.reverse else window.first + i
        frames[i][branch.name] = bounded_step(
            net, branch, frames[i], flows[i] if states else None, states, horizon=window.horizon, age=age
        )
        yield i, dict(states)


def reconstruct_in_strips(net: RecurrentNet, features: Features, rows: int | None) -> Tensor:
    """`net.reconstruct`, at most `rows` LR rows at a time: reconstruction is local, so the result is the same."""
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
