"""Metadata of source images on the way to the output: which is kept, and which is reported as lost."""

from collections import Counter
from collections.abc import Callable, Iterable

from vsrcli.media.info import VideoInfo
from vsrcli.media.photo import exif
from vsrcli.media.photo.picture_tags import PictureTags, read_tags
from vsrcli.media.photo.tagging import fit, held

_WIDE = frozenset([9, 11, 12])  # BT.2020, and P3 with the cinema's white and the usual one (H.273, table 2)
_HDR = frozenset([16, 18])  # PQ, HLG
Tags = Callable[[int], PictureTags]
"""Returns the tags of the output's image for the pts of its frame."""


def tags_for_images(info: VideoInfo, size: tuple[int, int]) -> Tags:
    """Return a function that gives each image of an output of `size` (w, h) its tags.

    A new image between two of the source's has the first one's. The tags of a video are its orientation, and its
    colours if they differ from those of an untagged image.
    """
    if info.images:
        return lambda pts: fit(read_tags(info.images[pts // info.ticks]), (info.width, info.height), size)
    colour = info.colour
    wide = colour.primaries in _WIDE or colour.transfer in _HDR
    same = PictureTags(
        exif=exif.of_orientation(exif.nearest_orientation(info.rotation) or 1),
        chunks=((b"cICP", bytes([colour.primaries, colour.transfer, 0, 1])),) if wide else (),
    )
    return lambda pts: same


def lost_in_images(info: VideoInfo, size: tuple[int, int], suffix: str) -> list[str]:
    """Return lines about the tags of a source that images with that suffix cannot hold."""
    tags, count = tags_for_images(info, size), len(info.images)
    if count:
        return _line((held(tags(pts * info.ticks), suffix)[1] for pts in range(count)), count, suffix)
    lines = [f"{suffix} does not hold the source's {name}" for name in held(tags(0), suffix)[1]]
    if exif.nearest_orientation(info.rotation) is None:
        lines.append("images hold no turn by other than quarters: they show unrotated")
    return lines


def lost_in_video(info: VideoInfo, suffix: str) -> list[str]:
    """Return lines about the tags of source images that a video with that suffix cannot hold."""
    images = info.images or ((info.path,) if info.container.endswith("_pipe") else ())  # of a name that tells nothing
    if not images:
        return []
    found: list[list[str]] = []
    turns: Counter[int] = Counter()
    for image in images:
        tags = read_tags(image)
        turns[tags.orientation] += 1
        names = ["EXIF"] if exif.says_more_than_orientation(tags.exif) else []
        names += ["colour profile"] if tags.profile else []
        names += ["XMP"] if tags.xmp else []
        names += ["comments or IPTC"] if tags.segments else []
        names += ["texts"] if any(kind[1:] in (b"EXt", b"TXt") for kind, _ in tags.chunks) else []
        found.append([*names, *tags.lost])
    lines = _line(found, len(found), suffix)
    if len(turns) > 1:
        first = read_tags(images[0]).orientation
        lines.append(
            f"the images are marked to be turned in different ways: all are turned as the first one, "
            f"which is wrong for {len(found) - turns[first]} of {len(found)}"
        )
    return lines


def _line(lost: Iterable[Iterable[str]], count: int, suffix: str) -> list[str]:
    names: Counter[str] = Counter()
    for found in lost:
        names.update(set(found))
    parts = [name if times == count else f"{name} (of {times} of {count})" for name, times in sorted(names.items())]
    whose = "the source images" if count > 1 else "the source image"
    return [f"{suffix} does not hold all of {whose}, left out: {', '.join(parts)}"] if parts else []
