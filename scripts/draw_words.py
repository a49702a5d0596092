"""Draw pictures of words, numbers, tables and signs, so that training data contain lettering.

    python scripts/draw_words.py words/ --count 40 --fonts /usr/share/fonts
    vsr train pack words/ -o words.safetensors --clips 2

A net that was trained on too little lettering makes its most visible errors there: it draws lines through rows of
words. Each picture is composed of panels as on posters, pages, shop fronts and wall calendars, with random letters.
This script needs Pillow (`pip install pillow`), whose own font is used if no folder of fonts is given.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageFont

SIZE = (1600, 1200)  # pixels; in motion and halved, a third of it is seen at a time
LETTERING = (12, 90)  # pixels: heights, halved again in the clip and by the scale in the LR clip
SMALLEST_PANEL = 220  # pixels
CONTRAST = 70  # levels of luma between ink and ground

Box = tuple[int, int, int, int]
Colour = tuple[int, int, int]


class Panel:
    """A rectangle of the picture with one background, one ink and one typeface."""

    def __init__(self, picture: Image.Image, box: Box, fonts: list[Path], dice: random.Random) -> None:
        self.draw, self.box, self.dice = ImageDraw.Draw(picture), box, dice
        self.ground, self.ink = _colours(dice)
        self.file = dice.choice(fonts) if fonts else None
        self.draw.rectangle(box, self.ground)

    def fill(self) -> None:
        """Fill the panel with one of the common layouts of words."""
        self.dice.choice([self.page, self.table, self.sign, self.labels])()

    def page(self) -> None:
        """Draw lines of running text."""
        left, top, right, bottom = self.box
        height = self._height(0.35)
        font, y = self._font(height), top + height // 2
        while y + height < bottom:
            line = ""
            while font.getlength(line) < right - left - height:
                line += _word(self.dice) + " "
            end = self.dice.randint(len(line) // 2, len(line))
            self.draw.text((left + height // 2, y), line[:end], self.ink, font)
            y += round(height * 1.4)

    def table(self) -> None:
        """Draw rows and columns of numbers or words, with or without lines, as in calendars and price lists."""
        left, top, right, bottom = self.box
        height = self._height(0.5)
        font = self._font(height)
        across, down = height * self.dice.uniform(2, 5), height * self.dice.uniform(1.3, 3)
        ruled, numbers, heavy = self.dice.random() < 0.6, self.dice.random() < 0.7, self.dice.randint(1, 5)
        for row in range(int((bottom - top) / down)):
            for column in range(int((right - left) / across)):
                x, y = left + column * across, top + row * down
                if ruled:
                    self.draw.rectangle((x, y, x + across, y + down), outline=self.ink, width=heavy)
                cell = str(row * 7 + column + 1) if numbers else _word(self.dice)[: int(across / height)]
                self.draw.text((x + across / 2, y + down / 2), cell, self.ink, font, "mm")

    def sign(self) -> None:
        """Draw a few words, each as wide as the panel, in a frame."""
        left, top, right, bottom = self.box
        edge = self.dice.randint(2, 14)
        self.draw.rectangle((left + edge, top + edge, right - edge, bottom - edge), outline=self.ink, width=edge)
        y = top + 3 * edge
        while y < bottom - 3 * edge:
            word = _word(self.dice).upper() if self.dice.random() < 0.6 else _word(self.dice).title()
            height = round(min(LETTERING[1] * 2, 1.5 * (right - left - 6 * edge) / len(word), bottom - 3 * edge - y))
            if height < LETTERING[0]:
                return
            self.draw.text(((left + right) / 2, y), word, self.ink, self._font(height), "ma")
            y += round(height * self.dice.uniform(1.2, 1.6))

    def labels(self) -> None:
        """Draw words at random positions, each on its own background."""
        left, top, right, bottom = self.box
        for _ in range(self.dice.randint(6, 25)):
            ground, ink = _colours(self.dice)
            word, font = _word(self.dice), self._font(self._height(0.6))
            x, y = self.dice.randint(left, right), self.dice.randint(top, bottom)
            x0, y0, x1, y1 = self.draw.textbbox((x, y), word, font, "mm")
            if x0 > left and y0 > top and x1 < right and y1 < bottom:
                if self.dice.random() < 0.7:
                    self.draw.rounded_rectangle((x0 - 6, y0 - 4, x1 + 6, y1 + 4), 6, ground)
                self.draw.text((x, y), word, ink, font, "mm")

    def _height(self, share: float) -> int:
        """Return a height of letters, small ones as likely as large ones; the largest is `share` of the space."""
        low, high = LETTERING
        height: float = low * (high * share / low) ** self.dice.random()
        return round(height)

    def _font(self, height: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
        return ImageFont.load_default(height) if self.file is None else ImageFont.truetype(str(self.file), height)


def picture(fonts: list[Path], dice: random.Random) -> Image.Image:
    """Return one picture, as sharp as lenses and print allow."""
    image = Image.new("RGB", SIZE)
    for box in _split((0, 0, *SIZE), dice):
        Panel(image, box, fonts, dice).fill()
    return image.filter(ImageFilter.GaussianBlur(dice.uniform(0, 1.2)))


def _split(box: Box, dice: random.Random) -> Iterator[Box]:
    """Split a rectangle in two, and the parts again, until they are small or by chance."""
    left, top, right, bottom = box
    wide = right - left > bottom - top
    length = right - left if wide else bottom - top
    if length < 2 * SMALLEST_PANEL or (length < max(SIZE) / 2 and dice.random() < 0.3):
        yield box
        return
    cut = (left if wide else top) + dice.randint(SMALLEST_PANEL, length - SMALLEST_PANEL)
    yield from _split((left, top, cut, bottom) if wide else (left, top, right, cut), dice)
    yield from _split((cut, top, right, bottom) if wide else (left, cut, right, bottom), dice)


def _colours(dice: random.Random) -> tuple[Colour, Colour]:
    """Return background and ink of sufficient contrast; black, white and greys are as frequent as colours."""
    while True:
        pair = [_colour(dice), _colour(dice)]
        dark, light = sorted(0.299 * r + 0.587 * g + 0.114 * b for r, g, b in pair)
        if light - dark > CONTRAST:
            return pair[0], pair[1]


def _colour(dice: random.Random) -> Colour:
    if dice.random() < 0.5:
        return (dice.randint(0, 255),) * 3
    return dice.randint(0, 255), dice.randint(0, 255), dice.randint(0, 255)


def _word(dice: random.Random) -> str:
    """Return a random word: letters as in words, digits as in prices and times."""
    if dice.random() < 0.25:
        return f"{dice.randint(0, 99)}{dice.choice('.:-')}{dice.randint(10, 59)}"
    word = "".join(
        dice.choice("bcdfghjklmnprstvwz") + dice.choice("aeiouy") + dice.choice(["", "", "n", "r", "l", "st"])
        for _ in range(dice.randint(1, 3))
    )
    return word.title() if dice.random() < 0.2 else word


def main() -> None:
    """Write the pictures requested on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=40)
    parser.add_argument("--first", type=int, default=0, help="number of the first picture")
    parser.add_argument("--fonts", type=Path, nargs="*", default=[], help="folders of .ttf and .otf files")
    arguments = parser.parse_args()
    fonts = sorted(f for folder in arguments.fonts for f in folder.rglob("*") if f.suffix.lower() in {".ttf", ".otf"})
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for number in range(arguments.first, arguments.first + arguments.count):
        picture(fonts, random.Random(number)).save(arguments.folder / f"words_{number:03d}.png")


if __name__ == "__main__":
    main()
