"""Detection of scene cuts from the frames themselves, so that propagation never crosses one.

Frames are compared by thumbnails of their luma. A difference is measured relative to the contrast around it: a cut
between dark scenes is as large as one between bright ones. A cut is a change that is larger than those of the
neighbouring frames (so motion, fades and dissolves are no cuts) and after which the scene before does not return (so
flashes are no cuts). Whether a frame is a cut depends only on `BEFORE` frames before it and `AHEAD` after it, not on
where reading started.
"""

from collections.abc import Iterator
from typing import Protocol

import torch.nn.functional as F
from torch import Tensor

from vsrcli.frame import Frame
from vsrcli.levels import picture_to_unit
from vsrcli.nets.layers import luma

THRESHOLD = 0.6
"""Threshold relative to the largest contrast around: frames of different scenes differ by 0.8 of it and more."""

AHEAD = 3
"""Length in frames of the longest flash, which is no cut."""

BEFORE = AHEAD + 1
"""Frames before a frame that must be known: the scene before a flash that ends."""

_LEAST_CONTRAST = 1.5 / 255  # less contrast is noise
_USUAL = 3  # rank, by size, of the neighbouring change that counts as usual: a flash makes two larger ones
_THUMBNAIL = (54, 96)


class Detector(Protocol):
    """Protocol of a detector that decides, frame by frame, whether a new scene starts."""

    def remember(self, frame: Frame, times: int = 1) -> None:
        """Take a frame in that has been decided upon, and was shown `times` times."""

    def push(self, frame: Frame) -> Iterator[tuple[Frame, bool]]:
        """Take one frame; yield those that are decided, and whether each starts a scene."""

    def flush(self) -> Iterator[tuple[Frame, bool]]:
        """Yield the frames that wait when the video has ended."""


class KnownCuts:
    """Detector for known cuts: the frames whose numbers are in `cuts` start a scene."""

    def __init__(self) -> None:
        self.cuts: set[int] = set()

    def remember(self, frame: Frame, times: int = 1) -> None:
        """Take a frame in, of which nothing need be remembered."""

    def push(self, frame: Frame) -> Iterator[tuple[Frame, bool]]:
        """Yield the frame at once."""
        yield frame, frame.number in self.cuts
        self.cuts.discard(frame.number)

    def flush(self) -> Iterator[tuple[Frame, bool]]:
        """Yield nothing: no frame waits."""
        return iter(())


class SceneDetector:
    """Detector that takes frames in order and returns each with the decision whether it starts a scene.

    A frame similar to the one before is returned at once. A frame that may be a cut waits for `AHEAD` more frames, and
    all later frames wait with it.
    """

    def __init__(self, threshold: float = THRESHOLD) -> None:
        self.threshold = threshold
        self._seen: list[Tensor] = []  # thumbnails of up to BEFORE frames before those that wait, and of these
        self._waiting: list[Frame] = []

    def remember(self, frame: Frame, times: int = 1) -> None:
        """Add a frame that was decided before, as one, or `times`, of the `BEFORE` frames before the next."""
        self._seen = [*self._seen, *min(times, BEFORE) * [thumbnail(frame)]][-BEFORE:]

    def push(self, frame: Frame) -> Iterator[tuple[Frame, bool]]:
        """Take one frame; return those that are decided, and whether each starts a scene."""
        self._seen.append(thumbnail(frame))
        self._waiting.append(frame)
        return self._decided(ended=False)

    def flush(self) -> Iterator[tuple[Frame, bool]]:
        """Return the frames that wait, at the end of the video."""
        return self._decided(ended=True)

    def _decided(self, *, ended: bool) -> Iterator[tuple[Frame, bool]]:
        while self._waiting:
            at = len(self._seen) - len(self._waiting)
            # later frames may have more contrast, which only reduces the change
            maybe = at > 0 and _change(self._seen[: at + 1], at) >= self.threshold
            if maybe and not ended and len(self._waiting) <= AHEAD:
                return
            cut = maybe and self._is_cut(self._seen[: at + AHEAD + 1], at)
            frame = self._waiting.pop(0)
            self._seen = self._seen[max(0, at + 1 - BEFORE) :]
            yield frame, cut

    def _is_cut(self, around: list[Tensor], at: int) -> bool:
        """Return whether the frame at position `at` of the thumbnails around it starts a scene."""
        contrast = _contrast(around)

        def unlike(a: int, b: int) -> float:
            return float((around[a] - around[b]).abs().mean()) / contrast

        changes = sorted((unlike(n - 1, n) for n in range(1, len(around)) if n != at), reverse=True)
        usual = changes[min(_USUAL, len(changes)) - 1] if changes else 0.0
        least = self.threshold + usual
        if unlike(at - 1, at) < least:
            return False
        # a flash begins: the scene before returns later; or a flash ends: the scene before it has returned
        begins = any(unlike(at - 1, n) < least for n in range(at + 1, len(around)))
        ends = any(unlike(n, at) < least for n in range(at - 1))
        return not begins and not ends


def thumbnail(frame: Frame) -> Tensor:
    """Return a frame's luma in [0, 1], reduced to the size at which frames are compared, (1, h, w)."""
    grey = luma(picture_to_unit(frame.data))
    return F.adaptive_avg_pool2d(grey, (min(_THUMBNAIL[0], grey.shape[-2]), min(_THUMBNAIL[1], grey.shape[-1])))


def _change(seen: list[Tensor], at: int) -> float:
    """Return the mean absolute difference of a thumbnail to the one before, relative to the largest contrast."""
    return float((seen[at] - seen[at - 1]).abs().mean()) / _contrast(seen)


def _contrast(seen: list[Tensor]) -> float:
    """Return the largest mean absolute deviation of the thumbnails."""
    return max(_LEAST_CONTRAST, *(float((x - x.mean()).abs().mean()) for x in seen))
