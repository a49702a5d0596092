"""What is done when memory runs out: make room and try again."""

from collections.abc import Callable, Iterator
from typing import TypeVar

import torch

from vsrcli.errors import OutOfMemoryError

T = TypeVar("T")


def with_room(attempt: Callable[[int], Iterator[T]], make_room: Callable[[], None]) -> Iterator[T]:
    """Yield what `attempt(done)` yields, where `done` items have been yielded before.

    Each time memory runs out, `make_room` is called, when nothing holds what the attempt had made, and the rest is
    attempted anew. It ends when an attempt ends, and raises what `make_room` and, other than for memory, the attempt
    raise.
    """
    done = 0
    while True:
        try:
            for item in attempt(done):
                done += 1
                yield item
                del item  # it must not be held while the next one is made
            return
        except (torch.OutOfMemoryError, RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        make_room()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception of torch or Python says that memory ran out."""
    if isinstance(error, OutOfMemoryError):
        return False
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    # CPU allocators; MPS, and CUDA outside PyTorch's allocator; cuDNN and cuBLAS
    signs = ("not enough memory", "can't allocate memory", "out of memory", "ALLOC_FAILED")
    return any(sign in str(error) for sign in signs)
