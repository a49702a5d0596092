"""Take film out of 3:2 pulldown: match its fields, and drop the frame that was added to every four.

FFmpeg's fieldmatch puts the fields of each frame of film together again, and bwdif treats what stays woven, as video
between film. Then of every five frames one shows what the frame before it shows. FFmpeg's decimate would drop one in
any case, and count the times by the declared rate; here only a repeated frame is dropped, and the times are the
source's.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from vsrcli.media.info import FILM, VideoInfo
from vsrcli.media.read.combing import Weave, luma
from vsrcli.media.read.field_order import Judged, judged
from vsrcli.media.read.filtering import Chain, filtered
from vsrcli.media.read.timestamps import Timed

CYCLE = 5
"""Frames that hold four of film."""
BLOCK = 8
"""Rows, and columns of the halved luma, whose mean difference is taken: a small thing that moves is seen."""
_SAME = 0.5  # of the second smallest difference in a cycle: a repeated frame differs less
_STILL = 1.0  # levels; where nothing differs by more, nothing is told
_MOVES = 6.0  # levels; where every frame of a cycle differs by more, none is repeated
_WOVEN = 2  # frames of a cycle that no field fits: video
_UNEVEN = 1.25  # times as long as another frame of its cycle: pulldown by flags, whose frames are whole already


@dataclass(frozen=True, eq=False)
class _Matched:
    """A frame with its fields matched: how far it differs from the one before, and whether none fitted."""

    timed: Timed
    differs: float = 0.0
    woven: bool = False
    order: Weave = Weave.UNKNOWN


def film(
    frames: Iterable[Timed], info: VideoInfo, *, deinterlace: bool, say: Callable[[str], None] = lambda line: None
) -> Iterator[Timed]:
    """Yield the frames of the film in ticks of a quarter of the length. `info` describes the file itself.

    Of each five frames, counted from the first one decoded, the four that stay are spread evenly over the time of the
    five: 29.97 frames a second become 23.976. Five without a repeated one, as of video between film, all stay, at
    their own times; five in which nothing moves are treated as those before them. `deinterlace` says whether bwdif
    treats what stays woven.
    """
    if info.bit_depth > 8:
        say(f"{info.path}: film is taken out of pulldown with 8 bits a channel, not {info.bit_depth}")
    keep = _Decimation()
    cycle: list[_Matched] = []
    for one in _compared(_matched(judged(frames), info, deinterlace=deinterlace)):
        cycle.append(one)
        if len(cycle) == CYCLE:
            yield from _spread(cycle, keep.dropped(cycle))
            cycle = []
    if cycle:
        yield from _spread(cycle, keep.dropped(cycle))


class _Decimation:
    """Says which frame of each cycle is a repeated one."""

    def __init__(self) -> None:
        self._is_film = True
        self._place = CYCLE - 1

    def dropped(self, cycle: Sequence[_Matched]) -> int | None:
        """Return the number of the frame to drop, or None."""
        differences = [one.differs for one in cycle]
        lengths = [one.timed.duration for one in cycle]
        if len(cycle) < 2 or max(lengths[:-1]) > _UNEVEN * min(lengths[:-1]):
            return None
        if sum(one.woven for one in cycle) >= _WOVEN:
            self._is_film = False
            return None
        least, second = sorted(differences)[:2]
        if _STILL < second < math.inf and least < _SAME * second:
            self._is_film, self._place = True, differences.index(least)
            return self._place
        if least > _MOVES:
            self._is_film = False
        return self._place if self._is_film and len(cycle) == CYCLE else None


def _spread(cycle: Sequence[_Matched], dropped: int | None) -> Iterator[Timed]:
    """Yield the frames of a cycle but the dropped one, each from its time to the next one's, in quarters of a tick."""
    kept = [one.timed for number, one in enumerate(cycle) if number != dropped]
    parts = FILM.numerator
    begin, end = cycle[0].timed.pts, cycle[-1].timed.pts + cycle[-1].timed.duration
    if dropped is None:
        times = [parts * timed.pts for timed in kept]
    else:
        step = CYCLE * (end - begin) / len(cycle)  # of five whole frames a quarter, in quarters of a tick
        times = [parts * begin + round(number * step) for number in range(len(kept))]
    for timed, time, after in zip(kept, times, [*times[1:], parts * end], strict=True):
        yield replace(timed, pts=time, duration=after - time)


def _matched(frames: Iterable[Judged], info: VideoInfo, *, deinterlace: bool) -> Iterator[_Matched]:
    """Yield the frames with their fields matched, those that stay woven deinterlaced if asked for."""
    steps = filtered(frames, info.time_base, chain_for=_fieldmatch, alike=lambda one: one.order)
    woven = (
        _Matched(replace(one.timed, picture=picture), woven=picture.interlaced_frame, order=one.order)
        for one, (picture,) in steps
    )
    if not deinterlace:
        yield from woven
        return
    for one, (picture,) in filtered(woven, info.time_base, chain_for=_bwdif, alike=lambda one: one.order):
        yield replace(one, timed=replace(one.timed, picture=picture))


def _fieldmatch(one: Judged) -> Chain:
    order = "auto" if one.order is Weave.UNKNOWN else one.order.value
    return (("fieldmatch", f"order={order}:combmatch=full"),)


def _bwdif(one: _Matched) -> Chain:
    parity = "auto" if one.order is Weave.UNKNOWN else one.order.value
    return (("bwdif", f"mode=send_frame:parity={parity}:deint=interlaced"),)


def _compared(frames: Iterable[_Matched]) -> Iterator[_Matched]:
    """Yield the frames with how far each differs from the one before: the largest mean of any block."""
    before: np.ndarray | None = None
    for one in frames:
        now = luma(one.timed.picture)
        alike = before is not None and before.shape == now.shape
        yield replace(one, differs=_largest(abs(now - before)) if alike and before is not None else math.inf)
        before = now


def _largest(difference: np.ndarray) -> float:
    """Return the largest mean of the blocks of a difference (h, w); rows and columns beyond whole blocks count not."""
    height, width = (side // BLOCK for side in difference.shape)
    if not (height and width):
        return float(difference.mean())
    blocks = difference[: height * BLOCK, : width * BLOCK].reshape(height, BLOCK, width, BLOCK)
    return float(blocks.mean((1, 3)).max())
