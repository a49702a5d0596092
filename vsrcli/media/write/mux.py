"""ffmpeg's command line for the final file: mapping, conversion and times of streams."""

import math
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
from av.stream import Disposition

from vsrcli.media.containers import (
    FILES_ONLY,
    SAMPLES,
    TIMECODE,
    CannotHoldError,
    Placement,
    container_of,
    open_container,
    place_streams,
    url,
)
from vsrcli.media.info import VideoInfo
from vsrcli.media.read.joins import Join, follow
from vsrcli.media.write.encode import output_colour
from vsrcli.media.write.encode_settings import EncodeSettings
from vsrcli.media.write.feed import MICROSECOND, UNSHAPED, Feed
from vsrcli.media.write.labels import label_arguments
from vsrcli.media.write.mux_tags import (
    ANY_TAGS,
    LONG_TAGS,
    MADE_TAG,
    by_file_only,
    container_tags,
    made_tag,
    tags_by_file,
    video_tags,
)
from vsrcli.media.write.slow import ENCODERS, FROM_ZERO, OPUS_LAYOUTS, chapter_arguments, sound_arguments
from vsrcli.media.write.timecode import first_code

_ADVICE = re.compile(r"[\s,.:;(]*\b(add|use|using|try|set|specify|with|pass)\b[^,;]*['\"\s]-[a-z].*$", re.IGNORECASE)
ANY_STATE = ("-strict", "experimental")
"""ffmpeg's arguments that allow experimental formats, such as TrueHD in MP4."""


def ffmpeg() -> list[str]:
    """Return the start of every command line."""
    return [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-loglevel", "error", "-y"]


def try_sound(info: VideoInfo, output: Path) -> None:
    """Write the first packets of all sound as in the final file, but to nowhere.

    Raises CannotHoldError if they do not fit: better before the work than after it.
    """
    sound = [p for p in place_streams(info, output) if p.codec and p.stream.kind == "audio"]
    if not sound:
        return
    command = [*ffmpeg(), *FILES_ONLY, "-i", url(info.path)]
    for number, placement in enumerate(sound):
        command += ["-map", f"0:{placement.stream.index}", *_conversion(number, str(placement.codec))]
    command += ["-frames:a", "8", "-f", container_of(output).muxer, *ANY_STATE, os.devnull]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if done.returncode:
        raise CannotHoldError(f"{output.suffix} cannot hold the sound of {info.path}: {complaint(done.stderr)}")


def complaint(stderr: str) -> str:
    """Return ffmpeg's error message: the first line is the cause, the rest its consequences.

    Its advice to add an option of its own is left out, since vsr has no such option.
    """
    lines = stderr.strip().splitlines()
    line = re.sub(r"^\[.*? @ 0x[0-9a-f]+\] ", "", lines[0]) if lines else ""
    return _ADVICE.sub("", line)


def mux_command(
    feed: Feed,
    info: VideoInfo,
    settings: EncodeSettings,
    output: Path,
    tags: Mapping[str, str],
    preview: bool,
    folder: Path,
    joins: Sequence[Join] = (),
) -> list[str]:
    """Return ffmpeg's whole command line, except the output's name.

    `tags` are added to the container's own, after an existing one of the same name; the place of the one called
    MADE_TAG is chosen by `made_tag`. `folder` receives files that ffmpeg must read (cover art). `joins` are the places
    where the source's clock jumps back: other streams are shifted with the picture.
    """
    command = [*ffmpeg(), "-copyts", *feed.input_arguments()]
    placements = [] if info.images else [p for p in place_streams(info, output) if p.codec]
    if info.images:
        command += ["-map", "0:v", "-c", "copy"]
        described: list[str] = []
        own: dict[str, str] = {}
        number = 0
    else:
        command += _source_span(feed, info, output, preview)
        if joins and not preview:
            moved = follow(info.path, info.stream_index, joins)
            numbers = [p.stream.index for p in placements if p.stream.index in moved]
            command += [part for index in numbers for part in (f"-bsf:{index}", moved[index])]
        if info.slow != 1:  # behind the offset
            command += ["-itsscale", f"{float(info.slow):.12g}"]
        command += [*FILES_ONLY, "-i", url(info.path)]
        with open_container(info.path) as source:
            offset = next(iter(feed.times)) * info.time_base - Fraction(info.start_time) if preview else Fraction(0)
            code = first_code(info, source.streams[info.stream_index], offset)
            number, maps = _maps(source, info, placements, output, folder, preview, code)
            by_file = tags_by_file(source, info, placements, number, output, folder)
            described = [*container_tags(source, output, preview), *_tagged("-metadata", source.metadata, code)]
            if info.slow != 1 and not preview and (chapters := source.chapters()):
                input_number = 2 + ("ffmetadata" in by_file)
                by_file = [*by_file, *chapter_arguments(info, chapters, folder)]
                described = [*described, "-map_chapters", str(input_number)]
            if code and container_of(output).muxer == "avi":  # it has no tags of the picture's own
                described += ["-metadata", f"{TIMECODE}={code}"]
            own = {key.lower(): value for key, value in source.metadata.items()}  # Matroska has them in capitals
        command += [*by_file, *maps]
    command += described
    for name, value in tags.items():
        if name == MADE_TAG:
            place = made_tag(output, own, free=ANY_TAGS[1] in described)
            if place is None:
                continue
            command += ["-metadata", f"{place}={value}"]
            continue
        if len(own.get(name, "")) > LONG_TAGS:  # no command line can contain it: it is left unchanged
            continue
        kept = f"{own[name]}; " if name in own else ""
        command += ["-metadata", f"{name}={kept}{value}"]
    if settings.codec == "hevc" and container_of(output).muxer in ("mp4", "mov"):
        command += [f"-tag:{number}", "hvc1"]
    if settings.codec == "vp9" and settings.pix_fmt.startswith("yuva"):
        command += [f"-metadata:s:{number}", "alpha_mode=1"]
    command += feed.filter_arguments(str(number))
    command += _colour_arguments(info, settings, number)
    if feed.keeps(info.rate):  # otherwise ffmpeg guesses the rate from a few rounded times
        command += [f"-r:{number}", str(info.rate)]
    if feed.aspect and feed.muxer in UNSHAPED:
        shape = feed.aspect * settings.width / settings.height
        command += [f"-aspect:{number}", f"{shape.numerator}:{shape.denominator}"]
    return command + _muxer_arguments(feed, info, output, preview)


def _conversion(number: int, codec: str, *, preview: bool = False) -> list[str]:
    """Return the arguments that write stream `number` of the output by a codec; sound of a `preview` begins at 0."""
    filters = [*([FROM_ZERO] if preview else []), *([OPUS_LAYOUTS] if codec == "opus" else [])]
    chain = [f"-filter:{number}", ",".join(filters)] if filters else []
    return [f"-c:{number}", ENCODERS.get(codec, codec), *chain]


def _source_span(feed: Feed, info: VideoInfo, output: Path, preview: bool) -> list[str]:
    """Return input options that shift the source's clock to the preview's, or to AVI's, which begins at 0."""
    if not preview:
        late = container_of(output).muxer == "avi" and info.start_time > 0
        return ["-itsoffset", f"-{round(Fraction(info.start_time) / info.slow / MICROSECOND)}us"] if late else []
    origin = next(iter(feed.times)) * info.time_base / info.slow
    seconds = f"{round(origin / MICROSECOND)}us"
    # an accurate seek would cut off what is decoded up to that time, counted by the shifted clock
    return ["-seek_timestamp", "1", "-noaccurate_seek", "-ss", seconds, "-itsoffset", f"-{seconds}"]


def _maps(
    source: av.container.InputContainer,
    info: VideoInfo,
    placements: list[Placement],
    output: Path,
    folder: Path,
    preview: bool,
    code: str | None,
) -> tuple[int, list[str]]:
    """Return the video's number among the output's streams, and the arguments for all streams in the source's order."""
    container = container_of(output)
    arguments: list[str] = ["-c", "copy"]
    attachments: list[str] = []
    kept = {p.stream.index: p for p in placements}
    number = video_number = 0
    extra = sum(p.stream.kind == "attachment" for p in placements)
    for index in sorted([*kept, info.stream_index]):
        stream = source.streams[index]
        disposition = "+".join(str(flag.name) for flag in Disposition if flag in stream.disposition) or "0"
        if index == info.stream_index:
            video_number = number
            arguments += ["-map", "0:v", f"-disposition:{number}", disposition]
            tags = video_tags(stream)
            if not by_file_only(tags):
                arguments += [part for tag in tags.items() for part in (f"-metadata:s:{number}", "=".join(tag))]
                arguments += _tagged(f"-metadata:s:{number}", tags, code)
        elif kept[index].stream.attached_picture and container.muxer == "matroska":
            # Matroska keeps cover art as attachments, which ffmpeg takes from files only.
            attachments += _attach(source, kept[index], folder, extra)
            extra += 1
            continue
        else:
            arguments += ["-map", f"1:{index}", f"-disposition:{number}", disposition]
            codec = kept[index].codec
            if preview and codec == "copy" and kept[index].stream.codec in SAMPLES:
                codec = kept[index].stream.codec  # the same samples, but cut between any two of them
            slowed = info.slow != 1
            if slowed and codec and stream.type == "audio":
                arguments += sound_arguments(number, codec, info.slow, preview=preview)
            elif codec and codec != "copy":
                arguments += _conversion(number, codec, preview=preview and stream.type == "audio")
            filters = [r"noise=drop=lt(pts\,0)"] if preview else []  # seeking lands before the start
            if info.container == "ogg":  # the last packet's duration, less what is cut off its end, can be below zero
                filters += [r"setts=duration=if(gt(DURATION\,0x7fffffff)\,1\,DURATION)"]
            if slowed and stream.type != "audio":  # the times of its packets are stretched where they are read
                filters += [f"setts=duration=DURATION*{info.slow.numerator}/{info.slow.denominator}"]
            if filters:
                arguments += [f"-bsf:{number}", ",".join(filters)]
        arguments += label_arguments(stream, number, output)
        number += 1
    return video_number, arguments + attachments


def _tagged(option: str, tags: Mapping[str, str], code: str | None) -> list[str]:
    """Return arguments that replace the timecode among tags, where there is one."""
    return [part for key in tags if code and key.lower() == TIMECODE for part in (option, f"{key}={code}")]


def _attach(source: av.container.InputContainer, placement: Placement, folder: Path, extra: int) -> list[str]:
    stream = source.streams[placement.stream.index]
    kind = {"mjpeg": "jpeg"}.get(placement.stream.codec, placement.stream.codec)
    name = stream.metadata.get("filename") or f"cover.{kind.replace('jpeg', 'jpg')}"
    file = folder / f"{extra}"
    source.seek(0)
    file.write_bytes(bytes(next(source.demux(stream))))
    return ["-attach", url(file), f"-metadata:s:t:{extra}", f"mimetype=image/{kind}",
            f"-metadata:s:t:{extra}", f"filename={name}"]  # fmt: skip


def _colour_arguments(info: VideoInfo, settings: EncodeSettings, number: int) -> list[str]:
    """Return arguments for the container's colour tags, which not every codec carries."""
    colour = output_colour(info, settings)
    values = {
        "colorspace": colour.matrix if colour.matrix != 2 else None,
        "color_primaries": colour.primaries if colour.primaries != 2 else None,
        "color_trc": colour.transfer if colour.transfer != 2 else None,
        "color_range": colour.range or None,
        "chroma_sample_location": colour.chroma_location or None,
    }
    return [part for name, value in values.items() if value is not None for part in (f"-{name}:{number}", str(value))]


def _muxer_arguments(feed: Feed, info: VideoInfo, output: Path, preview: bool) -> list[str]:
    muxer = container_of(output).muxer
    # By its name, since ffmpeg takes .m4v for an iPod's, which holds little. Without a limit on interleaving, streams
    # that start late or are sparse never reorder.
    arguments = ["-f", muxer, "-max_interleave_delta", "0", "-max_muxing_queue_size", "4096"]
    if muxer in ("mp4", "mov"):
        clock = feed.time_base.denominator
        # Edit lists, and so the start of every track, count in the movie's clock, which is 1 ms unless told.
        arguments += ["-video_track_timescale", str(clock), "-movie_timescale", str(_movie_clock(info, clock))]
        arguments += ANY_STATE
        if min(feed.times.values()) < 0:  # an edit list would cut the frames before 0
            arguments += ["-avoid_negative_ts", "make_non_negative"]
    if muxer == "mpegts":
        # A negative time would wrap to 26.5 hours, which players take for a jump: all is shifted instead.
        arguments += ["-mpegts_copyts", "1", "-muxdelay", "0", "-muxpreload", "0"]
        arguments += ["-avoid_negative_ts", "make_non_negative"]
    if muxer == "avi":  # AVI has only numbered frames and no clock to shift
        arguments += ["-avoid_negative_ts", "disabled"]
    if preview:
        arguments += ["-t", f"{math.ceil(feed.end * feed.time_base / MICROSECOND)}us"]
    return arguments


def _movie_clock(info: VideoInfo, clock: int) -> int:
    """Return a clock in which the starts of picture and sound are both whole, as far as 31 bits allow."""
    rates: list[int] = []
    if not info.images:
        with open_container(info.path) as source:
            rates = [Fraction(stream.time_base).denominator for stream in source.streams.audio if stream.time_base]
    for rate in rates:
        if math.lcm(clock, rate) < 1 << 31:
            clock = math.lcm(clock, rate)
    return clock
