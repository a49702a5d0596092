"""Antialiased strokes, boxes and text on uint8 RGB arrays (h, w, 3), by distance to the shape's outline."""

import math
from functools import lru_cache

import numpy as np

from vsrcli.compare.font import ASCENT, CAP_HEIGHT, DESCENT, STROKE, text_segments, text_width

Colour = tuple[int, int, int]


def stroke_coverage(segments: np.ndarray, width: float, height: int, columns: int) -> np.ndarray:
    """Return how much of each pixel round-ended strokes cover: lines (n, 4) in pixels to (height, columns) in 0..1."""
    out = np.zeros((height, columns), dtype=np.float32)
    reach = width / 2 + 0.5
    for x0, y0, x1, y1 in segments:
        top, bottom = max(math.floor(min(y0, y1) - reach), 0), min(math.ceil(max(y0, y1) + reach), height)
        left, right = max(math.floor(min(x0, x1) - reach), 0), min(math.ceil(max(x0, x1) + reach), columns)
        if top >= bottom or left >= right:
            continue
        xs = np.arange(left, right) + 0.5 - x0
        ys = (np.arange(top, bottom) + 0.5 - y0)[:, None]
        dx, dy = x1 - x0, y1 - y0
        along = np.clip((xs * dx + ys * dy) / max(dx * dx + dy * dy, 1e-12), 0, 1)
        distance = np.hypot(xs - along * dx, ys - along * dy)
        box = out[top:bottom, left:right]
        # a stroke thinner than a pixel gets fainter instead of thinner
        np.maximum(box, np.clip(reach - distance, 0, min(width, 1.0)), out=box)
    return out


def rounded_box_coverage(height: int, width: int, radius: float) -> np.ndarray:
    """Return the coverage (height, width) of a box with rounded corners that fills the array."""
    ys = np.abs(np.arange(height) + 0.5 - height / 2)[:, None] - (height / 2 - radius)
    xs = np.abs(np.arange(width) + 0.5 - width / 2) - (width / 2 - radius)
    outside = np.hypot(np.maximum(xs, 0), np.maximum(ys, 0)) + np.minimum(np.maximum(xs, ys), 0)
    coverage: np.ndarray = np.clip(radius - outside + 0.5, 0, 1).astype(np.float32)
    return coverage


def blend(image: np.ndarray, x: int, y: int, coverage: np.ndarray, colour: Colour, opacity: float = 1.0) -> None:
    """Paint `colour` through `coverage` (h, w) with its corner at (x, y), in place; parts outside are clipped."""
    top, left = max(y, 0), max(x, 0)
    bottom, right = min(y + coverage.shape[0], image.shape[0]), min(x + coverage.shape[1], image.shape[1])
    if top >= bottom or left >= right:
        return
    alpha = coverage[top - y : bottom - y, left - x : right - x, None] * opacity
    part = image[top:bottom, left:right]
    part[:] = (part + (np.array(colour, dtype=np.float32) - part) * alpha + 0.5).astype(np.uint8)


def draw_text(image: np.ndarray, text: str, x: float, baseline: float, size: float, colour: Colour) -> None:
    """Write `text` with capitals `size` pixels high, its left edge at `x`."""
    left, top = math.floor(x) - 1, math.floor(baseline - size * ASCENT / CAP_HEIGHT - size * STROKE / CAP_HEIGHT) - 1
    blend(image, left, top, _text_coverage(text, size, x - left, baseline - top), colour)


def draw_lines(image: np.ndarray, segments: np.ndarray, width: float, colour: Colour) -> None:
    """Draw lines (n, 4) in pixels; overlaps are painted once."""
    if not len(segments):
        return
    corners = segments.reshape(-1, 2)
    left, top = (math.floor(c - width / 2) - 1 for c in corners.min(0))
    right, bottom = (math.ceil(c + width / 2) + 1 for c in corners.max(0))
    coverage = stroke_coverage(segments - np.array([left, top, left, top]), width, bottom - top, right - left)
    blend(image, left, top, coverage, colour)


def fill(image: np.ndarray, x: int, y: int, width: int, height: int, colour: Colour) -> None:
    """Fill a box of whole pixels, clipped at the image's borders."""
    image[max(y, 0) : max(y + height, 0), max(x, 0) : max(x + width, 0)] = colour


@lru_cache(maxsize=256)  # every frame of a video has the same labels
def _text_coverage(text: str, size: float, x: float, baseline: float) -> np.ndarray:
    height = math.ceil(baseline + size * (DESCENT + STROKE) / CAP_HEIGHT) + 1
    width = math.ceil(x + text_width(text, size)) + 2
    return stroke_coverage(text_segments(text, size, x, baseline), size * STROKE / CAP_HEIGHT, height, width)
