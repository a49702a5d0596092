"""Bound the memory of a recurrent net, so that it stays stable in scenes of any length.

The official BasicVSR weights were trained on clips of 14 or 15 frames. Where little moves, their recurrence has a gain
slightly above one: the detail of a still scene grows by 2 % a frame, is wrong from about frame 20 on, and by frame 130
the picture is noise. Downscaling the result and comparing it with the source does not show this. Two measures bound the
memory of a branch:

- Renewal. Every `period` frames a second state is started from zero. Both run side by side for `warmup` frames, during
  which the features fade from the old state's to the young one's; then the young state takes over. No state depends on
  a frame more than `frames` away in its own branch, whatever the weights do. Where two branches run in one direction,
  as in BasicVSR++, their reaches add up. States are renewed at fixed frame numbers of the scene, so tiles, resumed
  jobs, whole clips and exact windows agree (other windows start their reverse branches themselves).
- Damping. Where the flow is far below a pixel, the state is multiplied by `still` before each step. Earlier frames add
  no information there, and the recurrence settles within ten frames: on a still, `basicvsr.vimeo90k-bi` agrees with its
  own frame 15 to 68 dB and more, but for the scene's last two frames, which have hardly any future (42 dB). Without
  damping `basicvsr.reds4` falls to 25 dB after 45 frames.
"""

from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from vsrcli.nets.recurrent import Branch, Features, RecurrentNet, State

LEAST_HORIZON = 3
"""Frames: two to warm up a renewed state, which is empty in the first of them, and one to use it."""

STILL_FLOW = 0.15
"""Flow in LR pixels per frame below which a pixel counts as still. SPyNet finds up to 0.06 where nothing moves, and in
Vid4, where 0.4 is usual, quality is unchanged. The fourth power makes the transition short."""


@dataclass(frozen=True)
class Horizon:
    """Limit of a branch's memory: at most `frames` frames, of which `warmup` prepare a renewed state."""

    frames: int = 60
    warmup: int = 10
    still: float = 0.2

    @classmethod
    def of(cls, frames: int) -> "Horizon":
        """Return a horizon of `frames` frames (LEAST_HORIZON or more), with a warm-up that fits it."""
        return cls(frames, min(cls.warmup, frames // 3))

    @property
    def period(self) -> int:
        """Number of frames between two renewals."""
        return self.frames - self.warmup

    def share(self, age: int) -> float | None:
        """Return the weight of the young state's feature at a branch's `age`-th frame; None without a young state."""
        warm = age % self.period - (self.period - self.warmup) + 1
        if warm <= 0:
            return None
        t = warm / (self.warmup + 1)
        return t * t * (3 - 2 * t)

    def damping(self, flow: "Tensor") -> "Tensor":
        """Return the factor (n, 1, h, w) on a state for a flow (n, 2, h, w): `still` where nothing moves, 1 elsewhere.

        The largest flow among 5x5 pixels counts, so that the borders of moving objects keep their memory.
        """
        import torch.nn.functional as F  # here, because torch takes seconds to import

        moved = F.max_pool2d(flow.square().sum(1, keepdim=True), 5, stride=1, padding=2)
        return 1 - (1 - self.still) * (-((moved / STILL_FLOW**2) ** 2)).exp()


def young_name(branch: "Branch") -> str:
    """Return the name of the young state, which is kept beside the branch's own until it takes over."""
    return f"{branch.name}+young"


def bounded_step(
    net: "RecurrentNet",
    branch: "Branch",
    features: "Features",
    flow: "Tensor | None",
    states: "MutableMapping[str, State]",
    *,
    horizon: Horizon | None,
    age: int,
) -> "Tensor":
    """Run one step of a branch and return the frame's feature.

    Args:
        states: states by name; replaced by those for the next frame, in place.
        horizon: bound of the branch's memory; None carries the state on without end, as in the papers.
        age: number of frames that the branch has visited before in this scene.
    """
    old, young = branch.name, young_name(branch)

    def run(name: str) -> "Tensor":
        state = states.get(name)
        if state is not None and flow is not None and horizon is not None:
            state = net.fade(state, horizon.damping(flow))
        feature, states[name] = net.propagate(branch.name, features, None if state is None else flow, state)
        return feature

    if horizon is None:
        return run(old)
    if age % horizon.period == 0 and young in states:
        states[old] = states.pop(young)
    share = horizon.share(age)
    feature = run(old)
    return feature if share is None else feature.lerp(run(young), share)
