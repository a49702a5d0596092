"""Deinterlace frames with ffmpeg's bwdif, one frame out for each frame in."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice

import av
import numpy as np
from av.filter import Graph

from vsrcli.media.combing import Weave, luma, order_of, weave_of
from vsrcli.media.info import VideoInfo
from vsrcli.media.options import Deinterlace
from vsrcli.media.timestamps import Timed

LOOKED_AT = 16
"""Number of frames, from the start of deinterlacing, that decide the order of the fields."""


def deinterlaced(frames: Iterable[Timed], info: VideoInfo, mode: Deinterlace) -> Iterator[Timed]:
    """Yield the frames in order with unchanged pts and duration, those selected by `mode` filtered by bwdif.

    "on" means all, "off" none, "auto" those flagged interlaced (all, if the stream declares it but flags none) that
    are woven of two fields: a frame that is whole, as of film on a DVD, stays as it is. Which field comes first is
    judged by the picture; where that is not clear, the flag says it.
    """
    stream = iter(frames)
    graph: Graph | None = None
    waiting: deque[Timed] = deque()
    keep = _Keep()
    shape: tuple[int, int, str] | None = None
    while (timed := next(stream, None)) is not None:
        picture = timed.picture
        now = (picture.width, picture.height, picture.format.name)
        if graph is not None and now != shape:
            yield from _drain(graph, waiting, keep if mode == "auto" else None, flush=True)
            graph = None
        if graph is None:
            which = _which(picture, info, mode)
            if which is None:
                yield timed
                continue
            ahead = [timed, *islice(stream, LOOKED_AT - 1)]
            stream = chain(ahead[1:], stream)
            alike = [one.picture for one in ahead if (one.picture.width, one.picture.height) == now[:2]]
            graph, shape, keep = _bwdif(picture, info, which, order_of(alike)), now, _Keep()
        picture.pts, picture.time_base = timed.pts, info.time_base
        waiting.append(timed)
        graph.vpush(picture)
        yield from _drain(graph, waiting, keep if mode == "auto" else None, flush=False)
    if graph is not None:
        yield from _drain(graph, waiting, keep if mode == "auto" else None, flush=True)


class _Keep:
    """Decides for each frame in turn whether it is whole; an undecidable one is like the one before it."""

    def __init__(self) -> None:
        self._whole = False
        self._seen: deque[np.ndarray] = deque()  # the luma of the frame before, this one and the next

    def __call__(self, frame: Timed, after: Timed | None) -> bool:
        """Return whether a frame is to be kept as it is."""
        if len(self._seen) < 2:
            self._seen.append(luma(frame.picture))
        if after is not None:
            self._seen.append(luma(after.picture))
            if len(self._seen) == 3:
                weave = weave_of(*self._seen)
                self._whole = self._whole if weave is Weave.UNKNOWN else weave is Weave.WHOLE
                self._seen.popleft()
        return self._whole


def _which(picture: av.VideoFrame, info: VideoInfo, mode: Deinterlace) -> str | None:
    """Return bwdif's option for the choice of frames from here on, None for no frames yet."""
    if mode == "on":
        return "all"
    if mode == "off" or not (picture.interlaced_frame or info.interlaced):
        return None
    return "interlaced" if picture.interlaced_frame else "all"


def _bwdif(picture: av.VideoFrame, info: VideoInfo, which: str, order: Weave) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=picture.width, height=picture.height, format=picture.format, time_base=info.time_base
    )
    parity = "auto" if order is Weave.UNKNOWN else order.value
    bwdif = graph.add("bwdif", f"mode=send_frame:parity={parity}:deint={which}")
    graph.link_nodes(source, bwdif, graph.add("buffersink")).configure()
    return graph


def _drain(graph: Graph, waiting: deque[Timed], keep: _Keep | None, *, flush: bool) -> Iterator[Timed]:
    if flush:
        graph.vpush(None)
    while waiting:
        try:
            picture = graph.vpull()
        except (av.BlockingIOError, av.EOFError):
            return
        assert isinstance(picture, av.VideoFrame)
        timed = waiting.popleft()
        whole = keep is not None and keep(timed, waiting[0] if waiting else None)
        yield timed if whole else replace(timed, picture=picture)
