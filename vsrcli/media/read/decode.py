"""Decode a source, whole or a part of it, into RGB frames with exact timestamps."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Literal, cast

import av
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError

from vsrcli.errors import InputError
from vsrcli.frame import Frame, Tint
from vsrcli.media.info import DOUBLE, FILM, Colour, VideoInfo
from vsrcli.media.opening import decode_packet, demux, open_video
from vsrcli.media.options import Deinterlace
from vsrcli.media.photo.images import is_cut_jpeg, read_picture
from vsrcli.media.pixels.alpha import BesideDecoder, alpha_of, filled, lies_beside, scaled_alpha
from vsrcli.media.pixels.colour import FULL_RANGE, to_rgb
from vsrcli.media.pixels.tint import tint_of, to_grey
from vsrcli.media.read.captions import Shares
from vsrcli.media.read.damage import Damage, Tally
from vsrcli.media.read.deinterlace import deinterlaced
from vsrcli.media.read.hardware import DOWNLOADED, open_on_device
from vsrcli.media.read.joins import Join
from vsrcli.media.read.probe import tagged_duration
from vsrcli.media.read.telecine import film
from vsrcli.media.read.timestamps import Timed, stamp
from vsrcli.media.read.turns import Turns
from vsrcli.media.unkept import CAPTIONS, carried, left_out

__all__ = ["Deinterlace", "decode", "has_pulldown_rate", "paced", "shown_times", "timed_frames"]

Warn = Callable[[str], None]
ALPHA_LOST = (
    "transparency is not kept: all of the output is opaque (the codecs ffv1 in .mkv, prores in .mov and vp9 in .webm "
    "keep it, if they are named)"
)
# Seconds before `start` to seek to. Containers index by decoding time, so the keyframe found may be shown too late;
# then farther back, and at last from the beginning.
_SEEK_MARGINS = (Fraction(1, 2), Fraction(5))
_NO_MATRIX = (0, 2, 3)  # RGB's, undeclared, reserved
_BT601 = {5, 6}  # two numbers of one matrix
_RANGES = {0: "undeclared", 1: "limited", 2: "full"}
_SAME_SHAPE = Fraction(1, 100)
_PULLED = (Fraction(23), Fraction(31))  # frames a second, between film's and video's
_SAME_RATE = Fraction(1, 1000)


def decode(
    info: VideoInfo,
    *,
    start: float | None = None,
    end: float | None = None,
    deinterlace: Deinterlace = "auto",
    detelecine: bool = False,
    skip: int = 0,
    part_tint: bool = False,
    hwaccel: str | None = None,
    warn: Warn = lambda message: None,
    tell: Callable[[Damage], None] = lambda damage: None,
    joined: Callable[[Sequence[Join]], None] = lambda joins: None,
) -> Iterator[Frame]:
    """Yield the frames of `info` in order of presentation.

    As in ffmpeg, damaged data is skipped. Frames of another size than that of `info` are scaled to it. Raises
    InputError if not one frame can be decoded, or an image is damaged.

    Args:
        info: the source.
        start: yield frames shown from here on, in seconds from the container's start, as in players.
        end: yield frames shown before this time.
        deinterlace: "on" filters every frame by ffmpeg's bwdif (one frame out per frame), "auto" those flagged
            interlaced (all, if the stream declares it and flags none) that are woven of two fields, "woven" all that
            are. "double" yields a frame for each field, at times in half ticks, as those of `paced`.
        detelecine: take film out of 3:2 pulldown, at times in quarters of ticks.
        skip: number of frames at the start that are decoded but not yielded; they keep their numbers. Only counting
            gives a frame's number in every file.
        hwaccel: the interface to the device that decodes (hardware.py); None: the CPU does.
        part_tint: return pictures without colours of their own as grey, with a separate tint.
        warn: called with a line on damage after the last frame.
        tell: called with the numbers of the damage.
        joined: called with the places where the source's clock jumped back, if everything was decoded.
    """
    info = paced(info, deinterlace, detelecine=detelecine)
    own = info.own
    first, last = _span(info, start), _span(info, end)
    if info.images:
        yield from _images(info, first, last, skip, part_tint, warn, tell)
        return
    crop = info.crop
    size, resized = (info.width, info.height) if crop is None else (crop.full_width, crop.full_height), False
    colour = replace(info.colour, matrix=info.colour.matrix_for_conversion(*size))
    look = _transparency_watch(info, warn)
    unkept = {*info.unkept, *info.kept}
    shares = Shares()
    number = 0
    begin, stop = _span(own, start), _span(own, end)

    def inside(pts: int) -> bool:
        return (begin is None or pts >= begin) and (stop is None or pts < stop)

    tally, whole = Tally(), first is None and last is None
    read = _from(own, begin, tally, warn, whole=whole, hwaccel=hwaccel)
    read = shares.collect(read, own.time_base) if CAPTIONS in info.kept else read
    source = tally.watch(_changes_told(read, own, warn), own, inside)
    frames = (
        film(source, own, deinterlace=deinterlace != "off", say=warn)
        if info.cadence == FILM
        else deinterlaced(source, own, deinterlace, warn)
    )
    for timed in frames:
        captions = shares.until(timed.pts * info.time_base)
        if last is not None and timed.pts >= last:
            break
        if first is not None and timed.pts < first:
            continue
        number += 1
        if number <= skip:
            continue
        picture = timed.picture
        look(picture)
        for name in carried(picture):
            if not any(said.startswith(name) for said in unkept):
                unkept.add(name)
                warn(left_out(name))
        changed = (picture.width, picture.height) != size
        if changed and not resized:
            resized = True
            when = float((timed.pts * info.time_base) - Fraction(info.start_time))
            warn(f"frames are {picture.width}x{picture.height} from {when:.2f} s on: scaled to {size[0]}x{size[1]}")
        data, tint = _data(picture, _own_colour(picture, colour), size if changed else None, part_tint)
        alpha = alpha_of(picture) if info.keeps_alpha else None
        alpha = scaled_alpha(alpha, size) if alpha is not None and changed else alpha
        if crop is not None:
            part = (slice(crop.y, crop.y + info.height), slice(crop.x, crop.x + info.width))
            data = np.ascontiguousarray(data[part])
            alpha = None if alpha is None else np.ascontiguousarray(alpha[part])
        data = data if alpha is None else filled(data, alpha)
        yield Frame(number - 1, data, timed.pts, timed.duration, tint=tint, captions=captions, alpha=alpha)
    fed = info.once.fed if whole and info.once is not None else None
    whole = whole and info.once is None  # else there is no file to look at
    if whole and tally.joins:
        joined(tally.joins)
    damage = tally.sum_up(own, whole=whole, fed=fed)
    if damage is not None:
        warn(f"{info.path} {damage.line()}")
        tell(damage)


def paced(info: VideoInfo, deinterlace: Deinterlace, *, detelecine: bool) -> VideoInfo:
    """Return what describes the frames that `decode` yields, whose clock and rate may differ from the file's.

    Images, and sources whose rate no 3:2 pulldown has, are as they are.
    """
    if info.images or info.cadence != 1:
        return info
    if detelecine:
        return info.paced(FILM) if has_pulldown_rate(info.rate) else info
    return info.paced(DOUBLE) if deinterlace == "double" else info


def has_pulldown_rate(rate: Fraction) -> bool:
    """Return whether film in 3:2 pulldown, or partly so and partly whole, can have this many frames a second."""
    return _PULLED[0] < rate < _PULLED[1] and abs(rate / 25 - 1) > _SAME_RATE


def _own_colour(picture: av.VideoFrame, colour: Colour) -> Colour:
    """Return the colour by which a picture is converted: the source's, with the matrix and range that it declares."""
    matrix, shown = int(picture.colorspace), int(picture.color_range)
    own = {"matrix": matrix} if matrix not in (*_NO_MATRIX, colour.matrix) else {}
    own |= {"range": shown} if shown not in (0, colour.range) else {}
    return replace(colour, **own) if own else colour


def _changes_told(frames: Iterator[Timed], info: VideoInfo, warn: Warn) -> Iterator[Timed]:
    """Pass the frames on, and warn once of each change of a property that the output can only declare once."""
    told: set[str] = set()
    for timed in frames:
        picture = timed.picture
        changes = {}
        downloaded = picture.format.name in DOWNLOADED  # from a device that decodes
        if picture.format.name != info.pix_fmt and not downloaded:
            changes["pixel format"] = f"{info.pix_fmt} to {picture.format.name}: converted from there on"
        if picture.interlaced_frame and not info.interlaced:
            changes["interlacing"] = "progressive to interlaced"
        declared = info.colour
        taken, own = declared.matrix_for_conversion(info.width, info.height), int(picture.colorspace)
        if own not in (*_NO_MATRIX, taken) and {own, taken} != _BT601:
            changes["colour matrix"] = f"{taken} to {own} (H.273): converted from there on"
        if picture.color_range not in (0, declared.range) and (declared.range or picture.color_range == FULL_RANGE):
            changes["range"] = (
                f"{_RANGES[declared.range]} to {_RANGES[int(picture.color_range)]}: converted from there on"
            )
        for name, kind, old in (
            ("set of primaries", picture.color_primaries, declared.primaries),
            ("transfer curve", picture.color_trc, declared.transfer),
        ):
            if kind not in (2, old) and old != 2:
                changes[name] = f"{old} to {int(kind)} (H.273): shown as before"
        for name, what in changes.items():
            if name not in told:
                told.add(name)
                place = float(timed.pts * info.time_base) - info.start_time
                warn(f"{info.path}: the {name} changes at {place:.2f} s, from {what}")
        yield timed


def shown_times(info: VideoInfo, *, start: float | None = None, end: float | None = None) -> Iterator[int]:
    """Yield the pts of the frames of `decode`, at the cost of decoding alone. Raises InputError."""
    first, last = _span(info, start), _span(info, end)
    for timed in _from(info, first, Tally(), lambda line: None, whole=first is None and last is None):
        if last is not None and timed.pts >= last:
            return
        if first is None or timed.pts >= first:
            yield timed.pts


def timed_frames(info: VideoInfo, start: float) -> Iterator[Timed]:
    """Yield a file's pictures from about `start` seconds of its clock on, as they are stored. Raises InputError."""
    return _from(info, Fraction(start) / info.time_base, Tally(), lambda line: None, whole=False)


def _span(info: VideoInfo, seconds: float | None) -> Fraction | None:
    return None if seconds is None else info.at(seconds)


def _data(
    picture: av.VideoFrame, colour: Colour, size: tuple[int, int] | None, part_tint: bool
) -> tuple[np.ndarray, Tint | None]:
    """Return the picture's levels, and the tint to add to them. Raises InputError for a format without a conversion."""
    try:
        tint = tint_of(picture, colour) if part_tint else None
        return (to_rgb if tint is None else to_grey)(picture, colour, size=size), tint
    except FFmpegError as error:
        raise InputError(f"pictures of the format {picture.format.name} cannot be converted to RGB") from error


def _images(
    info: VideoInfo,
    first: Fraction | None,
    last: Fraction | None,
    skip: int,
    part_tint: bool,
    warn: Warn,
    tell: Callable[[Damage], None],
) -> Iterator[Frame]:
    cut = 0
    look = _transparency_watch(info, warn)
    chosen = [
        pts for pts in range(len(info.images)) if (first is None or pts >= first) and (last is None or pts < last)
    ]
    for number, pts in enumerate(chosen[skip:], skip):
        picture, colour = read_picture(info.images[pts], info)
        cut += is_cut_jpeg(info.images[pts])
        look(picture)
        data, tint = _data(picture, colour, None, part_tint)
        alpha = alpha_of(picture) if info.keeps_alpha else None
        yield Frame(number, data if alpha is None else filled(data, alpha), pts, 1, tint=tint, alpha=alpha)
    if cut:
        damage = Damage(len(chosen), 0, cut, 0, 0, (), 0, None, None, None)
        warn(f"{info.path} {damage.line()}")
        tell(damage)


def _transparency_watch(info: VideoInfo, warn: Warn) -> Callable[[av.VideoFrame], None]:
    """Return a check that warns of the first transparent picture: many formats have alpha, few videos use it.

    It is silent if alpha is kept, or if the first picture has told the caller already.
    """
    seen = info.keeps_alpha or info.transparent

    def look(picture: av.VideoFrame) -> None:
        nonlocal seen
        if not seen and alpha_of(picture) is not None:
            seen = True
            warn(ALPHA_LOST)

    return look


def _from(
    info: VideoInfo, first: Fraction | None, tally: Tally, warn: Warn, *, whole: bool, hwaccel: str | None = None
) -> Iterator[Timed]:
    """Yield the frames from `first` (in ticks) on, and some before it."""
    if info.once is not None:
        with info.once.open(info) as container:
            yield from stamp(_pictures(container, info, None, tally, warn), info, warn, whole=False)
        return
    margins: tuple[Fraction | None, ...] = (None,) if first is None else (*_SEEK_MARGINS, None)
    for margin in margins:
        target = None if margin is None or first is None else int(first - margin / info.time_base)
        if target is not None and target * info.time_base <= info.start_time:
            continue
        with open_video(info.path) if hwaccel is None else open_on_device(info.path, hwaccel) as container:
            frames = stamp(_pictures(container, info, target, tally, warn), info, warn, whole=whole)
            head = next(frames, None)
            if target is not None and (head is None or first is None or head.pts > first):
                tally.restart()
                continue
            if head is None:
                raise InputError(f"not one frame of {info.path} can be decoded: it is damaged or cut off")
            yield head
            yield from frames
            return


def _pictures(
    container: InputContainer, info: VideoInfo, target: int | None, tally: Tally, warn: Warn
) -> Iterator[av.VideoFrame]:
    """Yield decoded pictures in order of presentation, from the keyframe before `target` (a pts) if it is given.

    If damage appears only while a multithreaded decoder is drained, PyAV drops the pictures after it. Then the last
    part is decoded again with one thread, where this cannot happen.
    """
    tally.claim(container.streams[info.stream_index], tagged_duration(container.streams[info.stream_index]))
    yield from _decoded(container, info, target, tally, warn, threads="AUTO")
    if tally.may_lack_frames and info.once is None:
        yield from _behind(info, tally)


def _behind(info: VideoInfo, tally: Tally) -> Iterator[av.VideoFrame]:
    """Yield the pictures after the last one that `tally` has counted, decoded with one thread."""
    last, again = tally.last_pts, Tally()
    behind = 0
    target = None if last is None else int(last - _SEEK_MARGINS[0] / info.time_base)
    with open_video(info.path) as container:
        for picture in _decoded(container, info, target, again, lambda line: None, threads="NONE"):
            if (picture.pts is not None and picture.pts > last) if last is not None else again.decoded > tally.decoded:
                behind += 1
                yield picture
    tally.decoded += behind


def _decoded(
    container: InputContainer,
    info: VideoInfo,
    target: int | None,
    tally: Tally,
    warn: Warn,
    *,
    threads: Literal["AUTO", "NONE"],
) -> Iterator[av.VideoFrame]:
    """Yield the pictures of one pass, from the keyframe before `target` if it is given, and update `tally`."""
    stream = container.streams[info.stream_index]
    assert isinstance(stream, av.VideoStream)
    stream.thread_type = threads
    awaits_key, begun = target is not None, False
    if target is not None:
        try:
            container.seek(target, stream=stream, backward=True)
        except FFmpegError:  # no index for seeking
            return
    shape, reshaped, coded = info.sample_aspect_ratio, False, Fraction(0)
    beside = BesideDecoder(info.codec) if info.keeps_alpha and lies_beside(info.codec, stream.metadata) else None
    turns = _turns(info, stream, threads, tally, warn) if info.container == "mpegts" else None
    packets = _packets(container, stream, tally, info)
    for packet in packets if turns is None else turns.packets(packets):
        if not packet.size and packet.dts is not None:  # Theora's packet for repeating the previous picture
            continue
        awaits_key = awaits_key and not packet.is_keyframe
        if awaits_key:
            continue
        tally.take(packet)
        begun = begun or packet.is_keyframe
        tally.check(packet, info.codec)
        if beside is not None:
            beside.take(packet)
        try:
            pictures = decode_packet(packet) if turns is None else turns.decode(packet)
        except FFmpegError:
            if begun:
                tally.hit(packet)
            else:
                tally.headless += 1
            continue
        context = stream.codec_context if turns is None else turns.context
        aspect = context.sample_aspect_ratio or Fraction(0)
        coded = coded or (aspect if pictures else coded)  # what a container says otherwise holds for all of it
        changed = coded and aspect and abs(aspect / coded - 1) > _SAME_SHAPE
        if pictures and shape and changed and not reshaped:
            reshaped = True
            at = "" if packet.pts is None else f" at {float(packet.pts * info.time_base) - info.start_time:.2f} s"
            warn(f"{info.path}: the pixels' shape changes{at}, from {shape} to {aspect}: {shape} is kept")
        for picture in pictures:
            if beside is not None:
                beside.give(picture)
            tally.decoded += 1
            if picture.pts is not None:
                tally.last_pts = picture.pts if tally.last_pts is None else max(tally.last_pts, picture.pts)
            yield picture
    if turns is not None:
        known = [one for one in container.streams.audio if one.codec_context is not None]
        sounds = {one.id: one.codec_context.codec.canonical_name for one in known}
        tally.unread = turns.unread(sounds)
        tally.expected = turns.pictures() if tally.turned else 0


def _turns(
    info: VideoInfo, stream: av.VideoStream, threads: Literal["AUTO", "NONE"], tally: Tally, warn: Warn
) -> Turns:
    def told(before: str, after: str, pts: int | None) -> None:
        tally.turned = True
        when = "" if pts is None else f" after {float(pts * info.time_base):.2f} s"
        warn(f"{info.path}: its codec changes{when}, from {before} to {after}: decoded as it changes")

    return Turns(info.path, stream, threads, told, None if info.once is None else info.once.tables)


def _packets(
    container: InputContainer, stream: av.VideoStream, tally: Tally, info: VideoInfo
) -> "Iterator[av.Packet[av.VideoStream]]":
    """Yield the stream's packets as far as the file can be read, then the one that flushes the decoder."""
    try:
        yield from demux(container, stream) if info.once is None else info.once.packets(container, stream)
    except FFmpegError as error:
        tally.stopped = error.strerror
        flush = cast("av.Packet[av.VideoStream]", av.Packet())
        flush.stream = stream
        yield flush
