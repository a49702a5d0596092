"""Watch results for the ways in which a net fails without an error: numbers, detail that runs away, and no likeness.

The first two do not show when the result is reduced and compared with its source. Overflow in fp16 makes frames black;
a recurrence with a gain above one fills a scene with worms while the reduced frame still agrees with the source to 45
dB. What grows then is the energy above the LR frame's band, measured against the LR frame's own fine detail, so that a
camera that turns from the sky to a tree is no alarm. Weights that make nothing of the source show in the first frame.
"""

from dataclasses import dataclass, field
from statistics import median

import torch
import torch.nn.functional as F
from torch import Tensor

from vsrcli.nets.recurrent import State
from vsrcli.quality.detail import detail_energy

EVERY = 5
"""Frames from one look at the detail to the next: a look costs some milliseconds for a 720p frame."""

SETTLED = 4
"""Looks at the start of a scene whose median is what later ones are compared with."""

FACTOR = 4.0
"""Times the usual detail that count as running away. Sound models' rose to 1.6 times at the most on the scenes of
tests/test_long_scenes.py, where a camera zooms in over 600 frames."""

LEAST = 1.0
"""Levels squared: less fine detail in an LR frame is noise. Such a frame (black, before a fade) does not show what is
usual, and in its result `FACTOR` of these are too much."""


SEEN = 4 / 255
"""Least standard deviation of an LR frame in which there is something to see."""

FLAT = 0.5 / 255
"""Standard deviation of an HR frame in which there is nothing to see."""

FAR = 0.1
"""Mean absolute difference of a reduced HR frame and its LR frame that no trained net reaches: theirs is below 0.02."""


def all_finite(*states: State) -> bool:
    """Return whether all numbers of the states, or of frames as states of one tensor, are finite."""
    return all(bool(torch.isfinite(tensor).all()) for state in states for tensor in state)


@dataclass
class FirstLook:
    """Looks at the first frame in which there is something to see, for whether its result is like it at all."""

    _taken: bool = False

    def fault(self, lr: Tensor, hr: Tensor) -> str | None:
        """Return what is wrong with an HR frame (3, s*h, s*w) as the net made it, of an LR frame (3, h, w) in [0, 1].

        None if nothing is, or if another frame has been looked at before.
        """
        if self._taken or float(lr.std()) < SEEN:
            return None
        self._taken = True
        shown = hr.float().clamp(0, 1)
        if float(shown.std()) < FLAT:
            return "the model makes a frame of one colour of a source that is not"
        reduced = F.avg_pool2d(shown, hr.shape[-1] // lr.shape[-1])
        if float((reduced - lr.to(reduced.device)).abs().mean()) > FAR:
            return "what the model makes is not like the source"
        return None


@dataclass
class DetailWatch:
    """Follows the detail of a video's results, scene by scene; each scene raises the alarm once."""

    scale: int
    _scene: int = -1
    _seen: int = -1
    _usual: list[float] = field(default_factory=list)
    _told: bool = False

    def runs_away(self, number: int, scene: int, lr: Tensor, hr: Tensor) -> bool:
        """Return whether the detail of frame `number` alarms for the first time in the scene that starts at `scene`.

        `lr` (3, h, w) and `hr` (3, s*h, s*w) are in [0, 1]. Frames that it has seen are passed over.
        """
        if number <= self._seen:
            return False
        self._seen = number
        if scene != self._scene:
            self._scene, self._usual, self._told = scene, [], False
        if self._told or (number - scene) % EVERY or min(lr.shape[-2:]) < 2 * self.scale:
            return False
        fine, found = float(detail_energy(lr, 2)), float(detail_energy(hr, self.scale))
        if fine < LEAST:
            self._told = found > FACTOR * LEAST
        elif len(self._usual) < SETTLED:
            self._usual.append(found / fine)
        else:
            self._told = found / fine > FACTOR * max(median(self._usual), 0.01)
        return self._told

    def checkpoint(self) -> Tensor:
        """Return all that it has seen as numbers (n,), to be given to `restore`."""
        return torch.tensor([self._scene, self._seen, self._told, *self._usual], dtype=torch.float64)

    def restore(self, saved: Tensor) -> None:
        """Go on from a checkpoint, so that a scene that already runs away is not taken for usual."""
        scene, seen, told, *self._usual = saved.tolist()
        self._scene, self._seen, self._told = int(scene), int(seen), bool(told)
