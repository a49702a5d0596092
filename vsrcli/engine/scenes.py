"""Scene cuts, found from the frames themselves, so that propagation never crosses one."""

import torch.nn.functional as F
from torch import Tensor

from vsrcli.nets.layers import luma

THRESHOLD = 10.0
"""Percent; the default of ffmpeg's scdet filter, whose score this is."""

_THUMBNAIL = (54, 96)


class SceneDetector:
    """Scores each frame against the two before it, as ffmpeg's scdet does, on a thumbnail of the luma.

    The score is min(d, |d - d'|), d being the mean absolute difference to the previous frame in percent and d' the one
    before: high at a cut, low in steady motion, flicker or noise (which a thumbnail averages away besides).
    """

    def __init__(self, threshold: float = THRESHOLD) -> None:
        self.threshold = threshold
        self._previous: Tensor | None = None
        self._difference = 0.0

    def is_cut(self, frame: Tensor) -> bool:
        """Whether `frame` (3, h, w) in [0, 1] starts a new scene. Frames are given in order, each once."""
        grey = luma(frame.cpu())
        size = (min(_THUMBNAIL[0], grey.shape[-2]), min(_THUMBNAIL[1], grey.shape[-1]))
        thumbnail = F.adaptive_avg_pool2d(grey, size)
        if self._previous is None:
            self._previous = thumbnail
            return False
        difference = 100.0 * float((thumbnail - self._previous).abs().mean())
        score = min(difference, abs(difference - self._difference))
        self._previous, self._difference = thumbnail, difference
        return score >= self.threshold
