"""A wished size or bit rate: what the picture may take, and how its segments keep to it.

Each segment has an encoder of its own, with a constrained mean rate (one pass). What the segments before it took too
much or too little, the next ones make up for; their sizes are on the disk, so a job that is continued does the same.
"""

import math
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
from av.error import FFmpegError

from vsrcli.errors import UsageError
from vsrcli.media.containers import Placement, container_of, open_container, place_streams
from vsrcli.media.info import VideoInfo
from vsrcli.media.opening import demux
from vsrcli.media.write.encode_settings import EncodeSettings
from vsrcli.media.write.encoders import is_foreign
from vsrcli.pipeline.folder.job_records import read_segment_record
from vsrcli.pipeline.options import Options

MAKE_UP_SECONDS = 5.0
"""Seconds of the film over which a segment's excess is made up for."""
MOST, LEAST = 1.5, 0.4
"""Limits of a segment's rate, relative to the mean."""
MARGIN = Fraction(99, 100)
"""Share of a wished size that is planned with."""
LEAST_BITRATE = 1000
TOLERANCES = {"h264": 0.1, "hevc": 0.1}
"""Share by which a result of an encoder may miss a wished size or bit rate."""
LOOSEST = 1 / 3
"""Tolerance of the other encoders."""
SHORT_SECONDS, SHORT = 10.0, 0.2
"""Seconds below which an encoder has little room to make up for its first frames, and the least tolerance then."""
_HEADS, _HEAD = {"avi": 8000}, 1024  # bytes of a file besides its streams' packets
_BESIDE = {"mpegts": 280, "avi": 25}  # bytes a packet of the container's own
_USUAL = 16
_CONVERTED = {"aac": 128_000, "opus": 128_000}  # bits a second that FFmpeg's encoders take
_LOSSLESS = Fraction(7, 10)  # of 24-bit samples


def with_bitrate(options: Options, info: VideoInfo, output: Path, frames: int | None) -> Options:
    """Return options with the bit rate that a wished size leaves for a picture of `frames` frames.

    `info` is the source as it is shown. Raises UsageError if the length is unknown, or the size too small.
    """
    if options.target_size is None:
        return options
    if not frames:
        raise UsageError("the source does not tell its length, so no size can be aimed at: give a bitrate")
    seconds = frames / info.rate
    beside, packets = (0, 0) if info.images else _bytes_beside(options, info, output, seconds)
    muxer = container_of(output).muxer
    own = _BESIDE.get(muxer, _USUAL) * (frames + packets) + _HEADS.get(muxer, _HEAD)
    left = options.target_size * MARGIN - beside - own
    bitrate = int(left * 8 / seconds)
    if bitrate < LEAST_BITRATE:
        need = f", of which the sound takes {_in_words(beside)}" if beside else ""
        length = f"{float(seconds):.2g}" if seconds < 10 else f"{float(seconds):.0f}"
        least = math.ceil((beside + own + LEAST_BITRATE * seconds / 8) / MARGIN)
        short = f"{_in_words(options.target_size)} are too little for {length} s{need}"
        raise UsageError(f"{short}: {_in_words(least, up=True)} is the least")
    return replace(options, bitrate=bitrate)


def size_missed(wanted: int, got: int, seconds: float, codec: str) -> str | None:
    """Return a line if a result of `got` bytes and some seconds misses the wished size by too much, else None."""
    if not _missed(wanted, got, seconds, codec):
        return None
    way = "larger" if got > wanted else "smaller"
    return f"the result has {_in_words(got)}, {way} than the {_in_words(wanted)} that were asked for"


def rate_missed(wanted: int, size: int, seconds: float, codec: str) -> str | None:
    """Return a line if a picture of `size` bytes and some seconds misses the wished bit rate by too much, else None."""
    got = round(8 * size / seconds)
    if not _missed(wanted, got, seconds, codec):
        return None
    way = "more" if got > wanted else "less"
    return f"the picture has {got / 1000:.0f} kbit/s, {way} than the {wanted / 1000:.0f} kbit/s that were asked for"


def _missed(wanted: int, got: int, seconds: float, codec: str) -> bool:
    tolerance = TOLERANCES.get(codec, LOOSEST)
    tolerance = max(tolerance, SHORT) if seconds < SHORT_SECONDS else tolerance
    return abs(got / wanted - 1) > tolerance


def _in_words(size: int, *, up: bool = False) -> str:
    unit, step, digits = ("MB", 10_000, 2) if size >= 1_000_000 else ("kB", 100, 1)
    steps = math.ceil(size / step) if up else round(size / step)
    return f"{steps / 10**digits:.{digits}f} {unit}"


def _bytes_beside(options: Options, info: VideoInfo, output: Path, seconds: Fraction) -> tuple[int, int]:
    """Return the bytes and packets of the streams that the output has beside the picture."""
    placed = {one.stream.index: one for one in place_streams(info, output) if one.codec is not None}
    copied = {index for index, one in placed.items() if one.codec == "copy"}
    size = packets = 0
    with open_container(info.path) as container:
        size += sum(_converted(container, one, seconds) for index, one in placed.items() if index not in copied)
        begin = info.own.start_time + (options.start or 0.0)
        end = None if options.end is None else info.own.start_time + options.end
        if copied:
            try:
                for packet in demux(container, *(container.streams[index] for index in copied)):
                    when = float((packet.dts or 0) * (packet.time_base or 0))
                    if packet.size and when >= begin - 0.1 and (end is None or when < end):
                        size, packets = size + packet.size, packets + 1
            except FFmpegError:  # damaged: what could be read counts
                pass
    return size, packets


def _converted(container: av.container.InputContainer, placement: Placement, seconds: Fraction) -> int:
    """Return about how many bytes a converted stream takes."""
    stream = container.streams[placement.stream.index]
    if not isinstance(stream, av.AudioStream):
        return 0
    rate = _CONVERTED.get(str(placement.codec), int(stream.sample_rate * stream.channels * 24 * _LOSSLESS))
    return int(rate * seconds / 8)


def controlled(encode: EncodeSettings, path: Path, info: VideoInfo) -> EncodeSettings:
    """Return the settings for the segment at `path`, by what those before it in its folder took."""
    foreign = is_foreign(encode.codec, encode.encoder)  # whose headers may tell the rate, and must be alike
    if encode.bitrate is None or foreign or not path.stem.isdecimal():
        return encode
    size = frames = 0
    for number in range(int(path.stem)):
        before = path.with_name(f"{number:06d}{path.suffix}")
        record = read_segment_record(before.with_suffix(".json"))
        if record is not None and before.is_file():
            size, frames = size + before.stat().st_size, frames + len(record["pts"])
    excess = 8 * size - encode.bitrate * float(frames / info.rate)
    wanted = encode.bitrate - excess / MAKE_UP_SECONDS
    bounded = min(max(wanted, LEAST * encode.bitrate), MOST * encode.bitrate)
    return replace(encode, bitrate=max(LEAST_BITRATE, round(bounded)))
