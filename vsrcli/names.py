"""What names of files say: which end like videos or images, and in which order they stand."""

import re
from pathlib import Path

WRITABLE_IMAGES = (".png", ".jpg", ".jpeg")
"""Endings of the images that are written."""

IMAGES = frozenset(WRITABLE_IMAGES) | {".bmp", ".tif", ".tiff", ".webp"}
"""Endings of the images that are looked for in folders."""

VIDEOS = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".ts", ".m2ts", ".mts", ".m2t", ".avi", ".gif", ".mpg", ".mpeg", ".vob"}
    | {".mpe", ".m1v", ".m2v", ".mpv", ".evo", ".vro", ".mod", ".tod", ".tp", ".trp", ".qt", ".mj2", ".mk3d", ".f4v"}
    | {".wmv", ".asf", ".wtv", ".dvr-ms", ".flv", ".3gp", ".3g2", ".ogv", ".ogm", ".ogx", ".mxf", ".gxf", ".dv", ".dif"}
    | {".divx", ".rm", ".rmvb", ".amv", ".nsv", ".nut", ".ivf", ".y4m", ".apng", ".drc", ".vc1", ".obu"}
    | {".264", ".h264", ".avc", ".265", ".h265", ".hevc", ".h263"}
)
"""Endings of the videos that are looked for in folders. A file that is named may end in anything."""


def is_image(path: Path) -> bool:
    """Return whether a name ends like an image's."""
    return path.suffix.lower() in IMAGES


def is_video(path: Path) -> bool:
    """Return whether a name ends like a video's."""
    return path.suffix.lower() in VIDEOS


def with_ending(path: Path, suffix: str) -> Path:
    """Return the name with another ending, in place of its own if that is one of videos or images ("film.2024")."""
    known = is_video(path) or is_image(path) or path.suffix.lower() == ".avif"
    return path.with_suffix(suffix) if known else path.with_name(path.name + suffix)


def natural_key(path: Path) -> tuple[tuple[tuple[int, int | str], ...], str]:
    """Return a key that sorts names as people count: 2.png before 10.png. Equal numbers stand in the names' order."""
    parts = re.split(r"(\d+)", path.name)
    return tuple((0, int(part)) if part.isdecimal() else (1, part.casefold()) for part in parts if part), str(path)
