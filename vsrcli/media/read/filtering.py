"""Pass frames through a graph of FFmpeg's filters that gives back a fixed number of pictures for each, in order."""

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from fractions import Fraction
from typing import Protocol, TypeVar

import av
from av.filter import Graph

from vsrcli.media.read.timestamps import Timed


class _Holder(Protocol):
    @property
    def timed(self) -> Timed:
        """The frame."""


T = TypeVar("T", bound=_Holder)
Chain = tuple[tuple[str, str], ...]
"""Filters, each by its name and its options."""


def filtered(
    items: Iterable[T],
    time_base: Fraction,
    *,
    chain_for: Callable[[T], Chain | None],
    alike: Callable[[T], Hashable] = lambda item: None,
    pulls: int = 1,
) -> Iterator[tuple[T, list[av.VideoFrame]]]:
    """Yield each item with the `pulls` pictures that the filters make of its picture.

    A new graph is made where the picture's size or format changes, or what `alike` returns. `chain_for` is asked for
    its filters then; where it returns None, items are passed on without pictures until it returns some.
    """
    graph: Graph | None = None
    waiting: deque[T] = deque()
    pulled: list[av.VideoFrame] = []
    kind: Hashable = None

    def ready() -> Iterator[tuple[T, list[av.VideoFrame]]]:
        nonlocal pulled
        assert graph is not None
        while waiting:
            try:
                picture = graph.vpull()
            except (av.BlockingIOError, av.EOFError):
                return
            assert isinstance(picture, av.VideoFrame)
            pulled.append(picture)
            if len(pulled) == pulls:
                yield waiting.popleft(), pulled
                pulled = []

    for item in items:
        picture = item.timed.picture
        now = (picture.width, picture.height, picture.format.name, alike(item))
        if graph is not None and now != kind:
            graph.vpush(None)
            yield from ready()
            graph = None
        if graph is None:
            chain = chain_for(item)
            if chain is None:
                yield item, []
                continue
            graph, kind = _graph(picture, time_base, chain), now
        picture.pts, picture.time_base = item.timed.pts, time_base
        waiting.append(item)
        graph.vpush(picture)
        yield from ready()
    if graph is not None:
        graph.vpush(None)
        yield from ready()


def _graph(picture: av.VideoFrame, time_base: Fraction, chain: Chain) -> Graph:
    graph = Graph()
    last = graph.add_buffer(width=picture.width, height=picture.height, format=picture.format, time_base=time_base)
    for name, options in chain:
        last.link_to(step := graph.add(name, options))
        last = step
    last.link_to(graph.add("buffersink"))
    graph.configure()
    return graph
