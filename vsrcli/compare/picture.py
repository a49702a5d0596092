"""Pictures that compare videos: frames side by side, stacked or as a split wipe, with labels and a zoomed crop."""

from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from torch.nn.functional import interpolate

from vsrcli.compare.canvas import Colour, blend, draw_text, fill, rounded_box_coverage
from vsrcli.compare.font import text_width
from vsrcli.compare.shapes import alike
from vsrcli.errors import UsageError
from vsrcli.quality.degrade import imresize

Mode = Literal["side", "wipe", "stack"]
Zoom = tuple[int, int, int, int]

BACKGROUND: Colour = (17, 18, 22)
CHIP: Colour = (12, 13, 17)
WHITE: Colour = (255, 255, 255)
ACCENT: Colour = (255, 184, 28)
SWAY = 0.5
"""Amplitude of a moving wipe's borders, in widths of a strip."""


def side_by_side(
    frames: list[np.ndarray],
    labels: list[str],
    *,
    mode: Mode = "side",
    zoom: Zoom | None = None,
    sway: float | None = None,
) -> np.ndarray:
    """Compose one picture from one frame of each video: uint8 RGB (h, w, 3) each to (h', w', 3) of even size.

    Pixels count as square. Frames smaller than the largest, such as the input of an upscaler, are enlarged to it by
    bicubic interpolation. Raises UsageError if shapes or the crop do not fit.

    Args:
        frames: one frame of each video.
        labels: one label for each frame; an empty one draws none.
        mode: "side" puts the frames in a row, "stack" in a column; "wipe" divides one frame into upright strips.
        zoom: a crop (x, y, width, height) in pixels of the largest frame. It is marked by a coloured frame and shown
            enlarged under each frame (beside it in "stack").
        sway: moves a wipe's borders to the left or right, from -1 to 1. Labels then have a size that fits at all
            positions.
    """
    if not frames or len(frames) != len(labels):
        raise UsageError(f"a comparison needs one label for each frame: got {len(frames)} frames, {len(labels)} labels")
    frames = same_size(frames)
    height, width = frames[0].shape[:2]
    if zoom is not None:
        _check_zoom(zoom, width, height)
    if mode == "wipe":
        return _wipe(frames, labels, zoom, sway)
    gap = _line(height)
    tiles = []
    for frame, label in zip(frames, labels, strict=True):
        tile = frame.copy()
        if zoom is not None:
            _mark(tile, zoom)
        _label(tile, label, 0, width, "left")
        if zoom is not None:
            _, _, w, h = zoom
            size = (height, round(height * w / h)) if mode == "stack" else (round(width * h / w), width)
            tile = _join([tile, _enlarged(frame, zoom, *size)], gap, axis=1 if mode == "stack" else 0)
        tiles.append(tile)
    return _even(_join(tiles, gap, axis=0 if mode == "stack" else 1))


def _wipe(frames: list[np.ndarray], labels: list[str], zoom: Zoom | None, sway: float | None) -> np.ndarray:
    """Compose strips of equal width into one picture; the zoomed crops of all frames are in a row below it."""
    height, width = frames[0].shape[:2]
    gap, count = _line(height), len(frames)
    moved = SWAY * (sway or 0.0)
    borders = [0, *(round(width * (i + moved) / count) for i in range(1, count)), width]
    picture = np.concatenate([f[:, a:b] for f, a, b in zip(frames, borders, borders[1:], strict=False)], 1)
    if zoom is not None:
        _mark(picture, zoom)
    for x in borders[1:-1]:
        shade = np.full((height, 3 * gap), 1.0, dtype=np.float32)
        blend(picture, x - shade.shape[1] // 2, 0, shade, (0, 0, 0), 0.35)
        fill(picture, x - gap // 2, 0, gap, height, WHITE)
    for i, label in enumerate(labels):
        place: Literal["left", "middle", "right"] = "left" if i == 0 else "right" if i == count - 1 else "middle"
        left, right = borders[i], borders[i + 1]
        if sway is not None and place != "middle":
            narrowest = round(width * (1 - SWAY) / count)
            left, right = (0, narrowest) if place == "left" else (width - narrowest, width)
        _label(picture, label, left, right, place)
    if zoom is None:
        return _even(picture)
    panel = (width - gap * (count - 1)) // count
    crops = [_enlarged(f, zoom, round(panel * zoom[3] / zoom[2]), panel) for f in frames]
    for crop, label in zip(crops, labels, strict=True):
        _label(crop, label, 0, panel, "left", lines=height * 0.7)
    row = _join(crops, gap, axis=1)
    rest = np.full((row.shape[0], max(width - row.shape[1], 0), 3), BACKGROUND, dtype=np.uint8)
    return _even(_join([picture, np.concatenate((row, rest), 1)], gap, axis=0))


def same_size(frames: list[np.ndarray]) -> list[np.ndarray]:
    """Return the frames (h, w, 3), each enlarged to the largest one's size. Raises UsageError for other shapes."""
    height, width = max((f.shape[:2] for f in frames), key=lambda size: size[0] * size[1])
    for h, w in (f.shape[:2] for f in frames):
        if not alike((w, h), (width, height)):
            what = f"frames of {w}x{h} and {width}x{height} differ in shape"
            raise UsageError(f"{what}: they cannot be laid over each other")
    return [fitted(f, width, height) for f in frames]


def fitted(frame: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return a frame (h, w, 3) resized to (height, width, 3) by bicubic interpolation; one of that size stays itself.

    Columns that rounding adds are cut. A frame of another shape, whose pixels are not square, is stretched.
    """
    h, w = frame.shape[:2]
    if (w, h) == (width, height):
        return frame
    planes = torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1)
    if alike((w, h), (width, height)):
        resized = imresize(planes, max(height / h, width / w))[:, :height, :width]
    else:
        resized = interpolate(planes[None], (height, width), mode="bicubic", antialias=True)[0]
    return resized.permute(1, 2, 0).numpy()


def _check_zoom(zoom: Zoom, width: int, height: int) -> None:
    x, y, w, h = zoom
    if x < 0 or y < 0 or w < 4 or h < 4 or x + w > width or y + h > height:
        raise UsageError(f"the zoomed crop {w}x{h} at ({x}, {y}) does not lie inside the frame of {width}x{height}")


def _enlarged(frame: np.ndarray, zoom: Zoom, height: int, width: int) -> np.ndarray:
    """Return the crop at (height, width) with a frame in the accent colour."""
    x, y, w, h = zoom
    crop = fitted(frame[y : y + h, x : x + w], width, height).copy()
    _outline(crop, (0, 0, crop.shape[1], crop.shape[0]), _line(frame.shape[0]), ACCENT)
    return crop


def _mark(image: np.ndarray, zoom: Zoom) -> None:
    """Draw a coloured frame around the crop, with a thin dark line outside it that is visible on bright areas."""
    x, y, w, h = zoom
    line = _line(image.shape[0])
    _outline(image, (x - line - 1, y - line - 1, w + 2 * line + 2, h + 2 * line + 2), 1, (0, 0, 0))
    _outline(image, (x - line, y - line, w + 2 * line, h + 2 * line), line, ACCENT)


def _outline(image: np.ndarray, box: Zoom, line: int, colour: Colour) -> None:
    x, y, w, h = box
    fill(image, x, y, w, line, colour)
    fill(image, x, y + h - line, w, line, colour)
    fill(image, x, y, line, h, colour)
    fill(image, x + w - line, y, line, h, colour)


def _label(
    image: np.ndarray,
    label: str,
    left: int,
    right: int,
    place: Literal["left", "middle", "right"],
    *,
    lines: float | None = None,
) -> None:
    """Draw a translucent chip with white text near the top, between columns `left` and `right`; it is shrunk to fit.

    The text's size follows from `lines`, the height of the main picture (the image's own by default).
    """
    if not label:
        return
    size = min(max((lines or image.shape[0]) * 0.024, 7.0), 40.0)
    room = (right - left) * 0.94 - size * 3.2
    size = max(size * min(1.0, room / text_width(label, size)), 5.0)
    chip, border = _chip(round(text_width(label, size) + 1.9 * size), round(2.3 * size))
    margin = round(size * 0.9)
    x = {
        "left": left + margin,
        "middle": (left + right - chip.shape[1]) // 2,
        "right": right - margin - chip.shape[1],
    }[place]
    blend(image, x, margin, chip, CHIP, 0.66)
    blend(image, x, margin, border, WHITE, 0.22)
    draw_text(image, label, x + 0.95 * size, margin + chip.shape[0] / 2 + size / 2, size, WHITE)


@lru_cache(maxsize=64)
def _chip(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the coverage of a chip and of the thin line around it."""
    radius = 0.32 * height
    chip = rounded_box_coverage(height, width, radius)
    border = chip.copy()
    border[1:-1, 1:-1] -= rounded_box_coverage(height - 2, width - 2, radius - 1)
    return chip, np.clip(border, 0, 1)


def _line(height: int) -> int:
    """Return the thickness of separators and frames in pixels, for a picture of this height."""
    return max(2, round(height / 200))


def _join(tiles: list[np.ndarray], gap: int, *, axis: int) -> np.ndarray:
    shape = list(tiles[0].shape)
    shape[axis] = gap
    parts = [tiles[0]]
    for tile in tiles[1:]:
        parts += [np.full(shape, BACKGROUND, dtype=np.uint8), tile]
    return np.concatenate(parts, axis)


def _even(image: np.ndarray) -> np.ndarray:
    """Pad to an even size, as 4:2:0 video needs."""
    h, w = image.shape[:2]
    if h % 2 == 0 and w % 2 == 0:
        return image
    out = np.full((h + h % 2, w + w % 2, 3), BACKGROUND, dtype=np.uint8)
    out[:h, :w] = image
    return out
