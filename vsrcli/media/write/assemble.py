"""Assemble the final file: the segments' video joined with all other streams of the source, by stream copy."""

import math
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

from av.error import FFmpegError
from av.stream import Disposition

from vsrcli.errors import FullDiskError, OutputError, Reason, unwritable
from vsrcli.files import settle
from vsrcli.media.containers import SILENT, check_container, container_of, open_container, place_streams, url
from vsrcli.media.info import VideoInfo
from vsrcli.media.read.joins import Join
from vsrcli.media.write.avi import write_start
from vsrcli.media.write.avi_times import avi_origin, avi_slot
from vsrcli.media.write.encode import output_aspect
from vsrcli.media.write.encode_settings import EncodeSettings
from vsrcli.media.write.feed import Feed, last_duration, segment_lead, segment_pts
from vsrcli.media.write.labels import lost_labels
from vsrcli.media.write.mux import complaint, ffmpeg, mux_command
from vsrcli.media.write.mux_tags import ANY_TAGS, tags_beside
from vsrcli.media.write.quicktime import write_creation_time, write_tags
from vsrcli.media.write.y4m_file import write_y4m
from vsrcli.words import counted

_FULL = ("No space left on device", "Disk quota exceeded")
"""What ffmpeg says of a full disk."""
CENTISECOND = Fraction(1, 100)
"""GIF's clock."""
LONGEST_DELAY = 65535  # in GIF's clock


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
    joins: Sequence[Join] = (),
    warn: Callable[[str], None],
    cancelled: Callable[[], bool] = lambda: False,
    overwrite: bool = True,
    announce: Callable[[Path, Path], None] = lambda name, file: None,
) -> Path:
    """Write `output`: the frames of `segments` in order, and all other streams, chapters and tags of the source.

    The file appears under its name only when it is complete and checked. Returns the name, which is another one if this
    one exists by then (unless `overwrite`). Raises OutputError (and leaves nothing) on failure, InterruptedJobError
    once `cancelled` returns true.

    Args:
        segments: the segments' files.
        info: the source.
        settings: the encoder's settings.
        output: name of the file.
        pts: timestamps of the frames in the source's time base; read from the segments if None.
        tags: added to the container's tags.
        start: with `start` or `end` (seconds) the file is a preview: it begins at 0 with its first frame and has only
            the sound and subtitles of its span.
        end: see `start`.
        joins: places where the source's clock jumps back; sound and subtitles are joined like the frames.
        announce: called just before the renaming, with the name and the finished file.
    """
    preview = start is not None or end is not None
    feed = _feed(segments, info, settings, output, pts, preview, warn)
    for note in check_container(info, output) if not info.images else []:
        warn(note)
    try:
        # nobody can put a link into this private folder; it is on the output's disk, since the file is renamed
        beside = segments[0].parent
        where = beside if beside.stat().st_dev == output.parent.stat().st_dev else output.parent
        with tempfile.TemporaryDirectory(prefix="join-", dir=where, ignore_cleanup_errors=True) as folder:
            partial = Path(folder) / f"partial{output.suffix.lower()}"
            if settings.codec == "gif":
                _write_gif(feed, partial, output, cancelled)
            elif settings.codec == "apng":
                _write_apng(feed, partial, output, cancelled)
            elif container_of(output).muxer == "yuv4mpegpipe":
                write_y4m(feed, info, settings, partial, cancelled)
            else:
                command = mux_command(feed, info, settings, output, tags, preview, Path(folder), joins)
                _run([*command, url(partial)], feed, output, cancelled)
                own = {} if info.images else _tags(info)
                if ANY_TAGS[1] in command and (when := _named(own, "creation_time")):
                    write_creation_time(partial, when)
                if added := tags_beside(own, output):
                    write_tags(partial, added)
            if feed.avi_start:
                write_start(partial, feed.avi_start)
            verify(partial, feed, warn)
            for note in lost_labels(info.path, place_streams(info, output), partial) if not info.images else []:
                warn(note)
            return settle(partial, output, overwrite=overwrite, announce=lambda name: announce(name, partial))
    except (OSError, FFmpegError) as error:
        raise unwritable(output, error) from error


def verify(written: Path, feed: Feed, warn: Callable[[str], None]) -> None:
    """Raise `OutputError` unless the file holds every frame at its time, to the precision of its container."""
    with open_container(written) as container:
        pictures = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        if not pictures:
            raise OutputError("the assembled file has no video")
        stream = pictures[0]
        tick = Fraction(stream.time_base or 0)
        ordered = container_of(written).muxer == "avi"  # display order: the number of a frame gives its time
        stamps = [p.dts if ordered or p.pts is None else p.pts for p in container.demux(stream) if p.size]
    found = sorted(stamp or 0 for stamp in stamps)
    wanted = [(time + feed.avi_start) * feed.time_base for time in feed.times.values()]
    if len(found) != len(wanted):
        raise OutputError(f"the assembled file has {counted(len(found), 'frame')} instead of {len(wanted)}")
    if container_of(written).muxer in SILENT:
        return
    shift = found[0] * tick - wanted[0]
    shift = shift if abs(shift) > tick else Fraction(0)
    if any(abs(got * tick - shift - want) > tick for got, want in zip(found, wanted, strict=True)):
        message = "the assembled file's frame times differ from the source's"
        raise OutputError(message, Reason.NEEDS_CONTAINER, output="NAME.mkv")
    if shift > 0:
        warn(f"{written.suffix} cannot hold negative times: picture and sound start {float(shift):.3f} s later")
    elif shift < 0:
        warn(f"{written.suffix} cannot hold so late a time: picture and sound start {float(-shift):.3f} s earlier")


def _tags(info: VideoInfo) -> dict[str, str]:
    """Return the tags of the source's container."""
    with open_container(info.path) as container:
        return dict(container.metadata)


def _named(tags: Mapping[str, str], name: str) -> str | None:
    """Return the tag of a name, which Matroska has in capitals."""
    return next((value for key, value in tags.items() if key.lower() == name), None)


def _feed(
    segments: Sequence[Path],
    info: VideoInfo,
    settings: EncodeSettings,
    output: Path,
    pts: Sequence[int] | None,
    preview: bool,
    warn: Callable[[str], None],
) -> Feed:
    ordered = sorted(pts) if pts is not None else segment_pts(segments, info)
    if not ordered:
        raise OutputError("there are no frames to assemble")
    origin = ordered[0] if preview else 0
    avi_start = 0
    duration = last_duration(info, ordered)
    time_base = info.time_base
    times = {time: time - origin for time in ordered}
    if container_of(output).muxer == "avi":
        time_base = 1 / info.rate
        origin = avi_origin(info, ordered[0], preview=preview)
        times = {time: avi_slot(info, time, origin) for time in ordered}
        if any(abs(t * time_base - (s - origin) * info.time_base) > time_base / 10 for s, t in times.items()):
            warn(f".avi knows only a constant frame rate: the frame times move by up to {float(time_base / 2):.3f} s")
        avi_start = max(0, times[ordered[0]])
        times = {time: slot - avi_start for time, slot in times.items()}
        duration = 1
        if len(set(times.values())) < len(times):
            message = ".avi knows only a constant frame rate"
            raise OutputError(message, Reason.NEEDS_CONTAINER, output=f"{output.stem}.mkv")
    return Feed(
        tuple(segments),
        info.time_base,
        time_base,
        times,
        duration,
        info.rotation,
        output_aspect(info, settings),
        segment_lead(info),
        avi_start,
        rounds=container_of(output).muxer in ("matroska", "webm"),
    )


def _write_gif(feed: Feed, partial: Path, output: Path, cancelled: Callable[[], bool]) -> None:
    """Write `output` as `partial`, in two passes, so that the palette fits the whole video and memory stays bounded."""
    folder = partial.parent
    palette = "palette.png"  # ffmpeg runs in the folder: a % in the folder's name would be a pattern
    command = [*ffmpeg(), *feed.input_arguments()]
    drawing = [*command, "-vf", "palettegen=stats_mode=diff", "-frames:v", "1", palette]
    _run(drawing, feed, output, cancelled, folder=folder)
    draw = "[0:v][1:v]paletteuse=dither=sierra2_4a:diff_mode=rectangle"
    timing = ["-fps_mode", "passthrough", "-enc_time_base", "demux", "-loop", "0"]
    # by default that of the frame before
    last = math.floor(feed.last_duration * feed.time_base / CENTISECOND + Fraction(1, 2))
    timing += ["-final_delay", str(min(max(1, last), LONGEST_DELAY))]
    whole = [*command, "-i", palette, "-lavfi", draw, *timing, url(Path(partial.name))]
    _run(whole, feed, output, cancelled, folder=folder)


def _write_apng(feed: Feed, partial: Path, output: Path, cancelled: Callable[[], bool]) -> None:
    """Write `output` as `partial`, an animation that repeats; a PNG has no tags, and times as fractions."""
    timing = ["-fps_mode", "passthrough", "-enc_time_base", "demux", "-plays", "0"]
    last = (feed.last_duration * feed.time_base).limit_denominator(LONGEST_DELAY)
    timing += ["-final_delay", f"{last.numerator}/{last.denominator}"]
    command = [*ffmpeg(), *feed.input_arguments(), "-c:v", "apng", "-pred", "mixed", *timing, "-f", "apng"]
    _run([*command, url(partial)], feed, output, cancelled)


def _run(
    command: list[str], feed: Feed, output: Path, cancelled: Callable[[], bool], *, folder: Path | None = None
) -> None:
    """Run ffmpeg, in `folder`, with the joined video on its stdin. Raises OutputError with its message if it fails."""
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=complaints, cwd=folder
        )
        assert process.stdin is not None
        failure: OSError | None = None
        try:
            feed.write(process.stdin, cancelled)
            process.stdin.close()
        except OSError as error:  # ffmpeg has ended: its own message says more
            failure = error
        except BaseException:
            process.kill()
            raise
        finally:
            with suppress(OSError):  # data that it had not read yet are lost
                process.stdin.close()
            code = process.wait()
        if code or failure:
            complaints.seek(0)
            raise _failure(output, complaints.read().decode("utf-8", "replace"), code)


def _failure(output: Path, complaints: str, code: int) -> OutputError:
    if any(words in complaints for words in _FULL):
        return FullDiskError(output)
    if "File too large" in complaints or code == -25:
        return OutputError(f"cannot write {output}: the file is larger than this system or user may write")
    return OutputError(f"cannot write {output}: {complaint(complaints) or f'ffmpeg stopped with code {code}'}")
