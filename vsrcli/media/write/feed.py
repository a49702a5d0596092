"""Join segments into one video stream with exact timestamps, written to ffmpeg through a pipe."""

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import IO

import av
from av.error import FFmpegError

from vsrcli.errors import GO_ON, InterruptedJobError, OutputError, Reason
from vsrcli.media.containers import open_container
from vsrcli.media.info import VideoInfo
from vsrcli.media.opening import demux
from vsrcli.media.write.encoders import segment_muxer

MICROSECOND = Fraction(1, 1_000_000)
MILLISECOND = Fraction(1, 1000)
_IN_MP4 = frozenset({"h264", "hevc", "av1", "vp9", "mpeg4"})
UNSHAPED = ("nut", "matroska")  # pipes in which a turned picture or the pixels' shape has no exact place


@dataclass(frozen=True)
class Feed:
    """The joined video, in display order: `times` are its pts in `time_base`, by the pts in the segments.

    `last_duration` (in `time_base`) is the duration of the last frame. `lead` is that of `segment_lead`. `aspect` is
    that of the pixels (0: undeclared); some codecs cannot store it, so it is separate. `avi_start` frames pass in AVI
    before the first one of `times`, which is 0 there. `rounds` means that the final file is Matroska, whose clock
    counts milliseconds.
    """

    segments: tuple[Path, ...]
    source_time_base: Fraction
    time_base: Fraction
    times: dict[int, int]
    last_duration: int
    rotation: tuple[int, ...] | None
    aspect: Fraction = Fraction(0)
    lead: int = 0
    avi_start: int = 0
    rounds: bool = False

    @property
    def end(self) -> int:
        """The end of the last frame in `time_base`."""
        return max(self.times.values()) + self.last_duration

    def keeps(self, rate: Fraction) -> bool:
        """Return whether every frame has its time at a constant `rate`, to the precision of the clock."""
        first = min(self.times.values())
        ideal = (first + i / rate / self.time_base for i in range(len(self.times)))
        return all(abs(time - wanted) <= 1 for time, wanted in zip(self.times.values(), ideal, strict=True))

    def input_arguments(self) -> list[str]:
        """Return ffmpeg's arguments for the pipe as an input.

        The pipe's clock starts at 0, since its format supports no negative dts; ffmpeg adds the start again.
        """
        muxer = self.muxer
        microseconds, _ = self._piped()._start()
        turned = _rotation_arguments(self.rotation) if muxer in UNSHAPED and self.rotation else []
        return [*turned, "-itsoffset", f"{microseconds}us", "-f", muxer, "-i", "pipe:0"]

    def filter_arguments(self, specifier: str) -> list[str]:
        """Return ffmpeg's arguments that add the rest of the start that is less than a microsecond, if any."""
        _, rest = self._piped()._start()
        return [f"-bsf:{specifier}", f"setts=pts=PTS+{rest}:dts=DTS+{rest}"] if rest else []

    def _start(self) -> tuple[int, int]:
        """Return the first dts as whole microseconds and the rest as ticks of the pipe's clock, 1/denominator."""
        ticks = self._first_dts(self._delay()) * self.time_base.numerator
        clock = Fraction(1, self.time_base.denominator)
        microseconds = round(ticks * clock / MICROSECOND)
        scaled = abs(microseconds) * MICROSECOND / clock
        applied = int(scaled + Fraction(1, 2)) * (1 if microseconds >= 0 else -1)  # av_rescale_q rounds half away
        return microseconds, ticks - applied

    def _first_dts(self, delay: int) -> int:
        ordered = list(self.times.values())
        step = ordered[1] - ordered[0] if len(ordered) > 1 else self.last_duration
        return ordered[0] - delay * max(1, step)

    def _delay(self) -> int:
        """Return the number of frames by which the encoder's reordering delays the stream."""
        with open_container(self.segments[0]) as container:
            return int(container.streams.video[0].codec_context.reorder_depth)

    def write(self, pipe: IO[bytes], cancelled: Callable[[], bool]) -> int:
        """Write the stream to `pipe` and return its number of frames.

        The dts are the sorted pts delayed by the encoder's reordering, over the whole video: strictly monotonic across
        segments and never above the pts, whatever the frame times. Raises `OutputError` for segments that do not belong
        together and `InterruptedJobError` once `cancelled` returns true.
        """
        return self._piped()._write(pipe, cancelled)

    def _piped(self) -> "Feed":
        """Return the same feed in the clock of the pipe's format."""
        if self.muxer != "matroska":
            return self
        times, last = self._milliseconds(self.times.values()), self._milliseconds([self.last_duration])
        return replace(
            self,
            time_base=MILLISECOND,
            times=dict(zip(self.times, times, strict=True)),
            last_duration=max(1, last[0]),
        )

    def _milliseconds(self, times: Iterable[int]) -> list[int]:
        """Return times of this clock in whole milliseconds, rounded as ffmpeg does: halves away from 0."""
        up, down = 2000 * self.time_base.numerator, 2 * self.time_base.denominator
        return [(abs(time) * up + down // 2) // down * (1 if time >= 0 else -1) for time in times]

    def _write(self, pipe: IO[bytes], cancelled: Callable[[], bool]) -> int:
        delay = self._delay()
        ordered = list(self.times.values())
        start = self._first_dts(delay)
        step = (ordered[0] - start) // delay if delay else 0
        dts = [start + step * i for i in range(delay)] + ordered
        durations = {a: b - a for a, b in pairwise(ordered)}
        clock = str(self.time_base.denominator)
        options = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "video_track_timescale": clock}
        number, muxer = 0, self.muxer
        with av.open(pipe, "w", format=muxer, container_options=options | {"avoid_negative_ts": "disabled"}) as joined:
            output: av.VideoStream | None = None
            for packet, source in self._packets():
                if cancelled():
                    raise InterruptedJobError(f"stopped while writing the final file{GO_ON}")
                if output is None:
                    output = joined.add_stream_from_template(
                        source, opaque=True
                    )  # the decoder's name may be no encoder
                    output.time_base = self.time_base
                    output.codec_context.sample_aspect_ratio = self.aspect
                    output.codec_context.framerate = self._mean_rate()  # Matroska tells durations beside one of it
                    if muxer not in ("mp4", "matroska"):  # the profile of ProRes, and Ut's format, are in the tag alone
                        output.codec_context.codec_tag = source.codec_context.codec_tag
                    if self.rotation and muxer not in UNSHAPED:
                        output.set_display_matrix(self.rotation)
                pts = self._time_of(packet)
                packet.pts, packet.dts = pts - start, dts[number] - start
                packet.duration, packet.time_base = durations.get(pts, self.last_duration), self.time_base
                packet.stream = output
                joined.mux_one(packet)
                number += 1
        return number

    @cached_property
    def muxer(self) -> str:
        """The pipe's format, by ffmpeg's name.

        Fragmented MP4 keeps pts and dts, but its durations are the steps of the dts. These differ from the frames'
        durations if frames are reordered and their rate varies, and Matroska would keep them. So Matroska is fed with
        Matroska, which stores each frame's own duration. FFV1, which needs no dts and which MP4 does not support, is
        sent as NUT otherwise.
        """
        with open_container(self.segments[0]) as container:
            codec = container.streams.video[0].codec_context.codec.canonical_name
            if container.format.name.startswith("matroska"):  # with alpha beside the pictures
                return "matroska"
        if segment_muxer(codec) == "mov":
            return "mov"
        if self.rounds and len(set(self._milliseconds(self.times.values()))) == len(self.times):
            return "matroska"
        return "mp4" if codec in _IN_MP4 else "nut"

    def _mean_rate(self) -> Fraction:
        """Return the mean number of frames per second of the whole video."""
        length = (self.end - min(self.times.values())) * self.time_base
        return (len(self.times) / length).limit_denominator(1001)

    def _packets(self) -> "Iterator[tuple[av.Packet[av.VideoStream], av.VideoStream]]":
        headers = None
        for path in self.segments:
            with open_container(path) as container:
                stream = container.streams.video[0]
                extradata = stream.codec_context.extradata
                if headers is not None and extradata != headers:
                    raise OutputError(f"{path.name} was encoded otherwise than the segments before", Reason.JOB_DAMAGED)
                headers = extradata
                for packet in container.demux(stream):
                    if packet.size:
                        yield packet, stream

    def _time_of(self, packet: "av.Packet[av.VideoStream]") -> int:
        if packet.pts is None or packet.time_base is None:
            raise OutputError("a segment has a frame without a timestamp", Reason.JOB_DAMAGED)
        pts = _ticks(packet, self.source_time_base)
        try:
            return self.times[int(pts) - self.lead]
        except KeyError:
            raise OutputError(f"a segment has an unexpected frame at pts {pts}", Reason.JOB_DAMAGED) from None


def segment_lead(info: VideoInfo) -> int:
    """Return the offset of the segments' pts to the source's, since a segment supports no negative ones."""
    return math.ceil((10 - info.start_time) / info.time_base) if info.start_time < 0 else 0


def segment_pts(segments: Sequence[Path], info: VideoInfo) -> list[int]:
    """Return the sorted pts of all frames in the segments, in the source's time base."""
    lead = segment_lead(info)
    found = []
    for path in segments:
        with open_container(path) as container:
            for packet in container.demux(container.streams.video[0]):
                if packet.size and packet.pts is not None and packet.time_base is not None:
                    found.append(int(_ticks(packet, info.time_base)) - lead)
    return sorted(found)


def _ticks(packet: "av.Packet[av.VideoStream]", time_base: Fraction) -> Fraction:
    """Return a segment's pts, which is not None, in the source's time base; Matroska's milliseconds are its ticks."""
    assert packet.pts is not None and packet.time_base is not None
    if packet.stream.container.format.name.startswith("matroska"):
        return Fraction(packet.pts)
    return packet.pts * Fraction(packet.time_base) / time_base


def last_duration(info: VideoInfo, pts: Sequence[int]) -> int:
    """Return the duration of the frame at the last of `pts`, in the source's time base: the source's, or one frame."""
    if info.made_of_each > 1:  # the last frame of the source is shown again, for equal times
        return pts[-1] - pts[-2]
    fallback = max(1, round(1 / (info.rate * info.time_base))) if info.rate else 1
    if info.images or info.cadence != 1:  # no frame of the file lasts as long as one that is decoded
        return fallback
    with contextlib.suppress(FFmpegError), open_container(info.path) as container:
        stream = container.streams[info.stream_index]
        with contextlib.suppress(FFmpegError):  # no index to seek by: all is read
            container.seek(pts[-1] // info.ticks, stream=stream)
        for packet in demux(container, stream):  # damaged data is read as far as it goes
            if packet.pts is not None and packet.pts * info.ticks == pts[-1] and packet.duration:
                return int(packet.duration) * info.ticks
    return fallback


def _rotation_arguments(matrix: tuple[int, ...]) -> list[str]:
    """Return ffmpeg's input options for this display matrix."""
    a, b, _, c, d = matrix[:5]
    mirrored = a * d - b * c < 0
    if mirrored:
        a, c = -a, -c
    return ["-display_rotation", f"{-math.degrees(math.atan2(b, a)):g}", *(["-display_hflip"] if mirrored else [])]
