"""Types of parameters: each converts typed text to a value, or says how to write it."""

import os
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

import click

from vsrcli.engine.options import LEAST_TILE
from vsrcli.nets.horizon import LEAST_HORIZON, Horizon
from vsrcli.pipeline.options import MOST_TIMES
from vsrcli.rates import exact_rate

Value_co = TypeVar("Value_co", covariant=True)

UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
MOST_SHARE = 1e6


if TYPE_CHECKING:

    class Kind(click.ParamType[Value_co]):
        """A type of parameters, whose `convert` turns text into a value."""

else:  # click's own class takes type arguments only since 8.4

    class Kind(click.ParamType, Generic[Value_co]):
        """A type of parameters, whose `convert` turns text into a value."""


class Size(Kind[tuple[int, int]]):
    """WxH in pixels."""

    name = "WxH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Turn "1920x1080" into (1920, 1080)."""
        if isinstance(value, tuple):
            return value
        width, _, height = str(value).lower().partition("x")
        if not (_is_number(width) and _is_number(height)):
            self.fail(f"{value} is not a size: write it like 1920x1080", param, ctx)
        return int(width), int(height)


class Place(Kind[Path | str]):
    """A path, or a URL that fsspec may know."""

    name = "PATH"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path | str:
        """Turn a text into a Path; a URL stays a text."""
        text = os.fspath(value)
        if text != "-" and os.path.normpath(text) == "-":  # "./-" is a file, "-" a pipe
            return Path(text).absolute()
        return text if "://" in text else Path(text)


class Resolution(Kind[tuple[int, int]]):
    """A named size of output, or WxH."""

    name = "RES"

    def __init__(self, names: Mapping[str, tuple[int, int]]) -> None:
        self.names = names

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Turn "1080p" or "1920x1080" into (1920, 1080)."""
        if isinstance(value, tuple):
            return value
        if size := self.names.get(str(value).lower()):
            return size
        width, _, height = str(value).lower().partition("x")
        if _is_number(width) and _is_number(height) and min(int(width), int(height)) >= 16:
            return int(width), int(height)
        self.fail(f"not a resolution: {value} (use {', '.join(self.names)}, or WxH from 16x16)", param, ctx)


class Time(Kind[float]):
    """A time: seconds, or [HH:]MM:SS[.mmm] as ffmpeg writes it."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Turn "1:02.5" into 62.5."""
        seconds, parts = 0.0, str(value).split(":")
        try:
            for part in parts:
                seconds = seconds * 60 + float(part)
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds < float("inf") or len(parts) > 3:
            how = "write seconds (62.5), MM:SS (1:02.5) or H:MM:SS; frames are written as parts of a second"
            self.fail(f"{value} is not a time: {how}", param, ctx)
        return seconds


class Rate(Kind[Fraction]):
    """Frames per second."""

    name = "RATE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Fraction:
        """Turn "30000/1001" and "29.97" into Fraction(30000, 1001)."""
        try:
            rate = Fraction(value)
        except (ValueError, ZeroDivisionError):
            rate = Fraction(0)
        if rate <= 0:
            self.fail(f"{value} is not a frame rate: write it like 25, 23.976 or 30000/1001", param, ctx)
        return exact_rate(rate)


class FrameRate(Kind[Fraction | str]):
    """Frames per second, or a multiple of the source's."""

    name = "RATE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Fraction | str:
        """Turn "60" into Fraction(60); "2x" stays a text."""
        text = str(value).strip().lower()
        if text.endswith("x") and _is_number(text[:-1]) and 1 <= int(text[:-1]) <= MOST_TIMES:
            return f"{int(text[:-1])}x"
        if text.endswith("x"):
            self.fail(f"{value} is not a frame rate: write it like 2x, to {MOST_TIMES}x, or like 60", param, ctx)
        return Rate().convert(value, param, ctx)


class Factor(Kind[Fraction]):
    """A factor: how many times."""

    name = "FACTOR"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Fraction:
        """Turn "2x", "2" or "2.5x" into a fraction."""
        try:
            factor = Fraction(str(value).strip().lower().removesuffix("x"))
        except (ValueError, ZeroDivisionError):
            factor = Fraction(0)
        if not 1 <= factor <= MOST_TIMES:
            self.fail(f"{value} is not a factor: write it like 2x, from 1x to {MOST_TIMES}x", param, ctx)
        return factor


class Memory(Kind[int]):
    """A number of bytes."""

    name = "SIZE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Turn "6GiB", "512M" or "1.5g" (powers of 1024) into bytes."""
        if isinstance(value, int):
            return value
        number = str(value).strip().lower().removesuffix("b").removesuffix("i")
        unit = number[-1:] if number[-1:] in UNITS else ""
        try:
            size = int(float(number.removesuffix(unit)) * UNITS[unit])
        except (ValueError, OverflowError):
            size = 0
        if size <= 0:
            self.fail(f"not a memory size: {value} (write it like 6GiB or 512MiB)", param, ctx)
        return size


class Amount(Kind[int]):
    """A number of bits or bytes as video programs write it, in powers of 1000; MiB and GiB in powers of 1024."""

    name = "AMOUNT"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Turn "5M", "700MB", "800k" or "1.5GiB" into a number."""
        if isinstance(value, int):
            return value
        text = str(value).strip().lower().removesuffix("b")
        number, base = (text.removesuffix("i"), 1024) if text.endswith("i") else (text, 1000)
        power = "kmgt".find(number[-1]) + 1 if number else 0
        try:
            size = int(float(number[:-1] if power else number) * base**power)
        except (ValueError, OverflowError):
            size = 0
        if size <= 0:
            self.fail(f"not an amount: {value} (write it like 5M, 800k or 1.5G)", param, ctx)
        return size


class Tile(Kind[tuple[int, int] | Literal["auto"] | None]):
    """A tile's size in source pixels, auto, or none."""

    name = "TILE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int] | Literal["auto"] | None:
        """Turn "256x192" into (256, 192) and "256" into a square; "none" is None."""
        if isinstance(value, tuple):
            return value
        text = str(value).lower()
        if text in ("auto", "none"):
            return "auto" if text == "auto" else None
        parts = text.split("x")
        if len(parts) in (1, 2) and all(map(_is_number, parts)):
            width, height = int(parts[0]), int(parts[-1])
            if min(width, height) >= LEAST_TILE:
                return width, height
        advice = f"write auto, none or WxH in source pixels, {LEAST_TILE} or more a side"
        self.fail(f"not a tile: {value} ({advice})", param, ctx)


class HorizonFrames(Kind[Horizon | None]):
    """A number of frames that a net remembers, auto, or none."""

    name = "FRAMES"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Horizon | None:
        """Turn "45" into a horizon of so many frames; "auto" is the default one, "none" is None."""
        if isinstance(value, Horizon):
            return value
        text = str(value).lower()
        if text in ("auto", "none"):
            return Horizon() if text == "auto" else None
        if _is_number(text) and int(text) >= LEAST_HORIZON:
            return Horizon.of(int(text))
        advice = f"write auto, none or a number of frames, {LEAST_HORIZON} or more"
        self.fail(f"not a horizon: {value} ({advice})", param, ctx)


class Words(Kind[tuple[str, ...]]):
    """One or several words of a list."""

    name = "WORD,..."

    def __init__(self, noun: str, words: tuple[str, ...]) -> None:
        self.noun, self.words = noun, words

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Turn "fp32,bf16" into ("fp32", "bf16")."""
        if isinstance(value, tuple):
            return value
        words = tuple(word.strip() for word in str(value).lower().split(","))
        if unknown := [word for word in words if word not in self.words]:
            self.fail(f"no such {self.noun}: {unknown[0]} (use {', '.join(self.words)})", param, ctx)
        return words


class Shares(Kind[tuple[float, ...]]):
    """Shares of a mixture, e.g. 0.65,0.35."""

    name = "SHARE,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, ...]:
        """Turn "0.65,0.35" into (0.65, 0.35)."""
        if isinstance(value, tuple):
            return value
        try:
            shares = tuple(map(float, str(value).split(",")))
        except ValueError:
            shares = ()
        if not all(0 <= share <= MOST_SHARE for share in shares) or sum(shares) <= 0:
            self.fail(f"{value} are no shares: write a number of 0 or more for each model, like 0.65,0.35", param, ctx)
        return shares


def _is_number(text: str) -> bool:
    """Return whether a text is a whole number of fewer than ten digits."""
    return text.isascii() and text.isdecimal() and len(text) < 10


def choice(*names: str) -> click.Choice[str]:
    """Return a type for one of a few words, in upper or lower case."""
    return click.Choice(names, case_sensitive=False)
