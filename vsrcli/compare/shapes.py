"""The shapes in which videos are shown, whatever their pixels and turns: only one shape can be laid over itself."""

from collections.abc import Sequence

from vsrcli.errors import UsageError
from vsrcli.media.info import VideoInfo
from vsrcli.words import shape

_OFF = 2
"""Pixels of the smaller picture that rounding and even sizes may make two of one shape differ by."""


def check_shapes(infos: Sequence[VideoInfo]) -> None:
    """Raise UsageError if the videos are not all shown in the first one's shape."""
    first, *others = infos
    for other in others:
        if not alike(first.shown, other.shown):
            a, b = (
                f"{info.path.name} {verb}{_described(info)}" for info, verb in ((first, "is shown as "), (other, "as "))
            )
            raise UsageError(f"{a}, {b}: they cannot be laid over each other")


def alike(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Return whether two (width, height) have one shape, to some pixels of the smaller one."""
    (w, h), (width, height) = sorted((one, other))
    return abs(height / h - width / w) * min(h, w) <= _OFF


def largest(infos: Sequence[VideoInfo]) -> tuple[int, int]:
    """Return how wide and high the video of the most pixels is shown."""
    return max(infos, key=lambda info: info.width * info.height).shown


def _described(info: VideoInfo) -> str:
    return "{}x{} ({})".format(*info.shown, shape(*info.shown))
