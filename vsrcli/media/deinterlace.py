"""Deinterlace frames with ffmpeg's bwdif, one frame out for each frame in."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

import av
from av.filter import Graph

from vsrcli.media.info import VideoInfo
from vsrcli.media.options import Deinterlace
from vsrcli.media.timestamps import Timed


def deinterlaced(frames: Iterable[Timed], info: VideoInfo, mode: Deinterlace) -> Iterator[Timed]:
    """Yield the frames in order with unchanged pts and duration, those selected by `mode` filtered by bwdif.

    "on" means all, "off" none, "auto" those flagged interlaced (all, if the stream declares it but flags none).
    """
    graph: Graph | None = None
    waiting: deque[Timed] = deque()
    shape: tuple[int, int, str] | None = None
    for timed in frames:
        picture = timed.picture
        now = (picture.width, picture.height, picture.format.name)
        if graph is not None and now != shape:
            yield from _drain(graph, waiting, flush=True)
            graph = None
        if graph is None:
            which = _which(picture, info, mode)
            if which is None:
                yield timed
                continue
            graph, shape = _bwdif(picture, info, which), now
        picture.pts, picture.time_base = timed.pts, info.time_base
        waiting.append(timed)
        graph.vpush(picture)
        yield from _drain(graph, waiting, flush=False)
    if graph is not None:
        yield from _drain(graph, waiting, flush=True)


def _which(picture: av.VideoFrame, info: VideoInfo, mode: Deinterlace) -> str | None:
    """Return bwdif's option for the choice of frames from here on, None for no frames yet."""
    if mode == "on":
        return "all"
    if mode == "off" or not (picture.interlaced_frame or info.interlaced):
        return None
    return "interlaced" if picture.interlaced_frame else "all"


def _bwdif(picture: av.VideoFrame, info: VideoInfo, which: str) -> Graph:
    graph = Graph()
    source = graph.add_buffer(
        width=picture.width, height=picture.height, format=picture.format, time_base=info.time_base
    )
    bwdif = graph.add("bwdif", f"mode=send_frame:parity=auto:deint={which}")
    graph.link_nodes(source, bwdif, graph.add("buffersink")).configure()
    return graph


def _drain(graph: Graph, waiting: deque[Timed], *, flush: bool) -> Iterator[Timed]:
    if flush:
        graph.vpush(None)
    while waiting:
        try:
            picture = graph.vpull()
        except (av.BlockingIOError, av.EOFError):
            return
        assert isinstance(picture, av.VideoFrame)
        yield replace(waiting.popleft(), picture=picture)
