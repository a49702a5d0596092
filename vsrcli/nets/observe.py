"""Named stages within the steps of the nets, such as warping, that a benchmark can observe from outside.

Without an observer a stage costs one more function call, less than a microsecond.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

Observer = Callable[[str], AbstractContextManager[None]]
"""Called with a stage's name; returns the context manager in which the stage runs."""

_observer: Observer | None = None


def stage(name: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that marks a function as the stage `name`."""

    def mark(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def marked(*args: P.args, **kwargs: P.kwargs) -> R:
            if _observer is None:
                return function(*args, **kwargs)
            with _observer(name):
                return function(*args, **kwargs)

        return marked

    return mark


@contextmanager
def observed(observer: Observer | None) -> Iterator[None]:
    """Report all stages that run in this context to `observer`; None reports none."""
    global _observer
    before, _observer = _observer, observer
    try:
        yield
    finally:
        _observer = before
