"""Judge frames as they pass, by the picture: whether each is woven of two fields, and which field comes first."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from vsrcli.media.read.combing import Weave, clear_order, luma, weave_of
from vsrcli.media.read.timestamps import Timed

LOOKED_AT = 16
"""Frames, from each on, by which the order of the fields there is judged."""


@dataclass(frozen=True, eq=False)
class Judged:
    """A frame, how its lines belong together, and the order of fields there; UNKNOWN as long as nothing has moved."""

    timed: Timed
    weave: Weave
    order: Weave


def judged(frames: Iterable[Timed]) -> Iterator[Judged]:
    """Yield the frames in order with what is judged of them; LOOKED_AT are held.

    The order stays as it is where the picture does not say another one clearly: a still tells nothing, and needs no
    order. So a flag that lies is found out where the first thing moves, and one that changes midway too.
    """
    held: deque[Timed] = deque()
    weaves: deque[Weave] = deque()  # of those held, but for the last one, whose next frame is not known
    seen: list[np.ndarray] = []
    order = Weave.UNKNOWN

    def first() -> Judged:
        nonlocal order
        found = clear_order(Counter(weaves))
        order = order if found is Weave.UNKNOWN else found
        return Judged(held.popleft(), weaves.popleft(), order)

    for timed in frames:
        seen = [*seen[-2:], luma(timed.picture)]
        if held:
            alike = len(seen) == 3 and len({one.shape for one in seen}) == 1
            weaves.append(weave_of(seen[0], seen[1], seen[2]) if alike else Weave.UNKNOWN)
        held.append(timed)
        if len(held) == LOOKED_AT:
            yield first()
    weaves.append(Weave.UNKNOWN)
    while held:
        yield first()
