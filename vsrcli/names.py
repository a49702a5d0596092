"""File names: suffixes of videos and images, and natural order."""

import re
from pathlib import Path

WRITABLE_IMAGES = (".png", ".jpg", ".jpeg", ".webp")
"""Suffixes of images that can be written."""

IMAGES = frozenset(WRITABLE_IMAGES) | {
    *(".bmp", ".tif", ".tiff", ".pgm", ".ppm", ".pnm", ".pam", ".dpx", ".qoi", ".sgi", ".jp2", ".j2k", ".pcx")
}
"""Suffixes of images that are found in folders."""

VIDEOS = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".ts", ".m2ts", ".mts", ".m2t", ".avi", ".gif", ".mpg", ".mpeg", ".vob"}
    | {".mpe", ".m1v", ".m2v", ".mpv", ".evo", ".vro", ".mod", ".tod", ".tp", ".trp", ".qt", ".mj2", ".mk3d", ".f4v"}
    | {".wmv", ".asf", ".wtv", ".dvr-ms", ".flv", ".3gp", ".3g2", ".ogv", ".ogm", ".ogx", ".mxf", ".gxf", ".dv", ".dif"}
    | {".divx", ".rm", ".rmvb", ".amv", ".nsv", ".nut", ".ivf", ".y4m", ".apng", ".drc", ".vc1", ".obu"}
    | {".264", ".h264", ".avc", ".265", ".h265", ".hevc", ".h263"}
)
"""Suffixes of videos that are found in folders. A file that is named explicitly may have any suffix."""


_SCHEMES = "https?|ftps?|sftp|rtsps?|rtmp[a-z]{0,2}|mmsh?|udp|tcp|srt|hls|s3|smb|magnet"
_ADDRESS = re.compile(rf"(?:(?:{_SCHEMES}):/|www\.[^/]+/)", re.IGNORECASE)


_APPLE_DOUBLE = "._"
"""How the names of files begin in which macOS keeps another file's attributes, on disks that have no room for them."""


def is_image(path: Path) -> bool:
    """Return whether a name is an image's by its suffix."""
    return path.suffix.lower() in IMAGES and not path.name.startswith(_APPLE_DOUBLE)


def is_video(path: Path) -> bool:
    """Return whether a name is a video's by its suffix."""
    return path.suffix.lower() in VIDEOS and not path.name.startswith(_APPLE_DOUBLE)


def is_address(path: Path) -> bool:
    """Return whether a name is an address of the web or another network ("https:/..." as paths have it), not a file."""
    return bool(_ADDRESS.match(path.as_posix())) and not path.exists()


def with_ending(path: Path, suffix: str) -> Path:
    """Return the name with another suffix; only a suffix of videos or images is replaced (not that of "film.2024")."""
    known = path.suffix.lower() in VIDEOS | IMAGES | {".avif"}
    return path.with_suffix(suffix) if known else path.with_name(path.name + suffix)


def natural_key(path: Path) -> tuple[tuple[tuple[int, int | str], ...], str]:
    """Return a sort key by which 2.png precedes 10.png. Names with equal numbers are sorted as text."""
    return _natural(path.name), str(path)


def tree_key(path: Path) -> tuple[object, ...]:
    """Return a sort key for the files of a tree: by folder, a folder's own files first, then as `natural_key`."""
    return tuple(map(_natural, path.parent.parts)), natural_key(path)


def _natural(name: str) -> tuple[tuple[int, int | str], ...]:
    parts = re.split(r"(\d+)", name)
    return tuple((0, int(part)) if part.isdecimal() else (1, part.casefold()) for part in parts if part)
