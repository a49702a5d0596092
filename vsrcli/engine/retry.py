"""Retry with less memory when memory runs out."""

from collections.abc import Callable, Iterator
from typing import TypeVar

import torch

from vsrcli.errors import OutOfMemoryError

T = TypeVar("T")


def with_room(attempt: Callable[[int], Iterator[T]], make_room: Callable[[], None]) -> Iterator[T]:
    """Yield the items of `attempt(done)`, where `done` counts the items yielded so far.

    When memory runs out, `make_room` is called after the failed attempt has released its data, and the rest is
    attempted again. Exceptions of `make_room`, and those of the attempt that are not about memory, are passed on.
    """
    done = 0
    while True:
        try:
            for item in attempt(done):
                done += 1
                yield item
                del item  # must not be held while the next one is computed
            return
        except (torch.OutOfMemoryError, RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        make_room()


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception of torch or Python means that memory ran out."""
    if isinstance(error, OutOfMemoryError):
        return False
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    # CPU allocators; MPS, and CUDA outside PyTorch's allocator; cuDNN and cuBLAS
    signs = ("not enough memory", "can't allocate memory", "out of memory", "ALLOC_FAILED")
    return any(sign in str(error) for sign in signs)
