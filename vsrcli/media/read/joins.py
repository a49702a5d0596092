"""Shift sound and subtitles with the picture where recordings were joined and the source's clock jumps."""

import math
from array import array
from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from statistics import median

import av

from vsrcli.media.containers import open_container
from vsrcli.media.opening import demux


@dataclass(frozen=True)
class Join:
    """A jump of the picture's clock: from its picture at `pts` on, `moved` is added to every time.

    Both are in the picture's time base; `pts` is the source's own.
    """

    pts: int
    moved: int


class Sound:
    """Times of a file's sound, by its own clock; the file is read on the first request."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._times: array[float] | None = None

    def pauses(self, begin: float, end: float) -> bool:
        """Return whether the file has sound, but none between these seconds."""
        if self._times is None:
            with open_container(self._path) as container:
                stamps = ((packet.pts, packet.time_base) for packet in demux(container, *container.streams.audio))
                self._times = array("d", sorted(float(pts * base) for pts, base in stamps if pts is not None and base))
        first, last = (bisect(self._times, time) for time in (begin + _SKEW, end - _SKEW))
        return bool(self._times) and first >= last


_SKEW = 1.5
"""Seconds by which sound may end after the picture before a join, or begin before it after one."""


@dataclass
class _Track:
    """One stream while the source is read: its packets' corrected times in seconds, by the pieces between joins."""

    last: float | None = None
    pieces: list["array[float]"] = field(default_factory=lambda: [array("d")])


def follow(source: Path, index: int, joins: Sequence[Join]) -> dict[int, str]:
    """Return the bitstream filters for each stream of `source` except the picture, number `index`, by its number.

    The source is read once to find which packets are after a join. Of the sound before a join, the part that would
    overlap the sound after it is dropped. Raises FFmpegError.
    """
    with open_container(source) as container:
        picture_base = Fraction(container.streams[index].time_base or 0)
        moves = [Fraction(0), *(join.moved * picture_base for join in joins)]
        bases = {stream.index: Fraction(stream.time_base or 0) for stream in container.streams}
        tracks = {number: _Track() for number in bases}
        for packet in _whole(container):
            _place(packet, tracks, index, [float(move) for move in moves])
    return {
        number: ",".join(filters)
        for number, track in tracks.items()
        if number != index and bases[number] and (filters := list(_filters(track, moves, bases[number])))
    }


def _whole(container: av.container.InputContainer) -> "Iterator[av.Packet[av.stream.Stream]]":
    """Yield the packets of all streams with ffmpeg's numbering."""
    every: Iterator[av.Packet[av.stream.Stream]] = demux(container)
    for packet in every:
        if packet.size:
            yield packet


def _place(
    packet: "av.Packet[av.stream.Stream]", tracks: dict[int, _Track], index: int, moves: Sequence[float]
) -> None:
    """Assign a packet to its track's current piece, or to the next one if it fits better there.

    The measure is the track's own last time, unless it has paused: then it is the picture's, which is near it in the
    file.
    """
    track, picture = tracks[packet.stream_index], tracks[index]
    stamp = packet.dts if packet.dts is not None else packet.pts
    time = None if stamp is None or packet.time_base is None else float(stamp * packet.time_base)
    piece = len(track.pieces) - 1
    if time is not None and picture.last is not None:
        while piece + 1 < len(moves) and (track is picture or piece < len(picture.pieces)):
            paused = track.last is None or abs(track.last - picture.last) > _SKEW
            near = picture.last if paused or track.last is None else track.last
            here, there = (abs(time + moves[number] - near) for number in (piece, piece + 1))
            if here - there < abs(moves[piece + 1] - moves[piece]) / 2:
                break
            piece += 1
            track.pieces.append(array("d"))
    corrected = math.nan if time is None else time + moves[piece]
    track.pieces[-1].append(corrected)
    if time is not None:
        track.last = corrected


def _filters(track: _Track, moves: Sequence[Fraction], base: Fraction) -> Iterator[str]:
    """Yield ffmpeg's bitstream filters that shift the packets of each piece and drop those cut off at its end."""
    shifts, cuts, number = [], [], 0
    for piece, (before, after) in enumerate(pairwise(track.pieces), 1):
        number += len(before)
        shifts.append(f"{round((moves[piece] - moves[piece - 1]) / base)}*gte(N\\,{number})")
        begin = min((time for time in after if not math.isnan(time)), default=math.inf)
        late = sum(time > begin - _half(before) for time in before[-_TAIL:])
        if late:
            cuts.append(f"between(n\\,{number - late}\\,{number - 1})")
    if shifts:
        total = "+".join(shifts)
        yield f"setts=pts=PTS+{total}:dts=DTS+{total}"
    if cuts:
        yield f"noise=drop={'+'.join(cuts)}"


_TAIL = 2000
"""Number of packets before a join among which late ones are searched."""


def _half(times: "array[float]") -> float:
    """Return half the time between packets at the end of a piece."""
    return median(after - before for before, after in pairwise(times[-10:])) / 2 if len(times) > 1 else 0.0
