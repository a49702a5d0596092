"""Decodes a source into RGB frames with exact timestamps, whole or a part of it."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Literal

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.filter import Graph

from vsrcli.errors import InputError
from vsrcli.media.colour import to_rgb
from vsrcli.media.frame import Frame
from vsrcli.media.images import read_image
from vsrcli.media.info import VideoInfo
from vsrcli.media.probe import decode_packet, open_video
from vsrcli.media.timestamps import Timed, stamp

__all__ = ["Deinterlace", "Frame", "decode"]

Deinterlace = Literal["auto", "on", "off"]
Warn = Callable[[str], None]
# Seconds before `start` to seek to. Containers index by decoding time, so the keyframe found may be shown too late;
# then farther back, and at last from the beginning.
_SEEK_MARGINS: tuple[float | None, ...] = (0.5, 5.0, None)


def decode(
    info: VideoInfo,
    *,
    start: float | None = None,
    end: float | None = None,
    deinterlace: Deinterlace = "auto",
    warn: Warn = lambda message: None,
) -> Iterator[Frame]:
    """Every frame of `info` in order of presentation, or those shown from `start` until before `end` (seconds).

    Seconds count from the container's start, as in players. `deinterlace` "on" sends every frame through ffmpeg's
    bwdif (one frame out per frame), "auto" those flagged interlaced (all, if the stream declares it and flags none).
    As in ffmpeg, damaged data is skipped: `warn` is told, with a line fit to show. If the size changes midway, later
    frames are scaled to the first one's. Raises InputError if not one frame can be decoded, or an image is damaged.
    """
    tick = info.time_base / 2  # pts are compared with `start` and `end` to half a tick: seconds come rounded
    first = None if start is None else (Fraction(start + info.start_time) - tick) / info.time_base
    last = None if end is None else (Fraction(end + info.start_time) - tick) / info.time_base
    if info.images:
        yield from _images(info, first, last)
        return
    size, resized = (info.width, info.height), False
    colour = replace(info.colour, matrix=info.colour.matrix_for_conversion(info.height))
    number = 0
    for timed in _deinterlaced(_from(info, first, warn), info, deinterlace):
        if last is not None and timed.pts >= last:
            return
        if first is not None and timed.pts < first:
            continue
        picture = timed.picture
        changed = (picture.width, picture.height) != size
        if changed and not resized:
            resized = True
            warn(f"the size changes to {picture.width}x{picture.height}: scaled to {size[0]}x{size[1]} from there on")
        yield Frame(number, timed.pts, timed.duration, to_rgb(picture, colour, size=size if changed else None))
        number += 1


def _images(info: VideoInfo, first: Fraction | None, last: Fraction | None) -> Iterator[Frame]:
    chosen = [
        pts for pts in range(len(info.images)) if (first is None or pts >= first) and (last is None or pts < last)
    ]
    for number, pts in enumerate(chosen):
        yield Frame(number, pts, 1, read_image(info.images[pts], info))


def _from(info: VideoInfo, first: Fraction | None, warn: Warn) -> Iterator[Timed]:
    """The frames from `first` (in ticks) on, and some before it."""
    margins = _SEEK_MARGINS if first is not None else (None,)
    for margin in margins:
        target = None if margin is None or first is None else int(first - Fraction(margin) / info.time_base)
        if target is not None and target * info.time_base <= info.start_time:
            continue
        with open_video(info.path) as container:
            frames = stamp(_pictures(container, info, target, warn), info, warn)
            head = next(frames, None)
            if target is not None and (head is None or first is None or head.pts > first):
                continue
            if head is None:
                raise InputError(f"not one frame of {info.path} can be decoded: it is damaged or cut off")
            yield head
            yield from frames
            return


def _pictures(container: InputContainer, info: VideoInfo, target: int | None, warn: Warn) -> Iterator[av.VideoFrame]:
    """Decoded pictures in order of presentation, from the keyframe before `target` (a pts) if it is given."""
    stream = container.streams[info.stream_index]
    assert isinstance(stream, av.VideoStream)
    stream.thread_type = "AUTO"
    awaits_key = target is not None
    if target is not None:
        try:
            container.seek(target, stream=stream, backward=True)
        except FFmpegError:  # no index to seek by
            return
    read = damaged = 0
    for packet in _packets(container, stream, info, warn):
        awaits_key = awaits_key and not packet.is_keyframe
        if awaits_key:
            continue
        read += packet.size > 0
        try:
            pictures = decode_packet(packet)
        except FFmpegError:
            damaged += 1
            if damaged == 1:
                warn(f"{info.path}: damaged data skipped{_place(packet)}")
            continue
        yield from pictures
    if damaged > 1:
        warn(f"{info.path}: {damaged} damaged packets were skipped")
    if target is None and read < stream.frames:
        warn(f"{info.path} is cut off: {read} of {stream.frames} frames are there")


def _packets(container: InputContainer, stream: av.VideoStream, info: VideoInfo, warn: Warn) -> Iterator[av.Packet]:
    """The stream's packets; a file that cannot be read to its end ends there, flushing the decoder."""
    try:
        yield from container.demux(stream)
    except FFmpegError as error:
        warn(f"{info.path} cannot be read to its end: {error.strerror}")
        flush = av.Packet()
        flush.stream = stream
        yield flush


def _place(packet: av.Packet) -> str:
    stamp_ = packet.pts if packet.pts is not None else packet.dts
    return "" if stamp_ is None else f" near {float(stamp_ * packet.time_base):.2f} s"


def _deinterlaced(frames: Iterable[Timed], info: VideoInfo, mode: Deinterlace) -> Iterator[Timed]:
    """Send interlaced frames through bwdif, one frame out for each in, with the same pts and duration."""
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
    """bwdif's choice of frames from here on, None for none yet."""
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
