"""Count frames of a source that were lost or concealed by the decoder, and report them in one line."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from typing import Any

import av
from av.stream import Stream

from vsrcli.media.info import VideoInfo
from vsrcli.media.read.checksums import is_right_frame
from vsrcli.media.read.joins import Join
from vsrcli.media.read.structure import Structure, examine
from vsrcli.media.read.timestamps import Timed
from vsrcli.media.read.turns import Unread

_GAP = Fraction(3, 2)  # frame periods; a frame that shows for longer has lost its successor
_VAGUE_SECONDS = 1.0  # allowed excess of a tagged length over the last frame, since not all writers are exact
_GAPS_KEPT = 100
_UNREAD_SHOWN = 3
_MARKS = {"yuv4mpegpipe": 6, "dv": 0}
"""Bytes before each frame, in formats whose frames follow each other and are equally large."""
_HIDDEN = frozenset({"vp8"})  # has packets without a picture


@dataclass(frozen=True)
class Damage:
    """Damage of a source, as far as it was decoded.

    Attributes:
        frames: number of decoded frames.
        missing: number of missing frames, by the container's own count or length or by the gaps (None: unknown).
        concealed: number of frames that the decoder has partly guessed.
        skipped: number of packets that gave no picture.
        headless: number of packets before the first keyframe.
        gaps: spans, in seconds of the container's clock, in which frames are missing (the first hundred).
        cut_bytes: number of bytes missing at the file's end.
        broken_at: byte at which its structure is broken.
        stopped: why it could not be read to its end.
        wrong_checksums: number of parts of the file whose checksum is wrong.
        first_wrong: where the first of them begins, in seconds of the container's clock.
        unread: parts of the file in streams or codecs that begin only midway.
    """

    frames: int
    missing: int | None
    concealed: int
    skipped: int
    headless: int
    gaps: tuple[tuple[float, float], ...]
    cut_bytes: int
    broken_at: int | None
    first: float | None
    stopped: str | None
    wrong_checksums: int = 0
    first_wrong: float | None = None
    unread: tuple[Unread, ...] = ()

    def line(self) -> str:
        """Return the line for the user."""
        only_end = self.cut_bytes and self.broken_at is None
        parts = []
        if self.missing:
            verb = "is" if self.missing == 1 else "are"
            parts.append(f"{self.missing} of {self.frames + self.missing} frames {verb} missing{self._where()}")
        if self.concealed:
            count = "1 frame is" if self.concealed == 1 else f"{self.concealed} frames are"
            parts.append(f"{count} partly guessed by the decoder{self._first() if not self.gaps else ''}")
        if self.skipped and not self.missing:
            count = "1 packet was" if self.skipped == 1 else f"{self.skipped} packets were"
            parts.append(f"{count} skipped{self._first()}")
        if self.headless:
            parts.append(f"{self.headless} packets before its first keyframe cannot be decoded")
        if self.wrong_checksums:
            count = "1 part" if self.wrong_checksums == 1 else f"{self.wrong_checksums} parts"
            near = "" if self.first_wrong is None else f", near {self.first_wrong:.2f} s"
            parts.append(f"the checksum of {count} of the file is wrong{near}")
        if self.cut_bytes:
            parts.append(f"{_bytes(self.cut_bytes)} not there")
        if self.broken_at is not None:
            parts.append(f"it is broken at byte {self.broken_at}")
        if self.stopped is not None:
            parts.append(f"it cannot be read to its end ({self.stopped})")
        kind = "cut off" if only_end else "damaged" if parts else "joined of unlike parts"
        if self.unread:
            lost = [one.line() for one in self.unread[:_UNREAD_SHOWN]]
            lost += [f"{len(self.unread) - len(lost)} more"] if len(self.unread) > len(lost) else []
            parts.append(f"not read: {', '.join(lost)}; cut the file there, and upscale the parts one by one")
        return f"is {kind}: {'; '.join(parts)}"

    def _where(self) -> str:
        if not self.gaps:
            return ""
        others = len(self.gaps) - 1
        more = f" and in {others} more gap{'s' if others > 1 else ''}" if others else ""
        start, end = max(self.gaps, key=lambda gap: gap[1] - gap[0])
        return f" (from {start:.2f} to {end:.2f} s{more})"

    def _first(self) -> str:
        return "" if self.first is None else f", the first near {self.first:.2f} s"

    def plain(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            **asdict(self),
            "gaps": [list(gap) for gap in self.gaps],
            "unread": [asdict(one) for one in self.unread],
        }

    @classmethod
    def from_plain(cls, data: dict[str, Any]) -> "Damage":
        """Return the damage from the data of `plain`. Raises TypeError or KeyError for other data."""
        gaps = tuple((float(begin), float(end)) for begin, end in data["gaps"])
        return cls(**{**data, "gaps": gaps, "unread": tuple(Unread(**one) for one in data["unread"])})


def _bytes(count: int) -> str:
    return "the last byte of the file is" if count == 1 else f"the last {count} bytes of the file are"


@dataclass
class Tally:
    """Counts of a stream's packets and pictures during decoding."""

    read: int = 0
    damaged: int = 0
    corrupt: int = 0
    discarded: int = 0
    headless: int = 0
    decoded: int = 0
    shown: int = 0
    concealed: int = 0
    first: float | None = None
    last_pts: int | None = None
    end_pts: int | None = None
    gaps: list[tuple[float, float]] = field(default_factory=list)
    lost_in_gaps: int = 0
    joins: list[Join] = field(default_factory=list)
    steady: int = 0
    checked: bool = False
    wrong_sums: set[int | None] = field(default_factory=set)
    stopped: str | None = None
    expected: int = 0
    length: float | None = None
    unread: list[Unread] = field(default_factory=list)
    turned: bool = False
    packet: tuple[int, int, int] | None = None

    @property
    def may_lack_frames(self) -> bool:
        """Whether frames may remain in the decoder: it returned fewer frames than it got packets."""
        if self.damaged or self.corrupt:
            return True
        return self.last_pts is not None and self.decoded < self.read

    def claim(self, stream: Stream, length: float | None) -> None:
        """Record what the container claims: its count of frames and the `length` of the stream in seconds."""
        self.expected, self.length = stream.frames, length

    def take(self, packet: "av.Packet[av.VideoStream]") -> None:
        """Count a packet."""
        self.read += packet.size > 0
        self.corrupt += packet.is_corrupt
        self.discarded += packet.is_discard
        if packet.pos is not None:
            self.packet = (packet.pos, packet.size, max(packet.size, self.packet[2] if self.packet else 0))

    def restart(self) -> None:
        """Reset all counts: the stream is read again from another place."""
        self.__dict__.update(vars(Tally()))

    def hit(self, packet: "av.Packet[av.VideoStream]") -> None:
        """Record a packet that cannot be decoded."""
        self.damaged += 1
        self._at(packet.pts if packet.pts is not None else packet.dts, packet.time_base)

    def watch(self, frames: Iterable[Timed], info: VideoInfo, inside: Callable[[int], bool]) -> Iterator[Timed]:
        """Pass on `frames`; count those whose pts is `inside` the requested span, and the gaps after them."""
        period = 1 / (info.rate * info.time_base)
        for timed in frames:
            if timed.moved != (self.joins[-1].moved if self.joins else 0):
                self.joins.append(Join(timed.pts - timed.moved, timed.moved))
            if inside(timed.pts):
                self.shown += 1
                if timed.picture.is_corrupt or timed.picture.pts in self.wrong_sums:
                    self.concealed += 1
                    self._at(timed.pts, info.time_base)
                self._measure(timed, period, info)
            self.end_pts = timed.pts + timed.duration
            yield timed

    def _measure(self, timed: Timed, period: Fraction, info: VideoInfo) -> None:
        if timed.duration <= _GAP * period:
            self.steady += 1
            return
        lost = round(timed.duration / period) - 1
        self.lost_in_gaps += lost
        if len(self.gaps) < _GAPS_KEPT:
            begin, end = timed.pts + period, timed.pts + timed.duration
            clock = Fraction(info.start_time) / info.time_base
            self.gaps.append(tuple(round(float((at - clock) * info.time_base), 3) for at in (begin, end)))  # type: ignore[arg-type]

    def _at(self, pts: int | None, time_base: Fraction | None) -> None:
        if self.first is None and pts is not None and time_base:
            self.first = float(pts * time_base)

    def check(self, packet: "av.Packet[av.VideoStream]", codec: str) -> None:
        """Check for damage that the decoder conceals without a mark: FFV1's slices with a wrong checksum.

        Only a stream with at least one right checksum has checksums.
        """
        if codec != "ffv1" or not packet.size:
            return
        right = is_right_frame(bytes(packet))
        self.checked = self.checked or right
        if self.checked and not right:
            self.wrong_sums.add(packet.pts)

    def sum_up(self, info: VideoInfo, *, whole: bool, fed: int | None = None) -> Damage | None:
        """Return the damage, or None; `whole`: the file was decoded from its beginning to its end.

        `fed` is the number of bytes of a stream that was read once, to its end.
        """
        structure = self._structure(info) if whole else self._after_last(info, fed)
        short = self._short(info, structure) if whole else 0.0
        by_count = max(0, self.expected - self.read) if whole else 0
        if info.container == "avi" and not structure.missing and not (self.damaged or self.corrupt or self.concealed):
            by_count = 0  # frames that were dropped in capture are counted, but have no packet
        torn = self.corrupt and self.lost_in_gaps  # at joins of streams this happens without a loss
        torn = torn or (self.turned and self.expected > self.decoded)
        signs = (
            self.damaged or self.headless or torn or self.concealed or self.stopped or by_count or short or self.unread
        )
        if not (signs or structure.missing or structure.wrong or structure.broken is not None):
            return None
        constant = self.steady > self.lost_in_gaps or self.steady > 2 * len(self.gaps)
        return Damage(
            frames=self.shown,
            missing=self._missing(info, by_count, short, whole=whole, constant=constant),
            concealed=self.concealed,
            skipped=self.damaged,
            headless=self.headless,
            gaps=(*(self.gaps if constant else ()), *self._end_gap(info, short, by_count)),
            cut_bytes=structure.missing,
            broken_at=structure.broken,
            first=None if self.first is None else round(self.first - info.start_time, 3),
            stopped=self.stopped,
            wrong_checksums=structure.wrong,
            first_wrong=None if structure.first_wrong is None else round(structure.first_wrong - info.start_time, 3),
            unread=tuple(self.unread),
        )

    def _structure(self, info: VideoInfo) -> Structure:
        if info.container not in _MARKS or self.packet is None:
            return examine(info.path, info.container)
        return self._after_last(info, info.path.stat().st_size)

    def _after_last(self, info: VideoInfo, length: int | None) -> Structure:
        """Return what is missing of equally large frames, by the length of the file or stream in bytes, if known."""
        mark = _MARKS.get(info.container)
        if mark is None or self.packet is None or length is None:
            return Structure()
        place, size, whole = self.packet
        rest = length - place - size
        return Structure(missing=max(0, whole - size, whole + mark - rest if rest > 0 else -rest))

    def _end_gap(self, info: VideoInfo, short: float, by_count: int) -> list[tuple[float, float]]:
        if info.container == "avi":  # whose count alone tells its length
            short = max(short, float((by_count - self.lost_in_gaps) / info.rate))
        if not short or self.end_pts is None:
            return []
        end = float(self.end_pts * info.time_base) - info.start_time
        return [(round(end, 3), round(end + short, 3))]

    def _short(self, info: VideoInfo, structure: Structure) -> float:
        """Return the seconds by which the frames end before the length that the container claims."""
        if self.joins:  # its length is by a clock that jumps
            return 0.0
        sound = not structure.missing and structure.broken is None
        length = self.length if sound or self.length is not None else info.duration
        if length is None or self.end_pts is None:
            return 0.0
        short = length - float(self.end_pts * info.time_base) + (0.0 if self.length is not None else info.start_time)
        periods = _GAP if not structure.missing else Fraction(1, 2)
        return short if short > (_VAGUE_SECONDS if sound else float(periods / info.rate)) else 0.0

    def _missing(self, info: VideoInfo, by_count: int, short: float, *, whole: bool, constant: bool) -> int | None:
        if whole and self.expected and info.container != "avi":
            stuck = 0 if info.codec in _HIDDEN else max(0, self.read - self.discarded - self.decoded)
            return by_count + stuck
        lost = round(short * float(info.rate)) + (self.lost_in_gaps if constant else 0)
        if info.container == "avi":
            lost = max(lost, by_count)
        return lost if lost or constant else None
