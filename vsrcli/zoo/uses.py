"""Say in words for people what models are for, and how fast they are."""

from vsrcli.zoo.catalogue import Entry

USES = {
    "anime": "drawn animation",
    "real": "compressed video",
    "mild": "mildly compressed video",
    "bi": "clean video",
    "bd": "soft or blurred video",
}
"""By content or degradation, what models are for."""
SPEEDS = {"fast": 100.0, "medium": 400.0}
"""By the most GFLOP that a 320x180 frame takes."""
SLOWEST = "slow"


def use_of(entry: Entry) -> str:
    """Return for which sources a model is, in words for people."""
    return entry.use or USES.get(entry.content, USES.get(entry.degradation, entry.degradation))


def speed_of(entry: Entry) -> str:
    """Return how fast a model is, in a word, by what a frame costs."""
    return next((word for word, most in SPEEDS.items() if entry.gflop <= most), SLOWEST)
