"""Detect results that fail without an error: numbers that are not finite, growing detail, and no similarity.

The first two do not show when the result is downscaled and compared with its source. Overflow in fp16 makes frames
black. A recurrence with a gain above one fills a scene with artifacts while the downscaled frame still agrees with the
source to 45 dB. What grows then is the energy above the LR frame's band. It is measured relative to the LR frame's own
fine detail, so that a camera that pans from the sky to a tree causes no alarm. Weights that do not fit the net show in
the first frame.
"""

from dataclasses import dataclass, field
from statistics import median

import torch
import torch.nn.functional as F
from torch import Tensor

from vsrcli.nets.recurrent import State
from vsrcli.quality.detail import detail_energy

EVERY = 5
"""Frames between two checks of the detail: a check costs some milliseconds for a 720p frame."""

SETTLED = 4
"""Number of checks at the start of a scene whose median is the reference for later ones."""

FACTOR = 4.0
"""Ratio to the usual detail that raises the alarm. Good models reached 1.6 at most on the scenes of
tests/test_long_scenes.py, where a camera zooms in over 600 frames."""

LEAST = 1.0
"""Levels squared: less fine detail in an LR frame is noise. Such a frame (black, before a fade) gives no reference, and
its result raises the alarm from `FACTOR` times this on."""


SEEN = 4 / 255
"""Least standard deviation of an LR frame that is not empty."""

FLAT = 0.5 / 255
"""Largest standard deviation of an HR frame that is empty."""

FAR = 0.1
"""Mean absolute difference of a downscaled HR frame and its LR frame that no trained net reaches: theirs is below 0.02.
"""


def all_finite(*states: State) -> bool:
    """Return whether all numbers of the states, or of frames as states of one tensor, are finite."""
    return not any(float(fault) for fault in faults(*states))


def faults(*states: State) -> list[Tensor]:
    """Return a number for each tensor, on its device: 0 if all of it is finite, else 1. Nothing waits for it.

    The minimum and the maximum are not finite if any number is not. Finding them takes a seventh of the time of testing
    each number.
    """
    ends = [torch.stack(tensor.aminmax()) for state in states for tensor in state]
    return [(~torch.isfinite(pair).all()).float() for pair in ends]


@dataclass
class FirstFrameCheck:
    """Check of the first frame that is not empty: is its result similar to it at all?"""

    taken: bool = False

    def fault(self, lr: Tensor, hr: Tensor) -> str | None:
        """Return what is wrong with the net's HR frame (3, s*h, s*w) of an LR frame (3, h, w) in [0, 1].

        Returns None if nothing is wrong, or if another frame was checked before. The LR frame is in main memory, so
        that a device is waited for once.
        """
        if self.taken or float(lr.std()) < SEEN:
            return None
        self.taken = True
        shown = hr.float().clamp(0, 1)
        if float(shown.std()) < FLAT:
            return "the model returns a frame of one colour for a source that is not"
        reduced = F.avg_pool2d(shown, hr.shape[-1] // lr.shape[-1])
        if float((reduced.to(lr.device) - lr).abs().mean()) > FAR:
            return "the model's result is not similar to the source"
        return None


@dataclass
class DetailWatch:
    """Measures the detail of a video's results, scene by scene; each scene raises the alarm once."""

    scale: int
    _scene: int = -1
    _seen: int = -1
    _usual: list[float] = field(default_factory=list)
    _told: bool = False

    def runs_away(self, number: int, scene: int, lr: Tensor, hr: Tensor) -> bool:
        """Return whether frame `number` raises the alarm for the first time in the scene that starts at `scene`.

        `lr` (3, h, w) and `hr` (3, s*h, s*w) are in [0, 1]. Frames that were checked before are skipped.
        """
        due = self.is_due(number, scene, lr)
        fine, found = map(float, self.energies(lr, hr) if due else (0.0, 0.0))
        return self.judge(number, scene, (fine, found) if due else None)

    def is_due(self, number: int, scene: int, lr: Tensor) -> bool:
        """Return whether a frame is one of those that are checked."""
        told = self._told and scene == self._scene
        return (
            number > self._seen and not told and not (number - scene) % EVERY and min(lr.shape[-2:]) >= 2 * self.scale
        )

    def energies(self, lr: Tensor, hr: Tensor) -> tuple[Tensor, Tensor]:
        """Return the detail energy of both, in levels squared, on their device. Nothing waits for it."""
        return detail_energy(lr, 2), detail_energy(hr, self.scale)

    def judge(self, number: int, scene: int, energies: tuple[float, float] | None) -> bool:
        """Record a frame with its `energies` (None if it is not due) and return whether it raises the alarm."""
        if number <= self._seen:
            return False
        self._seen = number
        if scene != self._scene:
            self._scene, self._usual, self._told = scene, [], False
        if energies is None:
            return False
        fine, found = energies
        if fine < LEAST:
            self._told = found > FACTOR * LEAST
        elif len(self._usual) < SETTLED:
            self._usual.append(found / fine)
        else:
            self._told = found / fine > FACTOR * max(median(self._usual), 0.01)
        return self._told

    def checkpoint(self) -> Tensor:
        """Return the measurements as numbers (n,) for `restore`."""
        return torch.tensor([self._scene, self._seen, self._told, *self._usual], dtype=torch.float64)

    def restore(self, saved: Tensor) -> None:
        """Continue from a checkpoint, so that detail that grows already is not taken as the reference."""
        scene, seen, told, *self._usual = saved.tolist()
        self._scene, self._seen, self._told = int(scene), int(seen), bool(told)
