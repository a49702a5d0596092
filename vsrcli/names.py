"""What names of files say: which end like videos or images, and in which order they stand."""

import re
from pathlib import Path

WRITABLE_IMAGES = (".png", ".jpg", ".jpeg")
"""Endings of the images that are written."""

IMAGES = frozenset(WRITABLE_IMAGES) | {".bmp", ".tif", ".tiff", ".webp"}
"""Endings of the images that are looked for in folders."""

VIDEOS = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".ts", ".m2ts", ".mts", ".m2t", ".avi", ".gif", ".mpg", ".mpeg", ".vob"}
    | {".wmv", ".asf", ".flv", ".3gp", ".ogv", ".mxf", ".y4m", ".264", ".265", ".h264", ".h265", ".hevc"}
)
"""Endings of the videos that are looked for in folders. A file that is named may end in anything."""


def is_image(path: Path) -> bool:
    """Return whether a name ends like an image's."""
    return path.suffix.lower() in IMAGES


def is_video(path: Path) -> bool:
    """Return whether a name ends like a video's."""
    return path.suffix.lower() in VIDEOS


def natural_key(path: Path) -> tuple[tuple[tuple[int, int | str], ...], str]:
    """Return a key that sorts names as people count: 2.png before 10.png. Equal numbers stand in the names' order."""
    parts = re.split(r"(\d+)", path.name)
    return tuple((0, int(part)) if part.isdecimal() else (1, part.casefold()) for part in parts if part), str(path)
