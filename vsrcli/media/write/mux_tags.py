"""ffmpeg's arguments for tags: those of the container, of the picture, and the one about the making."""

from collections.abc import Mapping
from pathlib import Path

import av
from av.stream import Stream

from vsrcli.media.containers import REEL, Placement, container_of, reel_name
from vsrcli.media.info import VideoInfo
from vsrcli.media.write.ffmetadata import metadata_input, tag_lines

# Tags that describe the old file's bytes, not the work.
STALE = ("major_brand", "minor_version", "compatible_brands", "encoder", "vendor_id")
STATISTICS = ("BPS", "NUMBER_OF_", "_STATISTICS_", "DURATION")
LONG_TAGS = 1 << 13  # characters; Windows has 32,767 for a whole command line
ANY_TAGS = ("-movflags", "+use_metadata_tags")
"""ffmpeg's arguments that allow tags of any name in QuickTime and MP4."""
MADE_TAG = "vsr"
"""Name of the tag about the making, in containers that allow any name."""
MADE_PLACES = frozenset({MADE_TAG, "encoder", "encoding_tool", "encoded_by", "comment"})
"""All names of that tag."""
# The tags that MP4's customary (iTunes) form has a place for, and that players show.
# fmt: off
SHOWN = frozenset([
    "title", "artist", "album_artist", "composer", "album", "date", "comment", "genre", "copyright", "grouping",
    "lyrics", "description", "synopsis", "show", "episode_id", "network", "keywords", "episode_sort", "season_number",
    "media_type", "hd_video", "gapless_playback", "compilation", "track", "disc", "tempo",
])
# fmt: on
_APPLE = "com.apple.quicktime."
PLACED = SHOWN.union(STALE, ["creation_time", "location"])
"""The tags with a place in MP4's customary form; some exist once more with a language, as `location-eng`."""


def made_tag(output: Path, own: Mapping[str, str], *, free: bool) -> str | None:
    """Return the name of the tag about the making: one of its own, or one that the source leaves empty.

    `own` are the source's tags by lower-case name. `free` means that a QuickTime file allows tags of any name. Returns
    None if no name is left.
    """
    places = {
        "matroska": (MADE_TAG,),
        "webm": (MADE_TAG,),
        "mp4": (MADE_TAG,) if free else ("encoding_tool",),  # ffmpeg reads it as `encoder`
        "mov": (MADE_TAG,) if free else ("comment",),
        "avi": ("encoded_by", "comment"),
        "mpegts": ("service_provider",),  # it has no tags, but a name of who sends
    }.get(container_of(output).muxer, ("comment",))
    return next((place for place in places if place == MADE_TAG or place not in own), None)


def video_tags(stream: Stream) -> dict[str, str]:
    """Return the tags of the source's picture that are also valid for the new one, with its reel's name."""
    tags = {
        key: value
        for key, value in stream.metadata.items()
        if key.lower() not in (*STALE, "alpha_mode", REEL) and not key.startswith(STATISTICS)
    }
    reel = reel_name(stream.container)
    return tags if reel is None else tags | {REEL: reel}


def by_file_only(tags: Mapping[str, str]) -> bool:
    """Return whether tags are too long for a command line."""
    return sum(len(key) + len(value) for key, value in tags.items()) > LONG_TAGS


def tags_by_file(
    source: av.container.InputContainer,
    info: VideoInfo,
    placements: list[Placement],
    number: int,
    output: Path,
    folder: Path,
) -> list[str]:
    """Return arguments that read long tags of the picture, stream `number` of the output, from a file.

    If one stream's tags are given, ffmpeg copies none of the others' by itself, so theirs are given too.
    """
    tags = video_tags(source.streams[info.stream_index])
    if not by_file_only(tags):
        return []
    arguments = metadata_input(["[STREAM]", *tag_lines(tags)], folder / "tags.txt")
    attached = container_of(output).muxer == "matroska"  # there cover art is an attachment, not a stream
    others = [p for p in placements if not (p.stream.attached_picture and attached)]
    ordered = sorted([info.stream_index, *(p.stream.index for p in others)])
    for place, index in enumerate(ordered):
        arguments += [f"-map_metadata:s:{place}", "2:s:0" if place == number else f"1:s:{index}"]
    return arguments


def tags_beside(tags: Mapping[str, str], output: Path) -> dict[str, str]:
    """Return those of a source's tags that ffmpeg cannot write into an MP4 beside the customary ones."""
    if container_of(output).muxer != "mp4" or not any(key.lower() in SHOWN for key in tags):
        return {}
    lowered = (key.lower() if key.startswith(_APPLE.upper()) else key for key in tags)  # Matroska has capitals
    return {name: value for name, value in zip(lowered, tags.values(), strict=True) if _is_custom(name)}


def _is_custom(key: str) -> bool:
    """Return whether a tag has no place in MP4's customary form, and is none of vsr's own."""
    return key.lower() != MADE_TAG and key.lower().partition("-")[0] not in PLACED


def container_tags(source: av.container.InputContainer, output: Path, preview: bool) -> list[str]:
    """Return arguments that copy the container's tags and chapters (none in a preview: their times are the film's)."""
    arguments = ["-map_metadata", "1", "-map_chapters", "-1" if preview else "1"]
    for key in source.metadata:
        if key.lower() in STALE:  # Matroska has them in capitals
            arguments += ["-metadata", f"{key}="]
    muxer = container_of(output).muxer
    when = next((value for key, value in source.metadata.items() if key.lower() == "creation_time"), None)
    if when is not None:  # if it exists as a tag too, ffmpeg joins both to an invalid time
        arguments += ["-metadata", f"creation_time={when.partition(';')[0]}"]
    custom = any(map(_is_custom, source.metadata))
    commented = any(key.lower() == "comment" for key in source.metadata)
    free = (custom and muxer == "mp4") or ((custom or commented) and muxer == "mov")
    # In MP4 ffmpeg writes one form of tags alone: the customary one where players would show it, and the others are
    # added afterwards.
    if free and not tags_beside(source.metadata, output):
        # The time is written afterwards: as a tag it would be there twice.
        arguments += [*ANY_TAGS, "-metadata", "creation_time="]
    return arguments
