"""Makes the final file: the segments' video joined with everything else of the source, by stream copy."""

import math
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
from av.stream import Disposition

from vsrcli.errors import OutputError
from vsrcli.media.codecs import EncodeSettings
from vsrcli.media.containers import Placement, check_container, container_of, place_streams, url
from vsrcli.media.encode import output_colour
from vsrcli.media.feed import MICROSECOND, Feed, last_duration, segment_pts
from vsrcli.media.info import VideoInfo

# Tags that describe the old file's bytes, not the work.
STALE = ("major_brand", "minor_version", "compatible_brands", "encoder", "DURATION", "handler_name", "vendor_id")
STATISTICS = ("BPS", "NUMBER_OF_", "_STATISTICS_", "DURATION")
# The tags that MP4's customary (iTunes) form has a place for, and that players show.
SHOWN = frozenset(
    {
        "title",
        "artist",
        "album_artist",
        "composer",
        "album",
        "date",
        "comment",
        "genre",
        "copyright",
        "grouping",
        "lyrics",
        "description",
        "synopsis",
        "show",
        "episode_id",
        "network",
        "keywords",
        "episode_sort",
        "season_number",
        "media_type",
        "hd_video",
        "gapless_playback",
        "compilation",
        "track",
        "disc",
        "tempo",
    }
)


def assemble(
    segments: Sequence[Path],
    info: VideoInfo,
    settings: EncodeSettings,
    output: Path,
    *,
    pts: Sequence[int] | None = None,
    tags: Mapping[str, str] = {},
    start: float | None = None,
    end: float | None = None,
    warn: Callable[[str], None],
    cancelled: Callable[[], bool] = lambda: False,
) -> None:
    """Write `output`: the frames of `segments` in order, and all other streams, chapters and tags of the source.

    `pts` are the frames' timestamps in the source's time base (read from the segments if None). `tags` are added to
    the container's. With `start` or `end` (seconds) the film is a preview: it begins at 0 with its first frame and has
    only the sound and subtitles of its span. The file appears under its name only when it is complete and checked;
    raises `OutputError` (and leaves nothing) otherwise, `InterruptedJobError` once `cancelled` says so.
    """
    preview = start is not None or end is not None
    feed = _feed(segments, info, output, pts, preview, warn)
    for note in check_container(info, output) if not info.images else []:
        warn(note)
    partial = output.with_name(f".{output.stem}.partial{output.suffix}")
    try:
        with tempfile.TemporaryDirectory(prefix=".vsr-", dir=output.parent) as folder:
            if settings.codec == "gif":
                _write_gif(feed, partial, Path(folder), cancelled)
            else:
                command = _command(feed, info, settings, output, tags, preview, Path(folder), warn)
                _run([*command, url(partial)], feed, output, cancelled)
        verify(partial, feed, warn)
        _settle(partial, output)
    except OSError as error:
        raise OutputError(f"cannot write {output}: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)


def verify(written: Path, feed: Feed, warn: Callable[[str], None]) -> None:
    """Raise `OutputError` unless the file holds every frame at its time, to the precision of its container."""
    with av.open(url(written)) as container:
        stream = next(s for s in container.streams.video if not s.disposition & Disposition.attached_pic)
        tick = Fraction(stream.time_base or 0)
        found = sorted((p.pts if p.pts is not None else p.dts) or 0 for p in container.demux(stream) if p.size)
    wanted = [time * feed.time_base for time in feed.times.values()]
    if len(found) != len(wanted):
        raise OutputError(f"the assembled file has {len(found)} frames instead of {len(wanted)}")
    if container_of(written).muxer in ("gif", "avi"):
        return
    shift = found[0] * tick - wanted[0]
    shift = shift if abs(shift) > tick else Fraction(0)
    if any(abs(got * tick - shift - want) > tick for got, want in zip(found, wanted, strict=True)):
        raise OutputError(f"the assembled file's frame times differ from the source's: use -o {written.stem}.mkv")
    if shift:
        warn(f"{written.suffix} cannot hold negative times: picture and sound start {float(shift):.3f} s later")


def _feed(
    segments: Sequence[Path],
    info: VideoInfo,
    output: Path,
    pts: Sequence[int] | None,
    preview: bool,
    warn: Callable[[str], None],
) -> Feed:
    ordered = sorted(pts) if pts is not None else segment_pts(segments, info.time_base)
    if not ordered:
        raise OutputError("there are no frames to assemble")
    origin = ordered[0] if preview else 0
    duration = last_duration(info, ordered)
    time_base = info.time_base
    times = {time: time - origin for time in ordered}
    if container_of(output).muxer == "avi":
        time_base = 1 / info.rate
        times = {time: round((time - origin) * info.time_base / time_base) for time in ordered}
        duration = 1
        if len(set(times.values())) < len(times):
            raise OutputError(f".avi knows only a constant frame rate: use -o {output.stem}.mkv")
        if any(abs(t * time_base - (s - origin) * info.time_base) > time_base / 10 for s, t in times.items()):
            warn(f".avi knows only a constant frame rate: the frame times move by up to {float(time_base / 2):.3f} s")
    return Feed(tuple(segments), info.time_base, time_base, times, duration, info.rotation)


def _command(
    feed: Feed,
    info: VideoInfo,
    settings: EncodeSettings,
    output: Path,
    tags: Mapping[str, str],
    preview: bool,
    folder: Path,
    warn: Callable[[str], None],
) -> list[str]:
    """ffmpeg's whole command line, save the output's name."""
    command = [*_ffmpeg(), "-copyts", *feed.input_arguments()]
    placements = [] if info.images else [p for p in place_streams(info, output) if p.codec]
    if info.images:
        command += ["-map", "0:v", "-c", "copy"]
        described: list[str] = []
        number = 0
    else:
        command += [*_source_span(feed, info, preview), "-i", url(info.path)]
        with av.open(url(info.path)) as source:
            number, maps = _maps(source, info, placements, output, folder)
            described = _container_tags(source, output, tags, preview, warn)
        command += maps
    command += described
    for key, value in tags.items():
        command += ["-metadata", f"{key}={value}"]
    if settings.codec == "hevc" and container_of(output).muxer in ("mp4", "mov"):
        command += [f"-tag:{number}", "hvc1"]
    command += feed.filter_arguments(str(number))
    command += _colour_arguments(info, settings, number)
    return command + _muxer_arguments(feed, info, output, preview)


def _ffmpeg() -> list[str]:
    return [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-loglevel", "error", "-y"]


def _source_span(feed: Feed, info: VideoInfo, preview: bool) -> list[str]:
    """Input options that shift the source's clock to the preview's."""
    if not preview:
        return []
    origin = next(iter(feed.times)) * info.time_base
    seconds = f"{round(origin / MICROSECOND)}us"
    return ["-seek_timestamp", "1", "-ss", seconds, "-itsoffset", f"-{seconds}"]


def _maps(
    source: av.container.InputContainer, info: VideoInfo, placements: list[Placement], output: Path, folder: Path
) -> tuple[int, list[str]]:
    """The place of the video among the output's streams, and the arguments for all streams, in the source's order."""
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
            for key, value in stream.metadata.items():
                if key not in STALE and not key.startswith(STATISTICS):
                    arguments += [f"-metadata:s:{number}", f"{key}={value}"]
        elif kept[index].stream.attached_picture and container.muxer == "matroska":
            # Matroska keeps cover art as attachments, which ffmpeg takes from files only.
            attachments += _attach(source, kept[index], folder, extra)
            extra += 1
            continue
        else:
            arguments += ["-map", f"1:{index}", f"-disposition:{number}", disposition]
            if (codec := kept[index].codec) and codec != "copy":
                arguments += [f"-c:{number}", codec]
        number += 1
    return video_number, arguments + attachments


def _attach(source: av.container.InputContainer, placement: Placement, folder: Path, extra: int) -> list[str]:
    stream = source.streams[placement.stream.index]
    kind = {"mjpeg": "jpeg"}.get(placement.stream.codec, placement.stream.codec)
    name = stream.metadata.get("filename") or f"cover.{kind.replace('jpeg', 'jpg')}"
    file = folder / f"{extra}"
    source.seek(0)
    file.write_bytes(bytes(next(source.demux(stream))))
    return ["-attach", str(file), f"-metadata:s:t:{extra}", f"mimetype=image/{kind}",
            f"-metadata:s:t:{extra}", f"filename={name}"]  # fmt: skip


def _container_tags(
    source: av.container.InputContainer,
    output: Path,
    tags: Mapping[str, str],
    preview: bool,
    warn: Callable[[str], None],
) -> list[str]:
    """Arguments that carry over the container's tags and chapters (none in a preview: their times are the film's)."""
    arguments = ["-map_metadata", "1", "-map_chapters", "-1" if preview else "1"]
    for key in STALE:
        if key in source.metadata:
            arguments += ["-metadata", f"{key}="]
    custom = [
        key for key in source.metadata if key.lower() not in SHOWN | {"creation_time", "location"} and key not in STALE
    ]
    if custom and container_of(output).muxer in ("mp4", "mov"):
        # The two forms of tags exclude each other: keep the customary one where players would show it.
        if any(key.lower() in SHOWN for key in source.metadata):
            warn(f"{output.suffix} cannot hold these tags beside the customary ones: {', '.join(custom)}")
        else:
            arguments += ["-movflags", "+use_metadata_tags"]
    return arguments


def _colour_arguments(info: VideoInfo, settings: EncodeSettings, number: int) -> list[str]:
    """The colour tags for the container, which not every codec carries inside."""
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
    # Without a limit on interleaving, streams that start late or are sparse never reorder.
    arguments = ["-max_interleave_delta", "0", "-max_muxing_queue_size", "4096"]
    muxer = container_of(output).muxer
    if muxer in ("mp4", "mov"):
        clock = feed.time_base.denominator
        # Edit lists, and so the start of every track, count in the movie's clock, which is 1 ms unless told.
        arguments += ["-video_track_timescale", str(clock), "-movie_timescale", str(_movie_clock(info, clock))]
    if muxer == "mpegts":
        # A negative time would wrap to 26.5 hours, which players take for a jump: all is shifted instead.
        arguments += ["-mpegts_copyts", "1", "-muxdelay", "0", "-muxpreload", "0"]
        arguments += ["-avoid_negative_ts", "make_non_negative"]
    if muxer == "avi":  # it has no clock to shift, only frames to count
        arguments += ["-avoid_negative_ts", "disabled"]
    if preview:
        arguments += ["-ss", "0", "-t", f"{math.ceil(feed.end * feed.time_base / MICROSECOND)}us"]
    return arguments


def _movie_clock(info: VideoInfo, clock: int) -> int:
    """A clock in which the starts of picture and sound are both whole, as far as 31 bits go."""
    rates: list[int] = []
    if not info.images:
        with av.open(url(info.path)) as source:
            rates = [Fraction(stream.time_base).denominator for stream in source.streams.audio if stream.time_base]
    for rate in rates:
        if math.lcm(clock, rate) < 1 << 31:
            clock = math.lcm(clock, rate)
    return clock


def _write_gif(feed: Feed, partial: Path, folder: Path, cancelled: Callable[[], bool]) -> None:
    """Two passes, so that the palette fits the whole film and memory stays bounded."""
    palette = str(folder / "palette.png")
    command = [*_ffmpeg(), *feed.input_arguments()]
    _run([*command, "-vf", "palettegen=stats_mode=diff", "-frames:v", "1", palette], feed, partial, cancelled)
    draw = "[0:v][1:v]paletteuse=dither=sierra2_4a:diff_mode=rectangle"
    timing = ["-fps_mode", "passthrough", "-enc_time_base", "demux", "-loop", "0"]
    _run([*command, "-i", palette, "-lavfi", draw, *timing, url(partial)], feed, partial, cancelled)


def _run(command: list[str], feed: Feed, output: Path, cancelled: Callable[[], bool]) -> None:
    """Run ffmpeg with the joined video on its stdin; `OutputError` with its last word if it fails."""
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=complaints)
        assert process.stdin is not None
        failure: OSError | None = None
        try:
            feed.write(process.stdin, cancelled)
            process.stdin.close()
        except OSError as error:  # ffmpeg went away: its own complaint says more
            failure = error
        except BaseException:
            process.kill()
            raise
        finally:
            code = process.wait()
        if code or failure:
            complaints.seek(0)
            raise OutputError(_reason(output, complaints.read().decode("utf-8", "replace"), code))


def _reason(output: Path, complaints: str, code: int) -> str:
    if "No space left on device" in complaints:
        return f"cannot write {output}: the disk is full (the finished segments are kept: make room and run again)"
    if "File too large" in complaints or code == -25:
        return f"cannot write {output}: the file is larger than this system or user may write"
    lines = complaints.strip().splitlines()  # the first is the cause, the rest its consequences
    cause = re.sub(r"^\[.*? @ 0x[0-9a-f]+\] ", "", lines[0]) if lines else f"ffmpeg stopped with code {code}"
    return f"cannot write {output}: {cause}"


def _settle(partial: Path, output: Path) -> None:
    """Make the file safe on the disk, then give it its name."""
    with partial.open("rb+") as file:
        os.fsync(file.fileno())
    partial.replace(output)
    folder = os.open(output.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
