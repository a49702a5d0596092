"""Read how coarsely a stream was quantised, frame by frame, in the codec's own numbers.

There are three ways, by codec: the decoder's report on every block (FFmpeg's side data), the headers of frames and
slices (FFmpeg's bitstream filter `trace_headers`, which decodes nothing), and the packets themselves (intra.py).
"""

import re
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from fractions import Fraction
from typing import Any, TypeVar

import av
import numpy as np
from av.bitstream import BitStreamFilterContext, bitstream_filters_available
from av.container import InputContainer
from av.error import FFmpegError

from vsrcli.media.info import VideoInfo
from vsrcli.media.opening import decode_packet, demux, open_video
from vsrcli.media.side_data import side_data

T = TypeVar("T")
Seen = tuple[int | None, list[T]]
"""A time in the stream's clock, and what was found there."""

PLACES = 4
"""Number of evenly spaced places in a file that are examined, including its start."""

_PIXELS_DECODED = 100_000_000  # in all: one to two seconds on one core. Pixels, not seconds: every run sees the same
_MOST_FRAMES, _LEAST_FRAMES = 24, 3  # decoded at one place
_PACKETS_READ = 60  # at one place, where only headers are read
_PACKETS_WAITED = 40  # packets without a frame, after which a place is given up

BLOCKS = frozenset({"h264", "mpeg1video", "mpeg2video", "mpeg4", "msmpeg4v1", "msmpeg4v2", "msmpeg4v3", "wmv1", "wmv2",
                    "flv1", "h263", "h263p", "rv10", "rv20"})  # fmt: skip
"""Codecs whose decoders report on every block."""

HEADERS = frozenset({"hevc", "vvc", "av1", "vp9", "vp8"})
"""Codecs whose headers FFmpeg can print."""

_BASES = {"init_qp_minus26": 26, "pps_init_qp_minus26": 26}
_DELTAS = frozenset({"slice_qp_delta", "ph_qp_delta", "sh_qp_delta"})
_INDICES = frozenset({"base_q_idx", "base_qindex"})
_FIELD = re.compile(r"\d+\s+(\w+)\s+[01]+ = (-?\d+)")


def block_quantisers(info: VideoInfo) -> list[float]:
    """Return the mean quantiser over the blocks of each examined frame: QP for H.264, else the step (2 q).

    It is empty if the decoder reports nothing.
    """
    frames = min(_MOST_FRAMES, max(_LEAST_FRAMES, _PIXELS_DECODED // (info.width * info.height * PLACES)))

    def look(container: InputContainer, stream: av.VideoStream) -> Iterator[tuple[int | None, list[float]]]:
        done = 0
        for number, packet in enumerate(demux(container, stream)):
            try:
                pictures = decode_packet(packet)
            except FFmpegError:  # damage here does not affect the rest
                pictures = []
            for picture in pictures:
                mean = _mean_of_blocks(picture)
                yield picture.pts, [] if mean is None else [mean]
            done += len(pictures)
            if done >= frames or number >= frames + _PACKETS_WAITED:
                return

    return _at_places(info, look)


def header_quantisers(info: VideoInfo) -> tuple[list[float], bool]:
    """Return the quantiser in the header of each examined frame or slice, and whether blocks may bypass it.

    For HEVC and VVC that is QP, for AV1, VP9 and VP8 an index. It is empty if FFmpeg cannot print headers.
    """
    if "trace_headers" not in bitstream_filters_available:
        return [], False

    def look(container: InputContainer, stream: av.VideoStream) -> Iterator[tuple[int | None, list[str]]]:
        with _Log() as about:  # headers before the stream: the parameter sets
            tracer = BitStreamFilterContext("trace_headers", stream)
        for packet, _ in zip(demux(container, stream), range(_PACKETS_READ), strict=False):
            if packet.size:
                with _Log() as lines:
                    tracer.filter(packet)
                yield packet.dts, about + lines
                about = []

    return _from_headers(_at_places(info, look))


def packet_quantisers(info: VideoInfo, step: Callable[[bytes], float | None]) -> list[float]:
    """Return the quantiser that `step` reads in each examined packet, for codecs of single pictures."""

    def look(container: InputContainer, stream: av.VideoStream) -> Iterator[tuple[int | None, list[float]]]:
        for packet, _ in zip(demux(container, stream), range(_LEAST_FRAMES), strict=False):
            if packet.size:
                found = step(bytes(packet))
                yield packet.dts, [] if found is None else [found]

    return _at_places(info, look)


def bits_per_pixel(info: VideoInfo) -> float | None:
    """Return the mean size of the examined frames in bits per pixel; None if nothing can be read."""

    def look(container: InputContainer, stream: av.VideoStream) -> Iterator[tuple[int | None, list[int]]]:
        for packet, _ in zip(demux(container, stream), range(_PACKETS_READ), strict=False):
            if packet.size:
                yield packet.dts, [packet.size]

    sizes = _at_places(info, look)
    return 8 * sum(sizes) / len(sizes) / (info.width * info.height) if sizes else None


def _at_places(info: VideoInfo, look: Callable[[InputContainer, av.VideoStream], Iterator[Seen[T]]]) -> list[T]:
    """Return what `look` finds at the places of a file, in order; it yields each find with an increasing time.

    A place is skipped if no seek leads beyond what was seen.
    """
    found: list[T] = []
    with open_video(info.path) as container:
        stream = container.streams[info.stream_index]
        assert isinstance(stream, av.VideoStream)
        # the deblocking changes no quantiser, and takes a third of the time
        stream.codec_context.options = {"export_side_data": "venc_params", "skip_loop_filter": "all"}
        stream.thread_type = "NONE"
        latest: int | None = None
        for place in range(PLACES):
            if place and (latest is None or not _seek(container, stream, info, Fraction(place, PLACES))):
                break
            with suppress(FFmpegError):  # the file cannot be read on from here
                for number, (time, finds) in enumerate(look(container, stream)):
                    if place and not number and (time is None or latest is None or time <= latest):
                        break
                    found += finds
                    latest = latest if time is None else max(time, latest or time)
    return found


def _seek(container: InputContainer, stream: av.VideoStream, info: VideoInfo, part: Fraction) -> bool:
    if info.duration is None:
        return False
    target = (Fraction(info.start_time) + Fraction(info.duration) * part) / info.time_base
    try:
        container.seek(int(target), stream=stream, backward=True)
    except FFmpegError:
        return False
    return True


def _mean_of_blocks(picture: av.VideoFrame) -> float | None:
    """Return the mean quantiser of a picture's blocks by FFmpeg's AVVideoEncParams.

    That has a header, and for each block its place, size and difference from the frame's QP.
    """
    raw = side_data(picture, "VIDEO_ENC_PARAMS")
    if raw is None:
        return None
    blocks, offset, size, _, base = struct.unpack_from("@IQQii", raw)
    if not blocks:
        return None
    numbers = np.frombuffer(raw, np.int32, blocks * size // 4, offset).reshape(blocks, -1)
    return float(base + numbers[:, 4].mean())


def _from_headers(lines: list[str]) -> tuple[list[float], bool]:
    found: list[float] = []
    base, picture, bypassed = 26, 0, False
    for name, value in (match.groups() for line in lines if (match := _FIELD.match(line))):
        number = int(value)
        if name in _BASES:
            base = _BASES[name] + number
        elif name == "ph_qp_delta":
            picture = number
            found.append(float(base + picture))
        elif name in _DELTAS:
            found.append(float(base + number))
        elif name in _INDICES:
            found.append(float(number))
        bypassed |= name == "transquant_bypass_enabled_flag" and number == 1
    return found, bypassed


class _Log:
    """Collector of FFmpeg's log in this thread, which leaves its level unchanged."""

    def __enter__(self) -> list[str]:
        self._level = av.logging.get_level()
        self._lines: list[str] = []
        self._capture = av.logging.Capture(local=True)
        av.logging.set_level(av.logging.INFO)
        self._logs = self._capture.__enter__()
        return self._lines

    def __exit__(self, kind: type[BaseException] | None, error: Exception | None, trace: Any) -> None:
        self._capture.__exit__(kind, error, trace)
        av.logging.set_level(self._level)
        self._lines += [text for _, _, text in self._logs]
