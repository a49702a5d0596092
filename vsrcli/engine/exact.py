"""Exact propagation: the result of the net on a whole scene, in the memory of one window.

A window gives the same result as within the whole scene if each branch enters it in the right state: forward branches
at its start, reverse ones at its end. A sweep runs one branch through all windows of the scene in its direction and
keeps only those states. The branches before it run along inside each window, from the states of their own sweeps. When
all branches but the last have been swept, the windows are upscaled in order, and the last branch, which runs forward,
carries its state on as usual.

BasicVSR and IconVSR need one sweep, of the backward branch: about a third more time than the whole scene at once.
BasicVSR++ needs three, of one, two and three branches: two and a half times the arithmetic.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from vsrcli.engine.chunk import Chunk
from vsrcli.nets.recurrent import Branch


def sweeps(branches: Sequence[Branch], chunks: Sequence[Chunk]) -> Iterator[tuple[Branch, Chunk, Chunk]]:
    """Yield the steps of all sweeps: a branch, the chunk it runs through, and the chunk that it enters next."""
    for branch in branches[:-1]:
        order = list(reversed(chunks)) if branch.reverse else list(chunks)
        for chunk, entered in pairwise(order):
            yield branch, chunk, entered


def entry_name(state: str, chunk: Chunk) -> str:
    """Return the name of a branch's state (`state_names`) where it enters a chunk."""
    return f"{state}.{chunk.start}"
