"""Join the parts of one recording, as cameras and tuners split them, into one file by stream copy."""

import subprocess
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from vsrcli.errors import OutputError, UsageError
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

    Each begins where the longest stream of the one before ends. `folder` is for a list of them. Raises OutputError.
    """
    muxer, _ = joined_name(infos)
    listed = folder / "parts.txt"
    names = [str(info.path.absolute()) for info in infos]
    if any("\n" in name or "\r" in name for name in names):
        raise UsageError("a name with a line break cannot be joined: rename the file")
    quoted = ["file 'file:" + name.replace("'", "'\\''") + "'" for name in names]
    listed.write_text("\n".join(["ffconcat version 1.0", *quoted, ""]), encoding="utf-8")
    first = infos[0]
    kept = sorted([first.stream_index, *(one.index for one in first.streams if one.kind in _COPIED and not one.empty)])
    command = [*ffmpeg(), *FILES_ONLY, "-f", "concat", "-safe", "0", "-i", url(listed)]
    command += [*FILES_ONLY, "-i", url(first.path)]
    command += [part for index in kept for part in ("-map", f"0:{index}")]
    command += ["-map_metadata", "1", "-map_chapters", "-1", "-c", "copy", "-strict", "experimental"]
    if muxer == "mpegts":
        command += ["-muxdelay", "0", "-muxpreload", "0"]
    if muxer == "mov":
        command += ["-video_track_timescale", str(first.time_base.denominator)]
    try:
        with replacing(path) as partial:
            done = subprocess.run([*command, "-f", muxer, url(partial)], capture_output=True)
            if done.returncode:
                reason = complaint(done.stderr.decode("utf-8", "replace"))
                raise OutputError(f"cannot join {first.path} and what follows: {reason}")
            wanted = sum(_packets(info.path, info.stream_index) for info in infos)
            found = _packets(partial, kept.index(first.stream_index))
            if found != wanted:
                raise OutputError(f"joining gave {counted(found, 'frame')} instead of {wanted}")
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from None
    lines = [
        f"{describe(one)} is left out where parts are joined"
        for one in first.streams
        if one.kind not in _COPIED and one.codec != "tmcd"  # the picture's tag tells the timecode
    ]
    if any(info.chapters for info in infos):
        lines.append("chapters are left out where parts are joined")
    return lines


def _packets(path: Path, index: int) -> int:
    with open_container(path) as container:
        return sum(1 for packet in demux(container, container.streams[index]) if packet.size)
