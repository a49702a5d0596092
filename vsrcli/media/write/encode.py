"""Encode frames to a segment: an independently decodable file that keeps every pts exactly."""

import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import cast

import av
import numpy as np
from av.codec.context import Flags
from av.error import FFmpegError

from vsrcli.errors import unwritable
from vsrcli.frame import Frame, largest_level
from vsrcli.media.containers import url
from vsrcli.media.info import Colour, VideoInfo
from vsrcli.media.pixels.alpha import scaled_alpha, with_alpha
from vsrcli.media.pixels.colour import from_rgb, scaled_to
from vsrcli.media.pixels.tint import fill_chroma, tinted
from vsrcli.media.write.caption_messages import holds_captions, with_captions
from vsrcli.media.write.encode_settings import EncodeSettings, encoder_options
from vsrcli.media.write.encoders import segment_muxer
from vsrcli.media.write.feed import MILLISECOND, segment_lead
from vsrcli.media.write.scheduling import ordinary_scheduling

RGB_MATRIX = 0
NEVER_REORDERED = 2  # frames: so few have no B-frame between them
FAILURES = (FFmpegError, OSError, ValueError)


class SegmentWriter:
    """Encoder of RGB frames into one file; use it as a context manager.

    The file is NUT, which accepts any time base, so every `pts` is kept (ProRes, which NUT does not support, uses
    QuickTime with the time base as its clock). If the source has negative ones, `segment_lead` is added. After an error
    in the `with` block the file is incomplete.
    """

    def __init__(self, path: Path, info: VideoInfo, settings: EncodeSettings):
        self._info, self._settings, self._path = info, settings, path
        self._colour = output_colour(info, settings)
        self._lead = segment_lead(info)
        self._muxer = segment_muxer(settings.codec, settings.pix_fmt)
        self._closed, self._frames = False, 0
        self._captioned, self._captions = holds_captions(settings), dict[int, bytes]()
        self.unused: tuple[str, ...] = ()
        """Options that the encoder does not know."""
        try:
            self._container = self._open()
            self._stream = self._open_stream()
            with ordinary_scheduling():
                self._container.start_encoding()
            self.unused = tuple(self._stream.codec_context.options)
        except FAILURES as error:
            raise unwritable(path, error) from error

    def _open(self) -> av.container.OutputContainer:
        self._path.unlink(missing_ok=True)  # a link is not followed
        return _open_segment(self._path, self._info, self._muxer)

    def _open_stream(self) -> av.VideoStream:
        info, settings, colour = self._info, self._settings, self._colour
        options = encoder_options(info, settings)
        if settings.codec == "av1":
            os.environ.setdefault("SVT_LOG", "1")  # errors only: else it writes a page to stderr for each segment
        stream = self._container.add_stream(settings.encoder, rate=info.rate, options=options)
        assert isinstance(stream, av.VideoStream)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = settings.width, settings.height, settings.pix_fmt
        context.time_base = stream.time_base = info.time_base
        context.sample_aspect_ratio = output_aspect(info, settings)
        context.colorspace, context.color_range = colour.matrix, colour.range
        context.color_primaries, context.color_trc = colour.primaries, colour.transfer
        context.thread_count, context.thread_type = 0, "AUTO"  # PyAV's own default means sliced threads in x264
        context.flags |= Flags.global_header | Flags.frame_duration
        return stream

    def write(self, frame: Frame) -> None:
        """Encode one frame of levels with its tint. A picture of another size than the settings' is scaled to it.

        Raises `OutputError` if it cannot be written.
        """
        picture = picture_of(frame, self._info, self._settings, self._colour)
        if frame.captions and self._captioned:
            self._captions[frame.pts] = frame.captions
        self._frames += 1
        self._encode(picture)

    def close(self) -> None:
        """Flush the encoder and complete the file."""
        if self._closed:
            return
        self._closed = True
        try:
            self._encode(None)
        finally:
            self._finish()

    def _encode(self, frame: av.VideoFrame | None) -> None:
        try:
            for packet in self._stream.encode(frame):
                if frame is None and self._frames <= NEVER_REORDERED:
                    packet.dts = packet.pts  # x265 reads uninitialised memory for it
                self._mux(self._with_captions(packet))
        except FAILURES as error:
            raise unwritable(self._path, error) from error

    def _with_captions(self, packet: "av.Packet[av.VideoStream]") -> "av.Packet[av.VideoStream]":
        """Return a packet with the captions of its picture."""
        captions = self._captions.pop(packet.pts, b"") if packet.pts is not None else b""
        if not captions:
            return packet
        data = with_captions(bytes(packet), self._settings.codec, captions)
        held = cast("av.Packet[av.VideoStream]", av.Packet(data))
        held.pts, held.dts, held.duration = packet.pts, packet.dts, packet.duration
        held.time_base, held.stream, held.is_keyframe = packet.time_base, packet.stream, packet.is_keyframe
        return held

    def _mux(self, packet: "av.Packet[av.VideoStream]") -> None:
        """Write a packet at its time in the segment."""
        if self._lead and packet.pts is not None:
            packet.pts += self._lead
        if self._lead and packet.dts is not None:
            packet.dts += self._lead
        if self._muxer == "matroska":
            packet.time_base = MILLISECOND  # as which ticks are stored
        self._container.mux(packet)

    def _finish(self) -> None:
        try:
            self._container.close()
        except FAILURES as error:
            raise unwritable(self._path, error) from error

    def __enter__(self) -> "SegmentWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        elif not self._closed:
            self._closed = True
            self._container.close()


def picture_of(frame: Frame, info: VideoInfo, settings: EncodeSettings, tags: Colour) -> av.VideoFrame:
    """Return a frame of levels, with its tint, as the encoder takes it; `tags` are those of `output_colour`.

    A picture of another size than the settings' is scaled to it.
    """
    size = settings.inner or (settings.width, settings.height)
    matrix = info.colour.matrix_for_conversion(info.width, info.height)
    colour = replace(tags, matrix=tags.matrix if tags.matrix != 2 else matrix)
    scaled = None if (frame.width, frame.height) == size else size
    data, tint, alpha = frame.data, frame.tint, frame.alpha
    if tint is not None and (settings.inner or av.VideoFormat(settings.pix_fmt, 16, 16).is_rgb):
        data, tint = tinted(data, tint, matrix), None
    if settings.inner is not None:
        data = data if scaled is None else scaled_to(data, scaled)
        data, scaled = _bordered(data, (settings.width, settings.height)), None
        if alpha is not None:
            opaque = largest_level(alpha)
            alpha = _bordered(scaled_alpha(alpha, size), (settings.width, settings.height), fill=opaque)
    picture = from_rgb(data, pix_fmt=settings.pix_fmt, colour=colour, size=scaled)
    if tint is not None:
        picture = fill_chroma(picture, tint, colour)
    picture = with_alpha(picture, alpha)
    picture.pts, picture.duration, picture.time_base = frame.pts, frame.duration, info.time_base
    return picture


def _bordered(data: np.ndarray, size: tuple[int, int], *, fill: int = 0) -> np.ndarray:
    """Return a picture (h, w, ...) in the middle of one of `size` (width, height) that is `fill` elsewhere."""
    made = np.full((size[1], size[0], *data.shape[2:]), fill, data.dtype)
    y, x = ((whole - part) // 4 * 2 for whole, part in zip(made.shape[:2], data.shape[:2], strict=True))
    made[y : y + data.shape[0], x : x + data.shape[1]] = data
    return made


def output_colour(info: VideoInfo, settings: EncodeSettings) -> Colour:
    """Return the colour tags of the output: the source's own, but the matrix is RGB only if the planes are RGB.

    Where a result tells no colours, its matrix is the one that readers take for their size; DNxHR's is BT.709.

    An undeclared matrix is declared if the picture grows from SD to HD: players guess it from the size, and would guess
    another one than for the source.
    """
    colour = info.colour
    taken = colour.matrix_for_conversion(info.width, info.height)
    if colour.matrix == 2 and taken != colour.matrix_for_conversion(settings.width, settings.height):
        colour = replace(colour, matrix=taken)
    fmt = av.VideoFormat(settings.pix_fmt, 16, 16)
    is_rgb = fmt.is_rgb
    if not settings.tagged and not is_rgb and len(fmt.components) > 1:  # no tag says the matrix: the size does
        matrix = Colour().matrix_for_conversion(settings.width, settings.height)
        return replace(colour, matrix=matrix, range=colour.range if colour.matrix and colour.range else 1)
    if is_rgb:
        return replace(colour, matrix=RGB_MATRIX, range=0 if settings.codec == "gif" else colour.range)
    if settings.codec == "dnxhr":  # FFmpeg's encoder marks each frame as BT.709
        return replace(colour, matrix=1, range=1 if colour.matrix == RGB_MATRIX else colour.range)
    if colour.matrix == RGB_MATRIX:
        matrix = Colour().matrix_for_conversion(settings.width, settings.height)
        return replace(colour, matrix=matrix, range=1)
    return colour


def output_aspect(info: VideoInfo, settings: EncodeSettings) -> Fraction:
    """Return the sample aspect ratio that keeps the shape of the picture: the source's own for plain upscaling."""
    aspect = info.sample_aspect_ratio
    width, height = settings.inner or (settings.width, settings.height)
    stretch = Fraction(info.width * height, info.height * width)
    made = (aspect or Fraction(1)) * stretch
    square = abs(made - 1) < Fraction(1, 100)
    if abs(stretch - 1) < Fraction(1, 100):  # rounding to whole pixels does not change the shape
        squared = square and aspect != 0 and abs(made - 1) < abs(aspect - 1)  # pixels that were nearly so
        return Fraction(1) if squared else aspect
    return Fraction(1) if square else made.limit_denominator(255)


def _open_segment(path: Path, info: VideoInfo, muxer: str) -> av.container.OutputContainer:
    options = {"avoid_negative_ts": "disabled"}  # no timestamp may be moved
    if muxer != "mov":
        return av.open(url(path), "w", format=muxer, container_options=options)
    clock = str(info.time_base.denominator)
    clocks = {"video_track_timescale": clock, "movie_timescale": clock}
    return av.open(url(path), "w", format="mov", container_options=options | clocks)
