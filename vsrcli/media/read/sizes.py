"""Find the largest picture of a recording whose size changes, as in recorded meetings."""

from itertools import islice
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError

from vsrcli.media.containers import open_container
from vsrcli.media.opening import demux

_CHANGING = frozenset({"h264", "hevc", "vp8", "vp9", "av1", "mpeg1video", "mpeg2video", "mpeg4", "flv1", "h263"})
_PLACES = 8  # looked at, evenly spread over the film, besides its end
_PACKETS = 40  # read at each until a picture comes out: the deepest reordering, twice
_BEHIND_ALL = 1 << 40  # ticks
_READ_THROUGH = 1 << 30  # bytes


def largest_size(
    path: Path,
    container: InputContainer,
    stream: av.VideoStream,
    codec: str,
    first: tuple[int, int],
    duration: float | None,
) -> tuple[int, int]:
    """Return the (width, height) of the largest picture among `first` and those at some places of the video.

    A file without seeking is read as far as its first GiB. Codecs whose size cannot change keep `first`. The position
    of `container` is undefined afterwards.
    """
    if codec not in _CHANGING or not stream.time_base:
        return first
    sizes: list[tuple[int, int]] = []
    begin, length = stream.start_time or 0, int((duration or 0) / stream.time_base)
    places = [begin + length * number // _PLACES for number in range(1, _PLACES)] if length else []
    for place in [*places, _BEHIND_ALL]:
        try:
            container.seek(place, stream=stream, backward=True)
            sizes += _next_size(container, stream)
        except FFmpegError:
            continue
    if not sizes:
        sizes = _all_sizes(path, stream.index)
    return max([first, *sizes], key=lambda size: size[0] * size[1])


def _next_size(container: InputContainer, stream: av.VideoStream) -> list[tuple[int, int]]:
    for packet in islice(demux(container, stream), _PACKETS):
        try:
            frames = packet.decode()
        except FFmpegError:
            continue
        if frames:
            return [(frames[-1].width, frames[-1].height)]
    return []


def _all_sizes(path: Path, index: int) -> list[tuple[int, int]]:
    """Return the sizes of the keyframes, where alone the size can change."""
    found: set[tuple[int, int]] = set()
    read = 0
    with open_container(path) as container:
        stream = container.streams[index]
        assert isinstance(stream, av.VideoStream)
        stream.codec_context.skip_frame = "NONKEY"
        try:
            for packet in demux(container, stream):
                read += packet.size
                if read > _READ_THROUGH:
                    break
                if packet.is_keyframe or not packet.size:
                    found.update((frame.width, frame.height) for frame in packet.decode())
        except FFmpegError:  # damaged: the sizes found so far are used
            pass
    return list(found)
