"""Timecodes (SMPTE ST 12-1): hours, minutes, seconds and frames, which number the frames of a recording."""

import re
from fractions import Fraction

from av.stream import Stream

from vsrcli.media.info import VideoInfo

_FORM = re.compile(r"(\d\d):(\d\d):(\d\d)([:;.])(\d\d)")
_MINUTE, _HOURS = 60, 24


def first_code(info: VideoInfo, stream: Stream, offset: Fraction) -> str | None:
    """Return the timecode of a result's first frame, which is shown `offset` seconds after the source's, if it has one.

    `stream` is the source's picture, by whose nominal rate its own code counts.
    """
    rate = getattr(stream, "guessed_rate", None)
    if info.timecode is None or not rate:
        return info.timecode
    return timecode_at(info.timecode, offset, rate, info.rate)


def timecode_at(code: str, offset: Fraction, old: Fraction, new: Fraction) -> str:
    """Return the timecode of the frame that is `offset` seconds after the one with `code`, as it counts at a new rate.

    A separator of ";" or "." means drop-frame, which leaves out numbers so that the code stays with the clock at 29.97
    and 59.94 frames a second. Text that is no timecode is returned as it is.

    Args:
        code: hours, minutes, seconds, frames, e.g. "01:00:00:00".
        offset: seconds.
        old: frames a second that `code` counts.
        new: frames a second that the result counts.
    """
    match = _FORM.fullmatch(code)
    if not match or old <= 0 or new <= 0:
        return code
    hours, minutes, seconds, frames = (int(match[group]) for group in (1, 2, 3, 5))
    minutes += hours * _MINUTE
    dropped = _dropped(old) if match[4] != ":" else 0
    number = (minutes * _MINUTE + seconds) * round(old) + frames - dropped * (minutes - minutes // 10)
    number = round((number + round(offset * old)) * new / old)
    dropped = _dropped(new) if match[4] != ":" else 0
    return _written(number, round(new), dropped, match[4] if dropped else ":")


def _dropped(rate: Fraction) -> int:
    """Return how many numbers a minute drop-frame leaves out, except in every tenth: 2 at 29.97, 4 at 59.94."""
    return round(rate) // 15 if round(rate) % 30 == 0 and rate.denominator == 1001 else 0


def _written(number: int, rate: int, dropped: int, separator: str) -> str:
    """Return the timecode of a frame by its number from midnight on."""
    if dropped:
        tens, rest = divmod(number, 10 * _MINUTE * rate - 9 * dropped)
        minutes = max(0, rest - dropped) // (_MINUTE * rate - dropped)
        number += dropped * (9 * tens + minutes)
    seconds, frames = divmod(number, rate)
    minutes, seconds = divmod(seconds, _MINUTE)
    hours, minutes = divmod(minutes, _MINUTE)
    return f"{hours % _HOURS:02}:{minutes:02}:{seconds:02}{separator}{frames:02}"
