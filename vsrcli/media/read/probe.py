"""Examine a source: its video stream, clock, colours and shape, and all other streams."""

import struct
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path
from statistics import median

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.format import Flags as FormatFlags
from av.stream import Disposition, Stream

from vsrcli.errors import InputError
from vsrcli.media.animation import animation_of
from vsrcli.media.containers import TIMECODE, UNKNOWN, reel_name
from vsrcli.media.info import Colour, OtherStream, VideoInfo
from vsrcli.media.opening import WEBP_FIX, decode_packet, demux, open_video
from vsrcli.media.photo import exif
from vsrcli.media.photo.images import expand_images, holes, image_size, load_picture
from vsrcli.media.photo.picture_tags import read_tags
from vsrcli.media.pixels.alpha import alpha_of, holds_alpha, lies_beside
from vsrcli.media.pixels.colour import bit_depth
from vsrcli.media.pixels.siting import chroma_location
from vsrcli.media.read.header import header_text, hidden_borders
from vsrcli.media.read.sizes import largest_size
from vsrcli.media.side_data import side_data
from vsrcli.media.unkept import unkept
from vsrcli.names import is_address
from vsrcli.words import counted

_ABOUT_THE_FILE = frozenset(["major_brand", "minor_version", "compatible_brands", "encoder", "vendor_id"])
_DECLARING = frozenset({"matroska", "webm", "mov"})  # demuxers of containers that can hide borders of the picture
_PACKETS_TO_FIRST_FRAME = 300
_PACKETS_FOR_RATE = 60
_LONGEST = 1e9  # seconds, about 30 years: a tag that says more is wrong
_WIDEST = 100  # times as wide as high, or as high as wide, that a pixel can be
_DIGITS = 12  # largest number of digits of a frame count


IMAGE_RATE = Fraction(25)
"""Frames per second of an image sequence for which none are given."""


def probe(path: Path, *, rate: Fraction | None = None) -> VideoInfo:
    """Return the properties of a video file, or of an image sequence: a folder, a printf pattern, a glob or one image.

    Images have `rate` frames per second, or IMAGE_RATE. Raises InputError with one line that says what is wrong.
    """
    if is_address(path):
        raise InputError("vsr reads files, not web addresses: download it first, and give the file's name")
    images = expand_images(path)
    if images is not None:
        return _probe_images(path, images, rate or IMAGE_RATE)
    with open_video(path) as container:
        try:
            return _probe_video(path, container)
        except FFmpegError as error:
            raise InputError(f"{path} cannot be read as video: {error.strerror}") from error


def _probe_video(path: Path, container: InputContainer) -> VideoInfo:
    stream = _best_stream(path, container)
    context = stream.codec_context
    packets = demux(container, stream)
    frame = _first_frame(path, packets)
    time_base = stream.time_base or Fraction(1, 90000)
    rate = _rate(container, stream, frame, packets)
    duration, count = _duration(container, stream), _frame_count(stream)
    guess = round(duration * rate) if duration else None
    codec = context.codec.canonical_name
    beside = lies_beside(codec, stream.metadata)
    width, height = largest_size(path, container, stream, codec, (frame.width, frame.height), duration)
    deep = bit_depth(frame.format) > 8
    shown = frame.dts if container.format.name == "avi" else frame.pts  # as in timestamps.py
    first = float((shown or 0) * time_base)
    begin = first if container.start_time is None else container.start_time / av.time_base
    told = header_text(path) if deep or _DECLARING & set(container.format.name.split(",")) else ""
    info = VideoInfo(
        path=path,
        container=container.format.name,
        stream_index=stream.index,
        codec=codec,
        width=width,
        height=height,
        pix_fmt=frame.format.name,
        bit_depth=bit_depth(frame.format),
        time_base=time_base,
        frames=guess if count is None else count,
        estimated=count is None and guess is not None,
        duration=duration,
        rate=rate,
        colour=_colour(frame, codec),
        sample_aspect_ratio=_aspect(stream.sample_aspect_ratio),
        rotation=_rotation(frame, path, container),
        interlaced=context.field_order > 1 or frame.interlaced_frame,  # 1 is AV_FIELD_PROGRESSIVE
        mastering_display=_mastering_display(frame),
        content_light=_content_light(frame),
        streams=tuple(
            _other(other) for other in container.streams if other.index != stream.index and not _is_still(other)
        ),
        chapters=len(container.chapters()),
        tags=tuple(key.lower() for key in container.metadata if key.lower() not in _ABOUT_THE_FILE),
        unkept=unkept(told, frame, codec, bit_depth(frame.format)),
        alpha=beside or holds_alpha(frame.format),
        transparent=beside or alpha_of(frame) is not None,
        start_time=begin,
        timecode=_timecode(container, stream),
        reel=reel_name(container),
        late=0.0 if shown is None else max(0.0, first - begin),
    )
    borders = hidden_borders(told, stream.index)
    return info if borders is None else _without_borders(info, *borders)


def _without_borders(info: VideoInfo, left: int, right: int, top: int, bottom: int) -> VideoInfo:
    """Return a source without the borders that its container hides, as players show it."""
    width, height = info.width - left - right, info.height - top - bottom
    whole = f"{info.width}x{info.height}"
    if width < 1 or height < 1:
        note = f"{info.path} declares hidden borders that leave nothing of its {whole}: they are shown"
        return replace(info, notes=(note,))
    note = f"{info.path} hides borders: {width}x{height} of {whole} are shown, as in players, and upscaled"
    return replace(info.part(left, top, width, height), notes=(note,))


def _probe_images(path: Path, images: tuple[Path, ...], rate: Fraction) -> VideoInfo:
    for image in images:
        if kind := animation_of(image):  # only its first picture would be read
            fix = "give it alone" if kind == "PNG" else WEBP_FIX
            raise InputError(f"{image} is an animated {kind}: {fix}")
    frame = load_picture(images[0])
    size = (frame.width, frame.height)
    for image in images[1:]:
        if image_size(image) != size:
            other = "x".join(map(str, image_size(image)))
            names = image.parent / f"*{image.suffix}"
            differ = f"the images differ in size: {images[0].name} is {size[0]}x{size[1]}, {image.name} {other}"
            raise InputError(f"{differ}; photographs are given by their names, as {names}")
    tags = read_tags(images[0])
    codec = {".jpg": "mjpeg", ".jpeg": "mjpeg", ".tif": "tiff", ".avif": "av1"}.get(images[0].suffix.lower())
    codec = codec or images[0].suffix.lower().lstrip(".") or "image"
    return VideoInfo(
        path=path,
        container="image2",
        stream_index=0,
        codec=codec,
        width=frame.width,
        height=frame.height,
        pix_fmt=frame.format.name,
        bit_depth=bit_depth(frame.format),
        time_base=1 / rate,
        frames=len(images),
        duration=float(len(images) / rate),
        rate=rate,
        colour=_colour(frame, codec),
        sample_aspect_ratio=Fraction(0),
        rotation=exif.display_matrix(tags.orientation),
        interlaced=False,
        mastering_display=None,
        content_light=None,
        streams=(),
        chapters=0,
        images=images,
        notes=(*_notes_on(images), *(("CMYK is converted to RGB",) if tags.cmyk else ())),
        alpha=holds_alpha(frame.format),
        transparent=alpha_of(frame) is not None,
    )


def _notes_on(images: tuple[Path, ...]) -> tuple[str, ...]:
    found = holes(images)
    if found is None:
        return ()
    missing, before = found
    verb = "is" if missing == 1 else "are"
    return (f"{counted(missing, 'image')} of the sequence {verb} missing, the first after {before.name}",)


def _best_stream(path: Path, container: InputContainer) -> av.VideoStream:
    """Return the default video stream, or the largest; never a cover, and no still picture beside a video."""
    candidates = [stream for stream in container.streams.video if not _is_cover(stream)]
    if not candidates:
        if container.streams.audio:
            raise InputError(f"{path} has sound but no video")
        raise InputError(f"{path} has no video")
    usable = [stream for stream in candidates if stream.codec_context is not None]
    if not usable:
        raise InputError(f"no decoder for the video codec of {path}")
    return max(
        usable,
        key=lambda stream: (
            not _is_still(stream),
            Disposition.default in Disposition(stream.disposition),
            stream.width * stream.height,
        ),
    )


def _first_frame(path: Path, packets: "Iterator[av.Packet[av.VideoStream]]") -> av.VideoFrame:
    for packet in islice(packets, _PACKETS_TO_FIRST_FRAME):
        if packet.has_sidedata("encryption_info") or packet.has_sidedata("encryption_init_info"):
            raise InputError(f"{path} is encrypted (copy protection), and vsr has no key for it")
        try:
            frames = decode_packet(packet)
        except FFmpegError:
            continue
        if frames:
            return frames[0]
    raise InputError(f"not one frame of {path} can be decoded: it is damaged or cut off")


def _aspect(declared: Fraction | None) -> Fraction:
    """Return the pixels' aspect ratio in numbers that every container can hold; 0 (undeclared) for impossible ones."""
    if not declared or not 1 / _WIDEST <= declared <= _WIDEST:
        return Fraction(0)
    return declared if max(declared.numerator, declared.denominator) < 1 << 16 else declared.limit_denominator(1000)


def _rate(
    container: InputContainer,
    stream: av.VideoStream,
    frame: av.VideoFrame,
    packets: "Iterator[av.Packet[av.VideoStream]]",
) -> Fraction:
    """Return the frames per second: the nominal rate if the mean rate equals it, else the mean, else as measured."""
    time_base, guessed, average = stream.time_base, stream.guessed_rate, stream.average_rate
    if time_base and frame.duration and FormatFlags.no_timestamps in FormatFlags(container.format.flags):
        return 1 / (frame.duration * time_base)
    if container.format.name == "dv":  # its mean rate is the clock's
        average = guessed
    if average:
        return guessed if guessed and abs(guessed / average - 1) < Fraction(1, 100) else average
    stamps = sorted(packet.dts for packet in islice(packets, _PACKETS_FOR_RATE) if packet.dts is not None)
    steps = [after - before for before, after in pairwise(stamps) if after > before]
    if steps and time_base:
        return (1 / (Fraction(median(steps)) * time_base)).limit_denominator(1001)
    return guessed or Fraction(25)


def _duration(container: InputContainer, stream: av.VideoStream) -> float | None:
    """Return the stream's length in seconds, from its own beginning."""
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    tagged = tagged_duration(stream)
    if tagged is not None:
        counts_from_zero = "_STATISTICS_TAGS" not in stream.metadata  # FFmpeg tells the end, mkvmerge the length
        begin = float((stream.start_time or 0) * (stream.time_base or 0)) if counts_from_zero else 0.0
        return tagged - begin if tagged > begin else tagged
    return container.duration / av.time_base if container.duration else None


def tagged_duration(stream: Stream) -> float | None:
    """Return Matroska's length of one stream in seconds, or its end by the clock: which one depends on the muxer."""
    try:
        hours, minutes, seconds = stream.metadata.get("DURATION", "").split(":")
        length = float(int(hours) * 3600 + int(minutes) * 60) + float(seconds)
    except (ValueError, OverflowError):
        return None
    return length if 0 <= length < _LONGEST else None


def _frame_count(stream: av.VideoStream) -> int | None:
    """Return the container's own count of frames."""
    if stream.frames:
        return stream.frames
    tag = stream.metadata.get("NUMBER_OF_FRAMES", "")
    if tag.isascii() and tag.isdigit() and len(tag) <= _DIGITS and int(tag):
        return int(tag)
    return None


def _colour(frame: av.VideoFrame, codec: str) -> Colour:
    return Colour(
        matrix=int(frame.colorspace),
        range=int(frame.color_range),
        primaries=int(frame.color_primaries),
        transfer=int(frame.color_trc),
        chroma_location=chroma_location(frame, codec),
    )


def _rotation(frame: av.VideoFrame, path: Path, container: InputContainer) -> tuple[int, ...] | None:
    if container.format.name.endswith("_pipe"):  # an image, of a name that does not say so
        return exif.display_matrix(read_tags(path).orientation)
    data = side_data(frame, "DISPLAYMATRIX")
    return struct.unpack("=9i", data) if data else None


def _timecode(container: InputContainer, stream: av.VideoStream) -> str | None:
    """Return the first frame's timecode: the picture's, or that of all the file."""
    tags = (*stream.metadata.items(), *container.metadata.items())
    return next((value for key, value in tags if key.lower() == TIMECODE and value), None)


def _mastering_display(frame: av.VideoFrame) -> str | None:
    """Return SMPTE ST 2086 in x265's form: chromaticities in 0.00002, luminances in 0.0001 cd/m2."""
    data = side_data(frame, "MASTERING_DISPLAY_METADATA")
    if data is None:
        return None
    numbers = struct.unpack_from("=22i", data)  # 10 rationals: R, G, B, white as x, y; min; max. Then 2 flags
    if not (numbers[20] and numbers[21]):
        return None
    values = [Fraction(numbers[2 * i], numbers[2 * i + 1] or 1) for i in range(10)]
    red, green, blue, white = (f"({round(values[2 * i] * 50000)},{round(values[2 * i + 1] * 50000)})" for i in range(4))
    return f"G{green}B{blue}R{red}WP{white}L({round(values[9] * 10000)},{round(values[8] * 10000)})"


def _content_light(frame: av.VideoFrame) -> tuple[int, int] | None:
    data = side_data(frame, "CONTENT_LIGHT_LEVEL")
    if data is None:
        return None
    light, average = struct.unpack_from("=2I", data)
    return light, average


def _is_still(stream: Stream) -> bool:
    """Return whether it is a still picture beside the video, as in animated AVIF and HEIF: it has no clock."""
    return isinstance(stream, av.VideoStream) and stream.frames == 1 and stream.time_base == 1 and not stream.duration


def _is_cover(stream: Stream) -> bool:
    return Disposition.attached_pic in Disposition(stream.disposition)


def _other(stream: Stream) -> OtherStream:
    context = stream.codec_context
    codec = context.codec.canonical_name if context is not None else _codec_without_decoder(stream)
    return OtherStream(
        index=stream.index,
        kind=stream.type,
        codec="tmcd" if stream.type == "data" and "timecode" in stream.metadata else codec,
        language=stream.language,
        attached_picture=_is_cover(stream),
        start=float(stream.start_time * stream.time_base) if stream.start_time and stream.time_base else 0.0,
        empty=_is_empty(stream),
        packets=stream.frames,
        layout=stream.layout.name if isinstance(stream, av.AudioStream) and context is not None else "",
    )


def _codec_without_decoder(stream: Stream) -> str:
    """Return the name of the codec of a stream that cannot be decoded; only data streams have one."""
    return getattr(stream, "name", None) or UNKNOWN


def _is_empty(stream: Stream) -> bool:
    if stream.codec_context is None:  # no decoder: reported elsewhere
        return False
    if isinstance(stream, av.AudioStream):
        return not (stream.sample_rate and stream.channels)
    return isinstance(stream, av.VideoStream) and not stream.width
