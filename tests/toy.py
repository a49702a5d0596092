"""Toy nets of a few lines: properties of the engine hold for them too, at almost no cost."""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.nets.recurrent import Branch, Features, RecurrentNet, State


class Toy(RecurrentNet):
    """A bidirectional net: each branch mixes the frame with a blurred, flow-dependent trace of the frames before it.

    The past fades by `memory` a frame, a pixel depends on its neighbours within one pixel a frame, and the result
    depends on every flow: an engine that confuses frames, flows or states gives other results.
    """

    branches: ClassVar[tuple[Branch, ...]] = (Branch("backward", reverse=True), Branch("forward", reverse=False))
    multiple, min_size, state_channels = 4, 8, 3

    def __init__(self, memory: float = 0.4) -> None:
        super().__init__()
        self.memory = nn.Parameter(torch.tensor(memory), requires_grad=False)

    def flow(self, frame: Tensor, neighbour: Tensor) -> Tensor:
        return neighbour[:, :2] - frame[:, 1:]

    def propagate(
        self, branch: str, features: Features, flow: Tensor | None, state: State | None
    ) -> tuple[Tensor, State]:
        mixed = features["lr"]
        for earlier in self.branches[: self.branches.index(next(b for b in self.branches if b.name == branch))]:
            mixed = mixed.lerp(features[earlier.name], 0.3)
        if state is not None and flow is not None:
            past = F.avg_pool2d(state[0], 3, 1, 1, count_include_pad=False) + 0.1 * flow.sum(1, keepdim=True)
            mixed = mixed.lerp(past, self.memory.float())
        return mixed, (mixed,)

    def reconstruct(self, features: Features) -> Tensor:
        return F.interpolate(1.2 * features[self.branches[-1].name], scale_factor=4, mode="bilinear") - 0.1


class ToyStream(Toy):
    """The same net with only its forward branch: a net that can stream."""

    branches = (Branch("forward", reverse=False),)


class ToyTwice(Toy):
    """The same net with each branch twice, in turn: a forward branch feeds a later reverse one."""

    branches = tuple(Branch(f"{way}_{i}", reverse=way == "backward") for i in (1, 2) for way in ("backward", "forward"))


class SmallMemory(Toy):
    """A toy net on a machine whose memory holds only 90 columns."""

    def propagate(
        self, branch: str, features: Features, flow: Tensor | None, state: State | None
    ) -> tuple[Tensor, State]:
        if features["lr"].shape[-1] > 90:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().propagate(branch, features, flow, state)
