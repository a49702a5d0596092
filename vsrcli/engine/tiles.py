"""Tiles: division of a frame into overlapping crops, and blending of their results. Pure geometry."""

import itertools
from dataclasses import dataclass

import torch
from torch import Tensor

FEATHER = 8
"""LR pixels on either side of a border over which neighbouring tiles are blended."""


@dataclass(frozen=True)
class Span:
    """One tile along one axis: its own pixels, and the crop (with halo) that is computed."""

    start: int
    stop: int
    crop_start: int
    crop_stop: int


@dataclass(frozen=True)
class Tile:
    """A crop of the frame; rows and columns in LR pixels."""

    rows: Span
    columns: Span

    def crop(self, x: Tensor, scale: int = 1) -> Tensor:
        """Return the tile's crop of (..., scale*h, scale*w)."""
        y, c = self.rows, self.columns
        return x[..., y.crop_start * scale : y.crop_stop * scale, c.crop_start * scale : c.crop_stop * scale]

    def core(self, x: Tensor, scale: int = 1) -> Tensor:
        """Return the tile's own part, without the halo, of a tensor on its crop."""
        y, c = self.rows, self.columns
        top, left = (y.start - y.crop_start) * scale, (c.start - c.crop_start) * scale
        height, width = (y.stop - y.start) * scale, (c.stop - c.start) * scale
        return x[..., top : top + height, left : left + width]

    def paste(self, target: Tensor, x: Tensor, scale: int = 1) -> None:
        """Write the core of `x` (on the tile's crop) to its place in `target` (..., scale*h, scale*w)."""
        y, c = self.rows, self.columns
        target[..., y.start * scale : y.stop * scale, c.start * scale : c.stop * scale] = self.core(x, scale)

    def weights(self, scale: int) -> Tensor:
        """Return blending weights (scale*crop_h, scale*crop_w): 1 inside, ramps across borders; all tiles' sum is 1."""
        return _ramp(self.rows, scale)[:, None] * _ramp(self.columns, scale)


def _ramp(span: Span, scale: int) -> Tensor:
    position = torch.arange(span.crop_start * scale, span.crop_stop * scale) + 0.5
    width = 2.0 * FEATHER * scale
    ramp = torch.ones_like(position)
    if span.crop_start < span.start:
        ramp = ramp.minimum((position - span.start * scale) / width + 0.5)
    if span.crop_stop > span.stop:
        ramp = ramp.minimum((span.stop * scale - position) / width + 0.5)
    return ramp.clamp(0.0, 1.0)


def spans(length: int, size: int, *, halo: int, multiple: int = 1, min_size: int = 1) -> list[Span]:
    """Divide `length` pixels into equal parts of at most about `size`, each computed with `halo` more on both sides.

    All borders are multiples of `multiple`. A crop has at least `min_size` pixels if the frame has.
    """

    def up(value: int) -> int:
        return -(-value // multiple) * multiple

    count = max(1, -(-length // max(size, 1)))
    edges = sorted({min(up(i * length // count), length) for i in range(count + 1)})
    halo = up(max(halo, FEATHER))
    result = []
    for start, stop in itertools.pairwise(edges):
        crop_start, crop_stop = max(0, start - halo), min(length, stop + halo)
        crop_start = max(0, min(crop_start, crop_stop - up(min_size)))
        crop_stop = min(length, max(crop_stop, crop_start + up(min_size)))
        result.append(Span(start, stop, crop_start, crop_stop))
    return result


def tile_grid(
    height: int, width: int, tile: tuple[int, int] | None, *, halo: int, multiple: int = 1, min_size: int = 1
) -> list[Tile]:
    """Return the tiles of a frame, row by row; `tile` is (width, height) in LR pixels, None for the whole frame."""
    tile_w, tile_h = tile or (width, height)
    rows = spans(height, tile_h, halo=halo, multiple=multiple, min_size=min_size)
    columns = spans(width, tile_w, halo=halo, multiple=multiple, min_size=min_size)
    return [Tile(r, c) for r in rows for c in columns]
