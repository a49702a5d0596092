"""Judge before work begins how a source's pictures are woven, and whether there are fields to make frames of."""

from collections import Counter
from contextlib import suppress
from fractions import Fraction
from itertools import islice

from vsrcli.errors import InputError
from vsrcli.media.info import VideoInfo
from vsrcli.media.options import Deinterlace
from vsrcli.media.read.combing import VOTES, Weave, clear_order
from vsrcli.media.read.decode import timed_frames
from vsrcli.media.read.field_order import LOOKED_AT, judged

PLACES = 5
"""Number of evenly spread places that are looked at."""
_SLOWEST, _FASTEST = Fraction(49, 2), Fraction(61, 2)
"""Frames a second between which those of interlaced video lie: 25, and 30 or a little less."""


def weave(info: VideoInfo) -> Weave:
    """Return how the first pictures that show it are woven: the order of their fields, WHOLE if all are whole.

    It is UNKNOWN where nothing moves in any of the places.
    """
    own, whole = info.own, 0
    for place in range(PLACES if own.duration else 1):
        start = own.start_time + (own.duration or 0.0) * place / PLACES
        with suppress(InputError):  # a damaged place tells nothing
            votes = Counter(one.weave for one in judged(islice(timed_frames(own, start), LOOKED_AT)))
            order = clear_order(votes)
            if order is not Weave.UNKNOWN:
                return order
            whole += votes[Weave.WHOLE]
    return Weave.WHOLE if whole >= VOTES else Weave.UNKNOWN


def has_fields(info: VideoInfo) -> bool:
    """Return whether pictures of a source are woven of two fields; where nothing moves, its flags say it."""
    if info.images:
        return False
    found = weave(info)
    return info.interlaced if found is Weave.UNKNOWN else found is not Weave.WHOLE


def deinterlacing(info: VideoInfo, asked: Deinterlace) -> Deinterlace:
    """Return the way in which a source is deinterlaced.

    Without fields, none become frames, and "double" is "auto". Where the pictures show fields that nothing declares, as
    in most lossless captures, "auto" is "woven".
    """
    if asked == "double" and not has_fields(info):
        return "auto"
    if asked == "auto" and may_hide_fields(info) and weave(info) in (Weave.TOP_FIRST, Weave.BOTTOM_FIRST):
        return "woven"
    return asked


def may_hide_fields(info: VideoInfo) -> bool:
    """Return whether a source has a rate of interlaced video without being flagged so, and can be looked into."""
    rate = info.own.rate
    return not (info.images or info.interlaced or info.once) and _SLOWEST < rate < _FASTEST
