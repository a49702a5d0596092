"""Image sequences: find their files, read them, and write images without loss."""

import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from statistics import mode
from typing import cast

import av
import numpy as np
from av.error import FFmpegError

from vsrcli.errors import InputError, unwritable
from vsrcli.files import write_whole
from vsrcli.frame import narrowed
from vsrcli.media.animation import JPEG_SIGNATURE, PNG_SIGNATURE, animation_of
from vsrcli.media.info import Colour, VideoInfo
from vsrcli.media.photo.picture_tags import PictureTags
from vsrcli.media.photo.tagging import with_tags
from vsrcli.media.pixels.alpha import scaled_alpha
from vsrcli.media.pixels.colour import from_rgb, to_rgb
from vsrcli.names import is_image, natural_key

_RGB = {1: "rgb24", 2: "rgb48le"}
KEEP_ALPHA = (".png", ".webp")
"""Suffixes of images that keep transparency."""
_NUMBERED = re.compile(r"(.*?)(\d+)(\D*)")
_PRINTF = re.compile(r"%(0?)(\d*)d")


def expand_images(path: Path) -> tuple[Path, ...] | None:
    """Return the images, naturally sorted, of a folder, a printf pattern, a glob or an image's path.

    Returns None if `path` is none of these (a video, or nothing at all). Raises InputError if it is one and has no
    image.
    """
    if path.is_file():
        return (path,) if _is_one_image(path) else None
    if path.is_dir():
        found = [file for file in _listed(path) if is_image(file)]
        return _sorted(found, f"no images in the folder {path}")
    if _PRINTF.search(path.name):
        pattern = _printf_regex(path.name)
        found = [file for file in _listed(path.parent) if pattern.fullmatch(file.name)]
        return _sorted(found, f"no image fits the pattern {path}")
    if any(sign in path.name for sign in "*?["):
        found = [file for file in path.parent.glob(path.name) if is_image(file)]
        return _sorted(found, f"no image fits the pattern {path}")
    return None


def holes(images: Sequence[Path]) -> tuple[int, Path] | None:
    """Return how many numbers are missing from a numbered sequence, and the image before the first; None for none.

    The numbers may count by more than one; names that differ in more than a number are no such sequence.
    """
    parts = [_NUMBERED.fullmatch(image.name) for image in images]
    numbers = [int(part[2]) for part in parts if part]
    if len(numbers) != len(images) or len({(part[1], part[3]) for part in parts if part}) != 1:
        return None
    steps = [after - before for before, after in pairwise(numbers)]
    usual = mode(steps) if steps else 0
    wide = [place for place, step in enumerate(steps) if step > usual]
    if usual < 1 or not wide or 2 * len(wide) > len(steps) or any(steps[place] % usual for place in wide):
        return None
    return sum(steps[place] // usual - 1 for place in wide), images[wide[0]]


def _is_one_image(path: Path) -> bool:
    """Return whether a file is one image, by its name or else by its first bytes."""
    if animation_of(path) == "PNG":
        return False
    try:
        with path.open("rb") as file:
            head = file.read(1 << 12)
    except OSError:
        return is_image(path)
    if head[4:12] == b"ftypavif":
        return b"avis" not in head[: int.from_bytes(head[:4], "big")]
    if is_image(path) or head.startswith(PNG_SIGNATURE):
        return True
    return head.startswith(JPEG_SIGNATURE) and not path.suffix.lower().startswith(".mj")  # Motion JPEG


def image_size(path: Path) -> tuple[int, int]:
    """Return (width, height) in pixels from the file's header. Raises InputError."""
    size = png_size(path)
    if size is None:
        picture = load_picture(path)
        size = (picture.width, picture.height)
    return size


def png_size(path: Path) -> tuple[int, int] | None:
    """Return (width, height) in pixels from a PNG's header; None for other files. Raises InputError."""
    try:
        with path.open("rb") as file:
            head = file.read(24)
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    if not (head.startswith(PNG_SIGNATURE) and len(head) == 24):
        return None
    return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")


def load_picture(path: Path) -> av.VideoFrame:
    """Decode one image file, whatever its name. Raises InputError."""
    try:
        with path.open("rb") as file, av.open(file, "r") as container:  # a name instead of the path would be a pattern
            for frame in container.decode(video=0):
                return frame
    except FFmpegError as error:
        raise InputError(f"{path} is not an image, or is damaged") from error
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except IndexError as error:
        raise InputError(f"{path} is not an image") from error
    raise InputError(f"{path} is not an image, or is damaged")


def is_cut_jpeg(path: Path) -> bool:
    """Return whether a file is a JPEG whose end is missing: its decoder fills up what is not there. Raises InputError.

    A picture's data follow its last marker SOS; the mark of an end before that is a thumbnail's.
    """
    try:
        with path.open("rb") as file:
            if file.read(len(JPEG_SIGNATURE)) != JPEG_SIGNATURE:
                return False
            data = file.read()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    return data.rfind(b"\xff\xd9") < data.rfind(b"\xff\xda")


def read_image(path: Path, info: VideoInfo) -> np.ndarray:
    """Return the picture of one image of the sequence `info` as (h, w, 3) RGB. Raises InputError, as `read_picture`."""
    return to_rgb(*read_picture(path, info))


def read_picture(path: Path, info: VideoInfo) -> tuple[av.VideoFrame, Colour]:
    """Return one image of the sequence `info` and its colour tags. Raises InputError, also for another size."""
    picture = load_picture(path)
    if (picture.width, picture.height) != (info.width, info.height):
        raise InputError(f"{path} is {picture.width}x{picture.height}, but the sequence is {info.width}x{info.height}")
    colour = info.colour
    if picture.format.name != info.pix_fmt:  # e.g. a gray page among coloured ones: its own range, the shared matrix
        colour = replace(colour, range=int(picture.color_range))
    return picture, colour


def write_image(
    path: Path,
    rgb: np.ndarray,
    *,
    alpha: np.ndarray | None = None,
    size: tuple[int, int] | None = None,
    tags: PictureTags | None = None,
) -> None:
    """Write (h, w, 3) RGB in the format of the name's suffix, scaled to `size` (w, h) with Lanczos if it differs.

    `alpha` (h, w) is kept in PNG and WebP, and `tags` as far as the format supports them. JPEG is written at its best
    quality, without chroma subsampling; WebP without loss. Both hold 8 bits. Raises OutputError.
    """
    if size is not None and size != rgb.shape[1::-1]:
        rgb = from_rgb(rgb, pix_fmt=_RGB[rgb.dtype.itemsize], colour=Colour(), size=size).to_ndarray()
    suffix = path.suffix.lower()
    if alpha is not None and suffix in KEEP_ALPHA:
        alpha = scaled_alpha(alpha, (rgb.shape[1], rgb.shape[0]))
    if suffix == ".png":
        write_png(path, rgb, alpha=alpha, tags=tags)
        return
    narrow = narrowed(rgb)
    if suffix == ".webp":
        opacity = np.full(rgb.shape[:2], 255, np.uint8) if alpha is None else narrowed(alpha)
        pixels = np.concatenate([narrow[..., ::-1], opacity[..., None]], 2)
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="bgra")
        _write(path, _coded(frame, "libwebp", lossless="1"), tags)
        return
    frame = from_rgb(narrow, pix_fmt="yuvj444p", colour=Colour(matrix=5, range=2))
    _write(path, _coded(frame, "mjpeg", qmin="1", qmax="1", color_range="pc"), tags)


def write_png(path: Path, rgb: np.ndarray, *, alpha: np.ndarray | None = None, tags: PictureTags | None = None) -> None:
    """Write (h, w, 3) RGB, uint8 or uint16 (0..65535), without loss; the file appears complete or not at all.

    `alpha` (h, w) has the type of `rgb`. Raises OutputError.
    """
    pix_fmt = "rgb24" if rgb.dtype == np.uint8 else "rgb48be"
    if alpha is not None:
        rgb = np.concatenate([rgb, alpha[..., None]], 2)
        pix_fmt = "rgba" if rgb.dtype == np.uint8 else "rgba64be"
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format=pix_fmt)
    _write(path, _coded(frame, "png"), tags)


def _coded(frame: av.VideoFrame, encoder: str, **options: str) -> bytes:
    """Return a frame encoded as one image."""
    context = cast(av.VideoCodecContext, av.CodecContext.create(encoder, "w"))
    context.width, context.height, context.pix_fmt = frame.width, frame.height, frame.format.name
    context.time_base, context.options = Fraction(1, 25), options
    return b"".join(map(bytes, [*context.encode(frame), *context.encode(None)]))


def _write(path: Path, data: bytes, tags: PictureTags | None) -> None:
    try:
        write_whole(path, data if tags is None else with_tags(data, tags, path.suffix))
    except OSError as error:
        raise unwritable(path, error) from error


def _listed(folder: Path) -> list[Path]:
    try:
        return [file for file in folder.iterdir() if file.is_file() and not file.name.startswith(".")]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise InputError(f"cannot read the folder {folder}: {error.strerror}") from error


def _sorted(found: list[Path], complaint: str) -> tuple[Path, ...]:
    if not found:
        raise InputError(complaint)
    return tuple(sorted(found, key=natural_key))


def _printf_regex(name: str) -> re.Pattern[str]:
    """Return a regular expression for a printf pattern: %d any number, %04d at least four digits, %% a percent sign."""
    digits: list[str] = []

    def number(match: re.Match[str]) -> str:
        digits.append(rf"\d{{{match[2]},}}" if match[2] else r"\d+")
        return "\0"

    literal = re.escape(_PRINTF.sub(number, name).replace("%%", "%"))
    for group in digits:
        literal = literal.replace(re.escape("\0"), group, 1)
    return re.compile(literal)
