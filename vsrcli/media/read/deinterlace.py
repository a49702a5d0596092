"""Deinterlace frames with ffmpeg's bwdif: one frame out for each frame in, or one for each of its fields."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain

import av

from vsrcli.frame import is_uneven
from vsrcli.media.info import VideoInfo
from vsrcli.media.options import Deinterlace
from vsrcli.media.read.combing import Weave
from vsrcli.media.read.field_order import Judged, judged
from vsrcli.media.read.filtering import Chain, filtered
from vsrcli.media.read.timestamps import Timed

FIELDS = 2
"""Of a frame."""


def deinterlaced(
    frames: Iterable[Timed], info: VideoInfo, mode: Deinterlace, say: Callable[[str], None] = lambda line: None
) -> Iterator[Timed]:
    """Yield the frames in order, those selected by `mode` filtered by bwdif. `info` describes the file itself.

    "on" means all, "off" none, "auto" those flagged interlaced (all, if the stream declares it but flags none) that
    are woven of two fields, "woven" all that are: a frame that is whole, as of film on a DVD, stays as it is. All four
    keep pts and duration. "double" yields two frames for each, in ticks of half the length: the first at the frame's
    own time, the second half of the frame's duration later. A whole frame is shown twice there. Which field comes
    first is judged by the picture; where that is not clear, the flag says it. `say` hears, once, that doubled frames
    differ in length.
    """
    if mode == "off":
        yield from frames
        return
    stream = iter(frames)
    if mode == "auto":
        for timed in stream:
            if timed.picture.interlaced_frame or info.interlaced:
                stream = chain([timed], stream)
                break
            yield timed
        else:
            return
    pulls = FIELDS if mode == "double" else 1
    stream = _watched(stream, info, say) if mode == "double" else stream
    whole = False
    for one, pictures in filtered(
        judged(stream),
        info.time_base,
        chain_for=lambda one: _bwdif(one, info, mode),
        alike=lambda one: one.order,
        pulls=pulls,
    ):
        whole = whole if one.weave is Weave.UNKNOWN else one.weave is Weave.WHOLE
        kept = not pictures or (whole and mode != "on")
        shown = [one.timed.picture] * pulls if kept else pictures
        yield from _timed(one.timed, shown) if mode == "double" else [replace(one.timed, picture=shown[0])]


def _timed(frame: Timed, pictures: Iterable[av.VideoFrame]) -> Iterator[Timed]:
    """Yield a frame's two pictures, each for half of its time, in ticks of half the length."""
    for number, picture in enumerate(pictures):
        yield replace(frame, picture=picture, pts=FIELDS * frame.pts + number * frame.duration)


def _bwdif(one: Judged, info: VideoInfo, mode: Deinterlace) -> Chain | None:
    """Return the filter for the frames from here on, None for no frames yet."""
    flagged = one.timed.picture.interlaced_frame
    if mode == "auto" and not (flagged or info.interlaced):
        return None
    which = "interlaced" if mode == "auto" and flagged else "all"
    parity = "auto" if one.order is Weave.UNKNOWN else one.order.value
    rate = "send_field" if mode == "double" else "send_frame"
    return (("bwdif", f"mode={rate}:parity={parity}:deint={which}"),)


def _watched(frames: Iterable[Timed], info: VideoInfo, say: Callable[[str], None]) -> Iterator[Timed]:
    """Pass frames on, and say once that they differ in length; the last one's is not known in every file."""
    usual: int | None = None
    before: int | None = None
    for timed in frames:
        if before is not None and usual is None:
            usual = before
        elif before is not None and usual and is_uneven(before, usual, info.time_base):
            say(f"{info.path}: its frame rate varies: each field is shown for half of its frame's time")
            usual = 0
        before = timed.duration
        yield timed
