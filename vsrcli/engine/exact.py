"""The exact way: what the net gives on a whole scene at once, in the memory that one window takes.

A window can be run like a part of the whole scene if each branch enters it in the right state: forward branches at
its start, reverse ones at its end. A sweep takes one branch through all the scene's windows in its direction and keeps
nothing but those states. The branches before it run along inside each window, from the states that their own sweeps
have kept. When all branches but the last have been swept, the windows are upscaled in order, and the last branch, which
runs forward, carries its state on as ever.

BasicVSR and IconVSR need one sweep, of the backward branch: about a third more time than the scene at once takes.
BasicVSR++ needs three, of one, two and three branches: two and a half times the arithmetic.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

from vsrcli.engine.chunk import Chunk
from vsrcli.nets.recurrent import Branch


def sweeps(branches: Sequence[Branch], chunks: Sequence[Chunk]) -> Iterator[tuple[Branch, Chunk, Chunk]]:
    """The steps of all sweeps, in order: take a branch through a chunk, for the state in which it enters the next."""
    for branch in branches[:-1]:
        order = list(reversed(chunks)) if branch.reverse else list(chunks)
        for chunk, entered in pairwise(order):
            yield branch, chunk, entered


def entry_name(state: str, chunk: Chunk) -> str:
    """Return the name of a branch's state (`state_names`) at the chunk that it enters."""
    return f"{state}.{chunk.start}"
