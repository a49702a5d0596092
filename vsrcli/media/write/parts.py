"""Join the parts of one recording, as cameras and tuners split them, into one file by stream copy.

A transport stream that was cut is put together byte by byte: its times go on from part to part, and a packet may lie in
two of them. All other parts are moved in time: each picture begins where the one before ends, and its sound keeps its
place beside it.
"""

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise, zip_longest
from pathlib import Path
from typing import Any

import av

from vsrcli.errors import OutputError, UsageError, unwritable
from vsrcli.files import replacing
from vsrcli.media.containers import FILES_ONLY, describe, open_container, url
from vsrcli.media.info import VideoInfo
from vsrcli.media.opening import demux
from vsrcli.media.read.probe import probe
from vsrcli.media.write.mux import complaint, ffmpeg
from vsrcli.words import counted

# Formats that keep their own clock; all others' times are whole milliseconds or fit them.
_KEPT = {"mpegts": ("mpegts", ".ts"), "mov": ("mov", ".mov"), "yuv4mpegpipe": ("nut", ".nut"), "nut": ("nut", ".nut")}
_MATROSKA = ("matroska", ".mkv")
_IN_BAND = frozenset({"mpegts", "mpeg", "avi", "dv", "yuv4mpegpipe"})
"""Formats whose streams repeat their headers, so that they need not be equal."""
_COPIED = ("audio", "subtitle")
_GOES_ON = Fraction(1, 2)
"""Seconds between a part's last picture and the next one's first, up to which their times count as those of one."""


@dataclass(frozen=True)
class _Track:
    """When a part's stream begins and ends, in seconds after the part's start, and how many packets it has."""

    first: Fraction
    end: Fraction
    packets: int

    def with_one(self, other: "_Track") -> "_Track":
        """Return the track of both."""
        return _Track(min(self.first, other.first), max(self.end, other.end), self.packets + other.packets)

    @property
    def step(self) -> Fraction:
        """The mean time of a packet."""
        return (self.end - self.first) / self.packets


def check_parts(paths: Sequence[Path]) -> list[VideoInfo]:
    """Return the properties of the parts. Raises UsageError with one line if a part is not like the first."""
    infos = [probe(path) for path in paths]
    first = infos[0]
    for info in infos:
        if info.images:
            raise UsageError(f"{info.path} is an image sequence: only videos are joined")
        for name, here, there in _differences(first, info):
            raise UsageError(f"{info.path} differs from {first.path} in {name} ({there} and {here}): not joined")
    return infos


def _differences(one: VideoInfo, other: VideoInfo) -> list[tuple[str, Any, Any]]:
    """Return what two parts differ in: a name, and what each has."""
    here, there = _properties(one), _properties(other)
    found: list[tuple[str, Any, Any]] = [(name, here[name], there[name]) for name in here if here[name] != there[name]]
    if not found and not _IN_BAND & set(one.container.split(",")) and _headers(one) != _headers(other):
        found.append(("the encoder's settings", "some", "others"))
    return found


def _properties(info: VideoInfo) -> dict[str, Any]:
    """Return what all parts must have in common, by its name."""
    return {
        "size": f"{info.width}x{info.height}",
        "codec": info.codec,
        "pixel format": info.pix_fmt,
        "frame rate": f"{float(info.rate):.5g}",
        "the pixels' shape": info.sample_aspect_ratio or Fraction(1),
        "rotation": info.rotation,
        "container": info.container,
        "streams": ", ".join(_sounds(info)) or "no sound",
    }


def _sounds(info: VideoInfo) -> list[str]:
    """Return what each stream of sound and subtitles is."""
    with open_container(info.path) as container:
        lines = []
        for other in info.streams:
            if other.kind in _COPIED:
                stream = container.streams[other.index]
                line = f"{other.kind} {other.codec}"
                if isinstance(stream, av.AudioStream):
                    line += f" {stream.sample_rate} Hz {stream.layout.name}"
                lines.append(line)
        return lines


def _headers(info: VideoInfo) -> list[bytes | None]:
    with open_container(info.path) as container:
        streams = [container.streams.video[0], *container.streams.audio]
        return [one.codec_context.extradata for one in streams if one.codec_context is not None]


def joined_name(infos: Sequence[VideoInfo]) -> tuple[str, str]:
    """Return the muxer and the suffix of the file into which parts are joined."""
    family = infos[0].container.split(",")
    return next((_KEPT[name] for name in family if name in _KEPT), _MATROSKA)


def join_parts(infos: Sequence[VideoInfo], path: Path, folder: Path) -> list[str]:
    """Write all parts, one after another, to `path`; return lines on what is left out.

    `folder` is for a list of them. Raises OutputError.
    """
    first = infos[0]
    kept = sorted([first.stream_index, *(one.index for one in first.streams if one.kind in _COPIED and not one.empty)])
    parts = [_tracks(info, kept) for info in infos]
    try:
        with replacing(path) as partial:
            if _goes_on(infos, parts):
                _join_bytes(infos, partial)
                return []
            _join_streams(infos, parts, kept, partial, folder)
            wanted = sum(tracks[first.stream_index].packets for tracks in parts)
            found = _packets(partial, kept.index(first.stream_index))
            if found != wanted:
                raise OutputError(f"joining gave {counted(found, 'frame')} instead of {wanted}")
    except OSError as error:
        raise unwritable(path, error) from None
    lines = [
        f"{describe(one)} is left out where parts are joined"
        for one in first.streams
        if one.kind not in _COPIED and one.codec != "tmcd"  # the picture's tag tells the timecode
    ]
    if any(info.chapters for info in infos):
        lines.append("chapters are left out where parts are joined")
    return lines


def _tracks(info: VideoInfo, indices: Sequence[int]) -> dict[int, _Track]:
    """Return the tracks of those streams of a part that have packets; not of subtitles, which pause."""
    spans: dict[int, _Track] = {}
    with open_container(info.path) as container:
        streams = [container.streams[index] for index in indices if container.streams[index].type != "subtitle"]
        for packet in demux(container, *streams):
            stamp = packet.dts if packet.pts is None else packet.pts
            if not packet.size or stamp is None or not packet.time_base:
                continue
            number, base = packet.stream_index, Fraction(packet.time_base)
            first = stamp * base - Fraction(info.start_time)
            unknown = 1 / info.rate if number == info.stream_index else Fraction(0)
            here = _Track(first, first + ((packet.duration or 0) * base or unknown), 1)
            spans[number] = spans[number].with_one(here) if number in spans else here
    return spans


def _goes_on(infos: Sequence[VideoInfo], parts: Sequence[dict[int, _Track]]) -> bool:
    """Return whether the parts are one transport stream that was cut: the same streams, and times that go on."""
    if any(info.container != "mpegts" for info in infos) or len({_numbers(info) for info in infos}) > 1:
        return False
    picture = infos[0].stream_index
    for (info, tracks), (following, others) in pairwise(zip(infos, parts, strict=True)):
        here, there = tracks[picture], others[picture]
        gap = Fraction(following.start_time) + there.first - Fraction(info.start_time) - here.end
        if abs(gap) > min(_GOES_ON, (here.end - here.first) / 2):
            return False
    return True


def _numbers(info: VideoInfo) -> tuple[int, ...]:
    """Return the numbers by which a transport stream tells its streams apart."""
    with open_container(info.path) as container:
        return tuple(stream.id for stream in container.streams)


def _join_bytes(infos: Sequence[VideoInfo], path: Path) -> None:
    with path.open("wb") as whole:
        for info in infos:
            with info.path.open("rb") as part:
                shutil.copyfileobj(part, whole, 1 << 20)


def _join_streams(
    infos: Sequence[VideoInfo], parts: Sequence[dict[int, _Track]], kept: Sequence[int], path: Path, folder: Path
) -> None:
    """Write the streams `kept` of the parts to `path` by ffmpeg, each part moved in time to where it belongs."""
    muxer, _ = joined_name(infos)
    first = infos[0]
    listed = folder / "parts.txt"
    names = [str(info.path.absolute()) for info in infos]
    if any("\n" in name or "\r" in name for name in names):
        raise UsageError("a name with a line break cannot be joined: rename the file")
    quoted = ["file 'file:" + name.replace("'", "'\\''") + "'" for name in names]
    lengths = [f"duration {float(_until_next(first.stream_index, *both)):.6f}" for both in pairwise(parts)]
    lines = [line for both in zip_longest(quoted, lengths, fillvalue="") for line in both]
    listed.write_text("\n".join(["ffconcat version 1.0", *lines, ""]), encoding="utf-8")
    command = [*ffmpeg(), *FILES_ONLY, "-f", "concat", "-safe", "0", "-i", url(listed)]
    command += [*FILES_ONLY, "-i", url(first.path)]
    command += [part for index in kept for part in ("-map", f"0:{index}")]
    command += ["-map_metadata", "1", "-map_chapters", "-1", "-c", "copy", "-strict", "experimental"]
    if muxer == "mpegts":
        command += ["-muxdelay", "0", "-muxpreload", "0"]
    if muxer == "mov":
        command += ["-video_track_timescale", str(first.time_base.denominator)]
    done = subprocess.run([*command, "-f", muxer, url(path)], capture_output=True)
    if done.returncode:
        reason = complaint(done.stderr.decode("utf-8", "replace"))
        raise OutputError(f"cannot join {first.path} and what follows: {reason}")


def _until_next(picture: int, here: dict[int, _Track], there: dict[int, _Track]) -> Fraction:
    """Return how many seconds after a part's start the next one's start is.

    The next picture begins where this one ends, or later where sound would overlap by more than half a packet.
    """
    waits = [here[index].end - there[index].first - here[index].step / 2 for index in here if index in there]
    return max(here[picture].end - there[picture].first, *waits)


def _packets(path: Path, index: int) -> int:
    with open_container(path) as container:
        return sum(1 for packet in demux(container, container.streams[index]) if packet.size)
