"""Estimate the speed of a job and its remaining time from the times of its frames."""

import time
from collections import deque

from vsrcli.words import clock

LEAST_FRAMES, LEAST_SECONDS = 3, 2.0
"""Frames after the first, and seconds, that a speed needs to be meaningful."""


class Speed:
    """Estimates of speed and remaining time for `total` frames. Sweeps of exact propagation are timed separately.

    The first frame does not count, because it includes the warm-up. A bidirectional net returns its frames in windows
    of `burst` frames, after a long pause. So whole windows are timed. The time of the first one is extrapolated from
    the pause and the rate of its frames.
    """

    def __init__(self, total: int | None = None, done: int = 0, burst: int = 1) -> None:
        self._total, self._swept_to, self._done, self._burst = total, done, done, burst
        self._seen: deque[tuple[float, int]] = deque(maxlen=240)
        self._bursts: deque[float] = deque(maxlen=8)  # seconds for a frame, of whole windows
        self._window: list[float] = []  # when the frames of this window came
        self._last_pace = 0.0  # seconds between the frames of the window before
        self._began = time.monotonic()
        self._sweep_began: float | None = None
        self._sweeping = 0.0
        self._swept = 0
        self._scene = 0
        self._sweep_left = 0.0

    def add(self, done: int) -> None:
        """Record that `done` frames are made."""
        now, self._done = time.monotonic() - self._sweeping, done
        self._seen.append((now, done))
        self._window.append(now)
        if done % self._burst == 0:
            if len(self._window) == self._burst:
                self._bursts.append((now - self._began) / self._burst)
            self._last_pace = self._pace()
            self._began, self._window = now, []

    def sweep(self, done: int, total: int, until: int) -> None:
        """Record that `done` of `total` frames are swept before the scene that ends at frame `until`."""
        now = time.monotonic()
        if self._sweep_began is None:
            self._sweep_began = now
            self._scene, self._swept_to = until - self._swept_to, until
        took = now - self._sweep_began
        self._sweep_left = took * (total - done) / done if done else 0.0
        if done == total:
            self._sweeping, self._sweep_began = self._sweeping + took, None
            self._swept += self._scene

    @property
    def fps(self) -> float | None:
        """Frames per second; None until enough frames and seconds have passed."""
        seconds = self._seconds_a_window() if self._burst > 1 else self._seconds_a_frame()
        return 1 / seconds if seconds else None

    def _seconds_a_frame(self) -> float | None:
        if len(self._seen) <= LEAST_FRAMES or self._seen[-1][0] - self._seen[0][0] < LEAST_SECONDS:
            return None
        return (self._seen[-1][0] - self._seen[0][0]) / (self._seen[-1][1] - self._seen[0][1])

    def _seconds_a_window(self) -> float | None:
        """Return the seconds per frame, by whole windows, without the first one, which includes the warm-up."""
        if self._bursts:
            known = list(self._bursts)[1 if len(self._bursts) > 1 else 0 :]
            return sum(known) / len(known)
        if len(self._window) <= LEAST_FRAMES:
            return None
        silence, pace = self._window[0] - self._began, self._pace()
        return (silence + pace * (self._burst - 1)) / self._burst

    def _pace(self) -> float:
        if len(self._window) < 2:
            return self._last_pace
        return (self._window[-1] - self._window[0]) / (len(self._window) - 1)

    @property
    def left(self) -> str:
        """Remaining time as "1:02:03", including sweeps, or "" while it is unknown."""
        return "" if self.seconds_left is None else clock(self.seconds_left)

    @property
    def seconds_left(self) -> float | None:
        """Remaining seconds, including sweeps, or None while they are unknown."""
        fps = self.fps
        if not fps or self._total is None:
            return None
        later = self._sweeping / self._swept * max(0, self._total - self._swept_to) if self._swept else 0.0
        frames, here = max(0, self._total - self._done), 0.0
        if self._window:  # the rest of this window comes at its pace
            rest = min(frames, self._burst - len(self._window))
            frames, here = frames - rest, rest * self._pace()
        return here + frames / fps + self._sweep_left + later
