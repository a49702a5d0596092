"""Read frame rates as they are usually written."""

from fractions import Fraction

_NTSC = {
    Fraction(written): Fraction(whole * 1000, 1001)
    for whole, texts in {
        24: ("23.976", "23.98"),
        30: ("29.97",),
        48: ("47.952",),
        60: ("59.94",),
        120: ("119.88",),
    }.items()
    for written in texts
}
"""Rates of NTSC by the decimals with which they are written."""


def exact_rate(rate: Fraction) -> Fraction:
    """Return the rate that is meant: decimals of NTSC's stand for a multiple of 1000/1001, as 29.97 for 30000/1001."""
    return _NTSC.get(rate, rate)
