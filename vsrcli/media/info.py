"""Properties of a source: the record that all parts of the media layer share."""

from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vsrcli.media.once import Once

HD_WIDTH, SD_HEIGHT = 1280, 576
"""From that width on, or above that height, a picture without a declared matrix counts as HD."""


DOUBLE = Fraction(2)
"""Frames decoded for each of the file's where each field becomes a frame."""
FILM = Fraction(4, 5)
"""Frames decoded for each of the file's where film is taken out of 3:2 pulldown."""
_ROUNDING = Fraction(1, 200)  # seconds by which a caller's time is rounded at most: two decimals


@dataclass(frozen=True)
class Colour:
    """Colour tags as declared, by ffmpeg's number (ITU-T H.273); 2 (range: 0) means undeclared."""

    matrix: int = 2
    range: int = 0
    primaries: int = 2
    transfer: int = 2
    chroma_location: int = 0

    def matrix_for_conversion(self, width: int, height: int) -> int:
        """Return the declared matrix, or the one that players use for a picture of that size without one.

        This is the only place of the rule, which is mpv's (`mp_csp_guess_colorspace`): 1280 columns or more, or more
        lines than PAL's 576, are HD, BT.709 (1); all else is SD, BT.601 (5). Kodi's rule (more than 1024 columns, or
        600 lines or more) differs only for sizes in between. RGB's number (0) counts as undeclared: where it is right
        no matrix is used, and for Y'CbCr planes it is wrong.
        """
        if self.matrix in (0, 2, 3):
            return 1 if width >= HD_WIDTH or height > SD_HEIGHT else 5
        return self.matrix


@dataclass(frozen=True)
class Crop:
    """Where in the stored picture, `full_width` by `full_height` pixels, the part begins that is read."""

    x: int
    y: int
    full_width: int
    full_height: int


@dataclass(frozen=True)
class OtherStream:
    """A stream besides the upscaled video. `kind` is audio, subtitle, attachment, data or video (cover art).

    `start` is when it begins, in seconds of the container's clock. `empty`: sound or video that is declared, but of
    which the file has nothing to tell its rate or size by, as broadcasts do for languages that are not on air.
    `packets` is how many the container says there are, 0 if it does not. `wanted` is the codec that the caller wants
    of it, "none" to leave it out, or None for its own. `layout` is that of sound: "mono", "stereo", "5.1(side)".
    """

    index: int
    kind: str
    codec: str
    language: str | None
    attached_picture: bool
    start: float = 0.0
    empty: bool = False
    packets: int = 0
    wanted: str | None = None
    layout: str = ""


@dataclass(frozen=True)
class VideoInfo:
    """A source video: a file, or a sequence of images.

    `images` is empty for a file; else the image files in order, with pts = frame number and time_base = 1/rate.
    `frames` is the container's own count or `estimated` (None if unknown), for progress and planning only. `duration`
    is the video's length in seconds, wherever the clock begins.
    `rotation` is the display matrix as 9 integers (None if there is none), of images the first one's.
    `mastering_display` is x265's text form "G(x,y)B(x,y)R(x,y)WP(x,y)L(max,min)", `content_light` is (MaxCLL, MaxFALL).
    `timecode` is that of the first frame, as its tag says (SMPTE ST 12-1), `reel` the name of the reel it counts on.
    `interlaced` is what the stream declares or its first frame is flagged with. `sample_aspect_ratio` is 0 where
    undeclared. `start_time` is where the container's clock begins, in seconds: what a player shows as 0:00. `late` is
    how many seconds after that the first frame is shown.

    `once` is set where the source can be read only once; its `path` is then for messages alone.
    `crop` says that `width` and `height` are those of a part of the picture that is stored.
    `tags` are the names of the container's tags about the work, `unkept` those of what no output gets, `kept` those of
    what this output gets beside the picture and another might not, `notes` are lines on how the picture is read.
    Of a result with more frames than the source, or a slower one, `ticks` of its `time_base` make one of the file's
    own, and its times are `slow` times the source's. `cadence` is how many frames are decoded for each of the file's:
    2 where each field becomes a frame, 4/5 where film is taken out of 3:2 pulldown.
    `alpha` says that its pictures can be transparent, `transparent` that the first one is (or, where alpha lies beside
    the pictures, that any may be), `keeps_alpha` that opacity is to be decoded, because the output can hold it.
    """

    path: Path
    container: str
    stream_index: int
    codec: str
    width: int
    height: int
    pix_fmt: str
    bit_depth: int
    time_base: Fraction
    frames: int | None
    duration: float | None
    rate: Fraction
    colour: Colour
    sample_aspect_ratio: Fraction
    rotation: tuple[int, ...] | None
    interlaced: bool
    mastering_display: str | None
    content_light: tuple[int, int] | None
    streams: tuple[OtherStream, ...]
    chapters: int
    images: tuple[Path, ...] = ()
    tags: tuple[str, ...] = ()
    unkept: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    start_time: float = 0.0
    late: float = 0.0
    timecode: str | None = None
    reel: str | None = None
    estimated: bool = False
    crop: Crop | None = None
    ticks: int = 1
    slow: Fraction = Fraction(1)
    cadence: Fraction = Fraction(1)
    alpha: bool = False
    transparent: bool = False
    keeps_alpha: bool = False
    once: "Once | None" = field(default=None, compare=False, repr=False)

    @property
    def turned(self) -> bool:
        """Whether the display matrix turns the picture by a quarter, so that its rows are shown as columns."""
        return self.rotation is not None and abs(self.rotation[1]) > abs(self.rotation[0])

    @property
    def shown(self) -> tuple[int, int]:
        """How wide and high the picture is shown: upright, its pixels made square by their width."""
        width = round(self.width * (self.sample_aspect_ratio or 1))
        return (self.height, width) if self.turned else (width, self.height)

    def at(self, seconds: float) -> Fraction:
        """Return a time that the caller counts as players do, in ticks, less what it may be rounded by.

        A frame with a smaller pts is shown before that time.
        """
        rounding = min(self.time_base / 2, _ROUNDING)
        return (Fraction(seconds + self.start_time) - rounding) / self.time_base

    def paced(self, cadence: Fraction) -> "VideoInfo":
        """Return what describes the source if `cadence` frames are decoded for each of the file's.

        The clock has the cadence's numerator of ticks for each of the file's: a field lasts half of its frame's time,
        and a frame of film a quarter of five frames'. Both are whole numbers of ticks.
        """
        return replace(
            self,
            time_base=self.time_base / cadence.numerator,
            rate=self.rate * cadence,
            frames=None if self.frames is None else round(self.frames * cadence),
            ticks=self.ticks * cadence.numerator,
            cadence=self.cadence * cadence,
        )

    def part(self, x: int, y: int, width: int, height: int) -> "VideoInfo":
        """Return what describes a part of the picture, whose first pixel is at (x, y)."""
        colour, outer = self.colour, self.crop or Crop(0, 0, self.width, self.height)
        taken = colour.matrix_for_conversion(self.width, self.height)
        if colour.matrix == 2 and taken != colour.matrix_for_conversion(width, height):
            colour = replace(colour, matrix=taken)  # a smaller picture would be taken for SD
        crop = Crop(outer.x + x, outer.y + y, outer.full_width, outer.full_height)
        return replace(self, width=width, height=height, crop=crop, colour=colour)

    def finer(self, factor: int) -> "VideoInfo":
        """Return what describes the source with `factor` times as many frames, each at an exact time."""
        return replace(
            self,
            time_base=self.time_base / factor,
            rate=self.rate * factor,
            frames=None if self.frames is None else self.frames * factor,
            ticks=self.ticks * factor,
        )

    def slower(self, factor: Fraction) -> "VideoInfo":
        """Return what describes the source shown in `factor` times its time."""
        return replace(
            self,
            time_base=self.time_base * factor,
            rate=self.rate / factor,
            duration=None if self.duration is None else self.duration * float(factor),
            start_time=self.start_time * float(factor),
            late=self.late * float(factor),
            slow=self.slow * factor,
        )

    @property
    def own(self) -> "VideoInfo":
        """Return what describes the file itself, but for `frames`."""
        changed = replace(self.slower(1 / self.slow), slow=Fraction(1), cadence=Fraction(1))
        rate = changed.rate / self.made_of_each / self.cadence
        return replace(changed, time_base=changed.time_base * self.ticks, rate=rate, ticks=1)

    @property
    def made_of_each(self) -> int:
        """Frames of the result for each that is decoded."""
        return self.ticks // self.cadence.numerator
