"""Draw the demo's street scene as flat layers, which make_demo.py animates.

All coordinates are world units; one unit is one pixel of the 640x480 ground truth. The world is larger than the view,
so that the camera can move. Text uses Pillow's built-in scalable font, so no font file is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

WORLD = (800, 600)
WHEEL_RADIUS = 21.0
VAN_AXLES = ((52.0, 130.0), (196.0, 130.0))  # wheel centres in the van layer
LAMP = (247.0, 96.0)  # the van's headlight, in the van layer

Colour = tuple[int, int, int]
Box = tuple[float, float, float, float]
GOLD, CREAM, GREEN, DARK = (228, 184, 92), (240, 228, 202), (24, 66, 54), (26, 24, 28)


class Canvas:
    """A transparent layer of `size` world units, drawn at twice `density` samples a unit and downscaled at the end."""

    def __init__(self, density: float, size: tuple[float, float] = WORLD) -> None:
        self.scale = 2 * density
        self.size = size
        self.image = Image.new("RGBA", (round(size[0] * self.scale), round(size[1] * self.scale)))
        self.draw = ImageDraw.Draw(self.image)

    def _at(self, points: Sequence[float]) -> list[float]:
        return [p * self.scale for p in points]

    def rect(self, box: Box, fill: Colour, *, radius: float = 0) -> None:
        x0, y0, x1, y1 = self._at(box)
        self.draw.rounded_rectangle((x0, y0, max(x0, x1 - 1), max(y0, y1 - 1)), radius * self.scale, fill)

    def ellipse(self, box: Box, fill: Colour) -> None:
        self.draw.ellipse(self._at(box), fill)

    def polygon(self, points: Sequence[float], fill: Colour) -> None:
        self.draw.polygon(self._at(points), fill)

    def line(self, points: Sequence[float], fill: Colour, width: float) -> None:
        self.draw.line(self._at(points), fill, max(1, round(width * self.scale)), joint="curve")

    def ring(self, x: float, y: float, radius: float, fill: Colour, width: float) -> None:
        box = self._at((x - radius, y - radius, x + radius, y + radius))
        self.draw.ellipse(box, None, fill, max(1, round(width * self.scale)))

    def text(
        self, x: float, y: float, words: str, size: float, fill: Colour, *, bold: float = 0, gap: float = 0
    ) -> None:
        """Draw words centred on (x, y), with `gap` units between the letters; `bold` thickens the strokes."""
        font = ImageFont.load_default(size * self.scale)
        step = [font.getlength(c) + gap * self.scale for c in words]
        left = x * self.scale - (sum(step) - gap * self.scale) / 2
        for letter, advance in zip(words, step, strict=True):
            width = bold * self.scale
            self.draw.text((left, y * self.scale), letter, fill, font, "lm", stroke_width=width, stroke_fill=fill)
            left += advance

    def glaze(self, shape: Callable[[Canvas], None], fill: Colour, opacity: float, blur: float = 0) -> None:
        """Blend `fill` over the layer, in the shape that `shape` draws on an empty canvas, blurred."""
        form = Canvas(self.scale / 2, self.size)
        shape(form)
        mask = form.image.getchannel("A")
        if blur:
            mask = mask.filter(ImageFilter.GaussianBlur(blur * self.scale))
        self.image.paste(fill, mask=mask.point(lambda v: round(v * opacity)))

    def shadow(self, box: Box, *, dx: float = 5, dy: float = 6, blur: float = 4, opacity: float = 0.55) -> None:
        x0, y0, x1, y1 = box
        moved = (x0 + dx, y0 + dy, x1 + dx, y1 + dy)
        self.glaze(lambda c: c.rect(moved, DARK), (22, 12, 24), opacity, blur)

    def texture(self, box: Box, colours: np.ndarray) -> None:
        """Fill a box with an array (h, w, 3) in 0..255, enlarged to fit."""
        x0, y0, x1, y1 = (round(v) for v in self._at(box))
        picture = Image.fromarray(np.clip(colours, 0, 255).astype(np.uint8))
        self.image.paste(picture.resize((x1 - x0, y1 - y0), Image.Resampling.BILINEAR), (x0, y0))

    def grain(self, seed: int, cells: Sequence[float], strength: float) -> None:
        """Vary the brightness of all that is drawn: noise in cells of several sizes (world units), +-`strength`."""
        field = sum(noise(self.size, cell, seed + i) for i, cell in enumerate(cells)) / len(cells)
        grey = Image.fromarray(np.uint8(128 + 127 * strength * np.clip(field, -1, 1))).resize(self.image.size, 3)
        lit = ImageChops.overlay(self.image.convert("RGB"), grey.convert("RGB"))
        lit.putalpha(self.image.getchannel("A"))
        self.image.paste(lit)

    def finish(self) -> Image.Image:
        """Return the layer at `density`, with colours multiplied by alpha."""
        r, g, b, a = self.image.split()
        colour = [ImageChops.multiply(c, a) for c in (r, g, b)]
        return Image.merge("RGBA", (*colour, a)).reduce(2)


def noise(size: tuple[float, float], cell: float, seed: int) -> np.ndarray:
    """Return smooth noise, about -1..1, over `size` world units with features of `cell` units: (h, w) float32."""
    shape = (int(size[1] / cell) + 2, int(size[0] / cell) + 2)
    grid = Image.fromarray(np.random.default_rng(seed).uniform(-1.4, 1.4, shape).astype(np.float32))
    return np.asarray(grid.resize((round(size[0]), round(size[1])), Image.Resampling.BICUBIC))


def facade(density: float) -> Image.Image:
    """Draw the street front: bricks, two windows above, the bakery, a poster, the pavement and the road."""
    c = Canvas(density)
    _bricks(c)
    for x in (172, 392, 612):
        _upper_window(c, x)
    _pavement(c)
    _pipe_and_plates(c)
    _poster(c)
    _shop(c)
    _blackboard(c)
    _bicycle(c)
    c.grain(5, (5, 13, 60, 240), 0.22)
    c.glaze(lambda k: k.polygon((0, 0, 800, 0, 800, 330, 0, 40), DARK), (255, 206, 140), 0.13, 40)
    return c.finish()


def _bricks(c: Canvas) -> None:
    rng = np.random.default_rng(7)
    c.rect((0, 0, 800, 460), (186, 172, 154))
    for row in range(42):
        for column in range(-1, 30):
            x, y = column * 28 + (14 if row % 2 else 0), row * 11
            shade = rng.normal(0, 11) - (26 if rng.random() < 0.10 else 0)
            warm = rng.normal(0, 6)
            brick = (int(164 + shade + warm), int(92 + 0.8 * shade), int(70 + 0.7 * shade - warm))
            c.rect((x + 0.9, y + 0.9, x + 27.1, y + 10.1), brick, radius=0.8)
            c.rect((x + 1.2, y + 0.9, x + 26.8, y + 2.0), tuple(min(255, v + 18) for v in brick))  # type: ignore[arg-type]


def _upper_window(c: Canvas, x: float) -> None:
    c.shadow((x - 46, 20, x + 46, 168))
    c.rect((x - 50, 0, x + 50, 160), CREAM)
    c.rect((x - 44, 0, x + 44, 156), (58, 74, 92))
    c.texture((x - 44, 0, x + 44, 156), np.linspace((150, 186, 214), (52, 66, 84), 24)[:, None].repeat(2, 1))
    for side in (-1, 1):  # lace curtains, and beside them shutters
        c.polygon((x, 0, x + side * 44, 0, x + side * 44, 156, x + side * 30, 156, x + side * 22, 70), (214, 214, 206))
        c.line((x + side * 36, 0, x + side * 38, 156), (186, 188, 184), 1.2)
        c.shadow((min(x + side * 52, x + side * 84), 0, max(x + side * 52, x + side * 84), 158), opacity=0.4)
        c.rect((min(x + side * 52, x + side * 84), 0, max(x + side * 52, x + side * 84), 158), (62, 112, 118))
        for y in range(4, 154, 6):
            c.rect((x + side * 68 - 12, y, x + side * 68 + 12, y + 2), (38, 78, 84))
            c.rect((x + side * 68 - 12, y + 2, x + side * 68 + 12, y + 3.2), (108, 156, 158))
    c.rect((x - 2, 0, x + 2, 156), CREAM)
    c.rect((x - 44, 60, x + 44, 63.5), CREAM)
    c.shadow((x - 50, 158, x + 50, 174))
    c.rect((x - 54, 156, x + 54, 176), (112, 66, 44))
    c.rect((x - 54, 156, x + 54, 158.5), (150, 96, 66))
    rng = np.random.default_rng(int(x))
    for _ in range(230):  # geraniums
        u, v = x + rng.uniform(-56, 56), 152 + rng.normal(0, 6)
        r = rng.uniform(1.2, 2.8)
        leaf = (int(rng.uniform(40, 90)), int(rng.uniform(96, 150)), 50)
        petal = (int(rng.uniform(200, 250)), int(rng.uniform(30, 90)), int(rng.uniform(60, 110)))
        c.ellipse((u - r, v - r, u + r, v + r), petal if rng.random() < 0.42 else leaf)


def _pavement(c: Canvas) -> None:
    rng = np.random.default_rng(11)
    c.rect((0, 450, 800, 500), (132, 126, 120))
    for row, y in enumerate((450.0, 464.0, 480.0)):
        for x in range(-40, 820, 52):
            g = int(176 + rng.normal(0, 8))
            c.rect((x + row * 19 + 0.8, y + 0.8, x + row * 19 + 51, y + (13, 15, 15)[row]), (g, g - 6, g - 16))
    c.rect((0, 495, 800, 503), (198, 192, 182))
    c.rect((0, 503, 800, 508), (92, 88, 90))
    c.rect((0, 508, 800, 600), (74, 72, 78))
    for row in range(12):  # cobbles
        for x in range(-10, 810, 15):
            g, y = int(112 + rng.normal(0, 13)), 508 + row * 8.5
            left = x + (row % 2) * 7.5 + rng.uniform(-1, 1)
            c.rect((left, y + 0.8, left + 13.4, y + 7.7), (g, g - 1, g + 4), radius=2.4)
            c.rect((left + 2, y + 1.2, left + 11, y + 2.8), (g + 24, g + 22, g + 20), radius=0.8)
    c.glaze(lambda k: k.rect((0, 440, 800, 458), DARK), (20, 14, 18), 0.5, 4)


def _pipe_and_plates(c: Canvas) -> None:
    c.shadow((530, 0, 540, 455), dx=6)
    c.texture((529, 0, 541, 452), np.array([[[70, 76, 74], [150, 158, 150], [96, 104, 100], [44, 48, 50]]]))
    for y in (40, 190, 340):
        c.rect((526, y, 544, y + 6), (60, 66, 64))
    c.shadow((566, 190, 688, 216), dx=3, dy=3, blur=2)
    c.rect((564, 188, 688, 216), (238, 240, 240), radius=3)
    c.rect((566, 190, 686, 214), (26, 58, 132), radius=2)
    c.text(626, 202, "MILL STREET", 17, (246, 246, 246), bold=0.3, gap=0.6)


def _poster(c: Canvas) -> None:
    x, y = 572, 232
    c.shadow((x, y, x + 108, y + 152), dx=3, dy=3, blur=2)
    c.rect((x, y, x + 108, y + 152), (244, 236, 214))
    sky = np.linspace((20, 62, 108), (250, 176, 96), 20)[:, None].repeat(2, 1)
    c.texture((x + 6, y + 6, x + 102, y + 76), sky)
    c.ellipse((x + 58, y + 34, x + 88, y + 64), (255, 232, 168))
    c.rect((x + 6, y + 58, x + 102, y + 80), (18, 74, 98))
    for i in range(9):
        c.line((x + 58 - 3 * (i % 3), y + 60 + 2.2 * i, x + 88 + 2 * (i % 4), y + 60 + 2.2 * i), (250, 196, 120), 0.8)
    c.polygon((x + 6, y + 62, x + 40, y + 66, x + 44, y + 80, x + 6, y + 80), (30, 34, 40))
    c.polygon((x + 20, y + 64, x + 23, y + 26, x + 31, y + 26, x + 34, y + 64), (240, 236, 226))  # lighthouse
    for i in range(3):
        c.rect((x + 22 - i, y + 32 + 11 * i, x + 32 + i, y + 37 + 11 * i), (196, 46, 40))
    c.rect((x + 23, y + 17, x + 31, y + 26), (255, 226, 130))
    c.polygon((x + 21, y + 18, x + 27, y + 10, x + 33, y + 18), (40, 40, 48))
    for i in range(2):
        c.polygon((x + 66, y + 40, x + 69 + i, y + 64, x + 56 + 22 * i, y + 64), (250, 250, 244))
    c.polygon((x + 54, y + 66, x + 82, y + 66, x + 77, y + 71, x + 59, y + 71), (110, 50, 34))
    c.text(x + 54, y + 92, "HARBOUR", 19, (20, 62, 108), bold=0.5, gap=0.5)
    c.text(x + 54, y + 108, "LIGHT FESTIVAL", 12.5, (132, 28, 34), bold=0.3)
    c.text(x + 54, y + 125, "12-14 June  20:30", 12, (40, 40, 48))
    c.text(x + 54, y + 140, "music - boats - lanterns", 8.5, (60, 60, 66))


def _shop(c: Canvas) -> None:
    c.shadow((112, 190, 518, 452), dx=6, dy=2)
    c.rect((112, 188, 518, 452), GREEN)
    for x in (114, 398, 504):
        c.texture((x, 252, x + 12, 452), np.array([[[40, 96, 78], [52, 114, 92], [18, 50, 42]]]))
    _shop_window(c)
    _door(c)
    for x0, x1 in ((130, 258), (264, 394)):  # panels below the window
        c.rect((x0, 424, x1, 446), (38, 90, 74))
        c.rect((x0 + 2, 426, x1, 446), (14, 44, 38))
        c.rect((x0 + 3, 427, x1 - 2, 444.5), (28, 74, 62))
    c.rect((108, 186, 522, 191), (44, 100, 82))
    c.rect((108, 191, 522, 244), (16, 50, 42))
    for box in ((114, 195, 516, 196.4), (114, 238.6, 516, 240), (114, 195, 115.4, 240), (514.6, 195, 516, 240)):
        c.rect(box, GOLD)
    c.text(316, 219.5, "LOAF & FOUND", 33, (8, 26, 22), bold=0.8, gap=2)
    c.text(315, 218, "LOAF & FOUND", 33, GOLD, bold=0.5, gap=2)
    c.text(144, 218, "SINCE", 13, GOLD)
    c.text(487, 218, "1921", 15, GOLD)
    _awning(c)


def _shop_window(c: Canvas) -> None:
    rng = np.random.default_rng(3)
    c.rect((128, 262, 396, 420), (196, 160, 104))
    y, x = np.mgrid[0:40, 0:64] / np.array((40, 64))[:, None, None]
    glow = np.exp(-(((x - 0.3) / 0.25) ** 2) - (y / 0.8) ** 2) + np.exp(-(((x - 0.75) / 0.25) ** 2) - (y / 0.8) ** 2)
    c.texture((132, 266, 392, 418), np.array((66, 40, 26)) + glow[..., None] * np.array((178, 134, 74)))
    for lamp in (212, 326):
        c.line((lamp, 266, lamp, 306), DARK, 1)
        c.polygon((lamp - 10, 316, lamp - 3, 305, lamp + 3, 305, lamp + 10, 316), (40, 44, 46))
        c.ellipse((lamp - 4, 313, lamp + 4, 320), (255, 244, 206))
    for shelf, height in ((352, 11), (384, 14), (416, 13)):
        c.rect((132, shelf, 392, shelf + 3), (126, 82, 44))
        c.rect((132, shelf, 392, shelf + 1), (186, 132, 76))
        at = 138.0
        while at < 378:
            width = float(rng.uniform(14, 27))
            _loaf(c, at, shelf, width, height * float(rng.uniform(0.75, 1.1)), rng)
            at += width + float(rng.uniform(1, 5))
    for box in ((258, 262, 263, 420), (128, 334, 396, 337)):
        c.rect(box, (216, 180, 120))
    for x0, width in ((150, 26), (186, 9), (290, 38), (342, 10)):  # the street mirrored in the panes
        form = (x0 + 56, 266, x0 + 56 + width, 266, x0 + width - 20, 418, x0 - 20, 418)
        c.glaze(lambda k, form=form: k.polygon(form, DARK), (226, 236, 246), 0.17, 0.6)  # type: ignore[misc]
    c.text(196, 326, "FRESH", 12, (250, 244, 226), gap=2)
    c.text(328, 326, "DAILY", 12, (250, 244, 226), gap=2)


def _loaf(c: Canvas, x: float, floor: float, width: float, height: float, rng: np.random.Generator) -> None:
    crust = np.array((196, 128, 62)) + rng.normal(0, 14) * np.array((1, 0.9, 0.7))
    dark, light = (tuple(int(v) for v in crust * k) for k in (0.66, 1.24))
    box = (x, floor - height, x + width, floor + height * 0.25)
    c.ellipse(box, dark)  # type: ignore[arg-type]
    c.ellipse((x + 1, box[1], x + width - 1.5, floor - 1), tuple(int(v) for v in crust))  # type: ignore[arg-type]
    c.ellipse((x + width * 0.18, box[1] + 1.2, x + width * 0.7, floor - height * 0.45), light)  # type: ignore[arg-type]
    for i in range(3):
        u = x + width * (0.3 + 0.2 * i)
        c.line((u - 1.5, floor - height * 0.85, u + 1.5, floor - height * 0.35), (250, 222, 170), 0.9)
    c.rect((x - 2, floor, x + width + 2, floor + 1), (186, 132, 76))


def _door(c: Canvas) -> None:
    c.rect((412, 262, 502, 452), (14, 44, 38))
    c.rect((418, 262, 496, 450), (48, 104, 84))
    c.texture((428, 270, 486, 384), np.linspace((126, 92, 56), (46, 38, 34), 12)[:, None].repeat(2, 1))
    c.glaze(lambda k: k.polygon((470, 270, 486, 270, 446, 384, 430, 384), DARK), (226, 236, 246), 0.2, 0.6)
    c.rect((428, 394, 486, 440), (34, 82, 68))
    c.rect((430, 396, 486, 440), (60, 122, 98))
    c.line((457, 300, 440, 318), (200, 196, 180), 0.7)
    c.line((457, 300, 474, 318), (200, 196, 180), 0.7)
    c.rect((436, 316, 478, 338), (246, 240, 222), radius=2)
    c.text(457, 327, "OPEN", 15.5, (140, 24, 28), bold=0.35)
    c.rect((422, 352, 425, 376), GOLD, radius=1.5)


def _awning(c: Canvas) -> None:
    c.glaze(lambda k: k.rect((112, 280, 522, 318), DARK), (10, 8, 16), 0.55, 6)
    red, white, count = (186, 48, 44), (246, 236, 216), 17
    for i in range(count):
        top = [122 + i * 386 / count, 122 + (i + 1) * 386 / count]
        low = [104 + i * 422 / count, 104 + (i + 1) * 422 / count]
        fill = red if i % 2 == 0 else white
        c.polygon((top[0], 246, top[1], 246, low[1], 288, low[0], 288), fill)
        shade = tuple(int(v * 0.84) for v in fill)
        c.rect((low[0], 288, low[1], 295), shade)  # type: ignore[arg-type]
        c.ellipse((low[0], 289, low[1], 301), shade)  # type: ignore[arg-type]
    c.glaze(lambda k: k.rect((110, 244, 520, 256), DARK), (20, 10, 14), 0.35, 4)


def _blackboard(c: Canvas) -> None:
    c.shadow((548, 396, 600, 470), dx=4, dy=2)
    c.polygon((548, 396, 598, 396, 602, 474, 544, 474), (146, 98, 54))
    c.polygon((552, 400, 594, 400, 597, 466, 549, 466), (38, 46, 44))
    c.text(573, 409, "TODAY", 11, (250, 240, 170), bold=0.2)
    for i, line in enumerate(("rye 2.90", "bun 0.80", "pie 4.50")):
        c.text(573, 424 + 14 * i, line, 10.5, (240, 240, 236))


def _bicycle(c: Canvas) -> None:
    for x in (634, 708):
        c.glaze(lambda k, x=x: k.ring(x + 5, 440, 29, DARK, 3), (22, 12, 24), 0.4, 2)  # type: ignore[misc]
        for i in range(18):
            u, v = np.cos(i * np.pi / 9 + 0.1), np.sin(i * np.pi / 9 + 0.1)
            c.line((x, 440, x + 28 * u, 440 + 28 * v), (214, 216, 218), 0.6)
        c.ring(x, 440, 30, (30, 28, 30), 2.6)
        c.ring(x, 440, 27.4, (206, 206, 206), 1.0)
        c.ellipse((x - 3, 437, x + 3, 443), (120, 122, 126))
    frame = (236, 168, 48)
    for tube in ((634, 440, 652, 396, 690, 398, 668, 440, 634, 440), (652, 396, 668, 440), (688, 386, 708, 440)):
        c.line(tube, frame, 2.8)
    c.line((652, 398, 648, 386), (70, 70, 74), 2)
    c.rect((639, 382, 659, 387), (70, 40, 26), radius=2)
    c.line((688, 388, 687, 380, 697, 376, 701, 380), (190, 192, 194), 1.8)
    c.ring(668, 440, 6.5, (60, 60, 64), 1.6)
    c.line((668, 440, 672, 452), (60, 60, 64), 1.6)
    for i in range(6):  # the basket
        c.line((694 + 4.4 * i, 384, 697 + 3.3 * i, 404), (150, 106, 58), 1.1)
    for i in range(5):
        c.line((694 + 0.6 * i, 384 + 5 * i, 716 - 0.7 * i, 384 + 5 * i), (178, 130, 76), 1.4)


def van(density: float) -> Image.Image:
    """Draw a delivery van without its wheels; its layer is 270 x 160 units."""
    c = Canvas(density, (270, 160))
    c.glaze(lambda k: k.ellipse((6, 142, 264, 158), DARK), (14, 10, 16), 0.75, 4)
    c.rect((8, 6, 200, 132), (238, 226, 198), radius=12)
    c.polygon((190, 6, 222, 22, 236, 66, 256, 78, 259, 132, 150, 132, 150, 6), (238, 226, 198))
    c.rect((8, 78, 258, 132), (24, 104, 122), radius=6)
    c.polygon((200, 78, 240, 70, 257, 80, 259, 128, 200, 128), (24, 104, 122))
    c.rect((8, 76, 240, 79.5), GOLD)
    c.polygon((176, 22, 214, 26, 226, 66, 176, 66), (52, 70, 84))
    c.glaze(lambda k: k.polygon((192, 23, 204, 24, 196, 66, 184, 66), DARK), (220, 232, 240), 0.4, 0.5)
    c.line((168, 14, 168, 128), (150, 140, 120), 0.9)
    c.line((230, 72, 230, 128), (14, 74, 88), 0.9)
    c.rect((172, 88, 184, 91), (210, 210, 210), radius=1)
    c.text(88, 34, "MORNING", 24, (24, 84, 102), bold=0.5, gap=2)
    c.text(88, 58, "POST", 20, (150, 34, 34), bold=0.5, gap=9)
    c.text(120, 91, "letters & parcels", 13.5, (244, 236, 214))
    c.rect((12, 84, 22, 98), (190, 30, 26), radius=2)
    for x, y in VAN_AXLES:
        c.ellipse((x - 27, y - 27, x + 27, y + 27), (16, 20, 24))
    c.rect((0, 124, 30, 132), (190, 192, 192), radius=3)
    c.rect((222, 124, 266, 132), (190, 192, 192), radius=3)
    c.rect((84, 104, 164, 123.5), (18, 22, 26), radius=2)  # the number plate
    c.rect((85.5, 105.5, 162.5, 122), (250, 246, 226), radius=1.5)
    c.text(124, 114, "VSR 4027", 15.5, DARK, bold=0.3, gap=0.6)
    c.ellipse((LAMP[0] - 7, LAMP[1] - 9, LAMP[0] + 7, LAMP[1] + 9), (206, 206, 200))
    c.ellipse((LAMP[0] - 5, LAMP[1] - 7, LAMP[0] + 6, LAMP[1] + 7), (250, 244, 214))
    c.glaze(lambda k: k.rect((12, 7, 206, 16), DARK), (255, 255, 255), 0.5, 3)
    c.glaze(lambda k: k.rect((12, 112, 256, 131), DARK), (6, 24, 34), 0.35, 6)
    c.grain(21, (12, 40), 0.08)
    return c.finish()


def wheel(density: float) -> Image.Image:
    """Draw a wheel, centred in a layer of 44 x 44 units."""
    c = Canvas(density, (44, 44))
    c.ellipse((1, 1, 43, 43), (30, 28, 32))
    c.ellipse((9, 9, 35, 35), (206, 204, 198))
    c.ellipse((11, 11, 33, 33), (238, 226, 198))
    for i in range(5):
        u, v = 22 + 7.5 * np.cos(i * 0.4 * np.pi), 22 + 7.5 * np.sin(i * 0.4 * np.pi)
        c.ellipse((u - 2.4, v - 2.4, u + 2.4, v + 2.4), (60, 58, 60))
    c.ellipse((18, 18, 26, 26), (176, 176, 174))
    return c.finish()


def flash(density: float) -> Image.Image:
    """Draw the headlight's glow, centred in a layer of 120 x 120 units."""
    c = Canvas(density, (120, 120))
    c.glaze(lambda k: k.ellipse((38, 38, 82, 82), DARK), (255, 238, 176), 0.8, 9)
    c.glaze(lambda k: k.ellipse((52, 52, 68, 68), DARK), (255, 255, 240), 1, 3)
    return c.finish()


def wires(density: float) -> Image.Image:
    """Draw two overhead wires with a string of lanterns."""
    c = Canvas(density)
    x = np.linspace(0, 800, 81)
    for base, sag, width in ((98.0, 34.0, 1.1), (76.0, 20.0, 1.4)):
        y = base + sag * (1 - ((x - 430) / 430) ** 2)
        c.line(np.stack([x, y], 1).ravel().tolist(), (28, 26, 32), width)
    for i in range(9):
        u = 55 + 87.0 * i
        v = 98 + 34 * (1 - ((u - 430) / 430) ** 2)
        c.line((u, v, u, v + 6), (28, 26, 32), 0.9)
        c.ellipse((u - 5, v + 5, u + 5, v + 17), (250, 216, 132))
        c.ellipse((u - 3, v + 7, u + 2, v + 13), (255, 242, 200))
    return c.finish()


def leaves(density: float) -> Image.Image:
    """Draw a branch at the top left; leaves nearer to the light are brighter."""
    c = Canvas(density)
    rng = np.random.default_rng(29)
    twigs = [((0, 40), (150, 96)), ((0, 20), (250, 70)), ((30, 40), (96, 190)), ((90, 50), (190, 130))]
    for (x0, y0), (x1, y1) in twigs:
        c.line((x0, y0, x1, y1), (70, 52, 40), 2.4)
    for i in range(620):
        (x0, y0), (x1, y1) = twigs[int(rng.integers(4))]
        along = rng.uniform(0.1, 1.04)
        x, y = x0 + (x1 - x0) * along + rng.normal(0, 13), y0 + (y1 - y0) * along + rng.normal(0, 13)
        turn, size = rng.uniform(0, np.pi), rng.uniform(4.5, 8)
        light = 0.45 + 0.75 * i / 620 + rng.normal(0, 0.08)
        u, v = np.cos(turn) * size, np.sin(turn) * size
        fill = (int(96 * light), int(142 * light), int(46 * light))
        c.polygon((x - u, y - v, x + v * 0.42, y - u * 0.42, x + u, y + v, x - v * 0.42, y + u * 0.42), fill)
        c.line((x - u, y - v, x + u, y + v), tuple(min(255, v + 26) for v in fill), 0.5)  # type: ignore[arg-type]
    return c.finish()
