"""Scene cuts, found from the frames themselves, so that propagation never crosses one.

Frames are compared by thumbnails of their luma, and a difference is measured by the contrast around it: a cut between
dark scenes is as large as one between bright ones. A cut is a change that its neighbourhood does not show (so
that motion, fades and dissolves are none) and after which the scene before does not come back (so that a flash is
none). Whether a frame is a cut depends on `BEFORE` frames before it and `AHEAD` after it alone, not on where reading
began.
"""

from collections.abc import Iterator

import torch.nn.functional as F
from torch import Tensor

from vsrcli.frame import Frame
from vsrcli.levels import picture_to_unit
from vsrcli.nets.layers import luma

THRESHOLD = 0.6
"""Of the largest contrast around: frames of unlike scenes differ by 0.8 of it and more."""

AHEAD = 3
"""Frames that the longest flash lasts, which is no cut."""

BEFORE = AHEAD + 1
"""Frames before one that must be known: where a flash ends, the scene before it."""

_LEAST_CONTRAST = 1.5 / 255  # what is flatter is noise
_USUAL = 3  # which of the neighbouring changes, by size, is the usual one: a flash makes two that are not
_THUMBNAIL = (54, 96)


class SceneDetector:
    """Takes frames in order and gives each back with the answer whether it starts a new scene.

    A frame that is like the one before is given back at once; one that may be a cut waits for `AHEAD` more, and all
    after it with it.
    """

    def __init__(self, threshold: float = THRESHOLD) -> None:
        self.threshold = threshold
        self._seen: list[Tensor] = []  # thumbnails of up to BEFORE frames before those that wait, and of these
        self._waiting: list[Frame] = []

    def remember(self, frame: Frame) -> None:
        """Take a frame in that has been decided upon, as one of the `BEFORE` before the next."""
        self._seen = [*self._seen, thumbnail(frame)][-BEFORE:]

    def push(self, frame: Frame) -> Iterator[tuple[Frame, bool]]:
        """Take one frame; yield those that are decided, and whether each starts a scene."""
        self._seen.append(thumbnail(frame))
        self._waiting.append(frame)
        return self._decided(ended=False)

    def flush(self) -> Iterator[tuple[Frame, bool]]:
        """The video has ended: yield the frames that wait."""
        return self._decided(ended=True)

    def _decided(self, *, ended: bool) -> Iterator[tuple[Frame, bool]]:
        while self._waiting:
            at = len(self._seen) - len(self._waiting)
            # what comes may have more contrast, by which the change is less, but never more
            maybe = at > 0 and _change(self._seen[: at + 1], at) >= self.threshold
            if maybe and not ended and len(self._waiting) <= AHEAD:
                return
            cut = maybe and self._is_cut(self._seen[: at + AHEAD + 1], at)
            frame = self._waiting.pop(0)
            self._seen = self._seen[max(0, at + 1 - BEFORE) :]
            yield frame, cut

    def _is_cut(self, around: list[Tensor], at: int) -> bool:
        """Return whether the frame at a place in the thumbnails around it starts a scene."""
        contrast = _contrast(around)

        def unlike(a: int, b: int) -> float:
            return float((around[a] - around[b]).abs().mean()) / contrast

        changes = sorted((unlike(n - 1, n) for n in range(1, len(around)) if n != at), reverse=True)
        usual = changes[min(_USUAL, len(changes)) - 1] if changes else 0.0
        least = self.threshold + usual
        if unlike(at - 1, at) < least:
            return False
        # a flash begins: what was before comes back; or it ends: what was before it is back
        begins = any(unlike(at - 1, n) < least for n in range(at + 1, len(around)))
        ends = any(unlike(n, at) < least for n in range(at - 1))
        return not begins and not ends


def thumbnail(frame: Frame) -> Tensor:
    """Return the luma of a frame, in [0, 1], at the size by which frames are compared, (1, h, w)."""
    grey = luma(picture_to_unit(frame.data))
    return F.adaptive_avg_pool2d(grey, (min(_THUMBNAIL[0], grey.shape[-2]), min(_THUMBNAIL[1], grey.shape[-1])))


def _change(seen: list[Tensor], at: int) -> float:
    """Return the mean absolute difference of a thumbnail and the one before, by the largest contrast of all."""
    return float((seen[at] - seen[at - 1]).abs().mean()) / _contrast(seen)


def _contrast(seen: list[Tensor]) -> float:
    """Return the largest mean deviation of thumbnails from their mean."""
    return max(_LEAST_CONTRAST, *(float((x - x.mean()).abs().mean()) for x in seen))
