"""Keep an encoder from taking real-time priority: SVT-AV1 does this if it may (as root), and blocks the machine."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def ordinary_scheduling() -> Iterator[None]:
    """Restore the ordinary scheduling of every thread that became a real-time one inside the block.

    SVT-AV1 sets the calling thread and its own to SCHED_FIFO at the highest priority. All later threads of the process,
    including the net's, inherit it, and nothing else runs on the machine. Only Linux has this interface.
    """
    before = _realtime_threads()
    try:
        yield
    finally:
        for thread in _realtime_threads() - before:
            with contextlib.suppress(OSError):  # the thread has ended
                os.sched_setscheduler(thread, os.SCHED_OTHER, os.sched_param(0))


def _realtime_threads() -> set[int]:
    """Return the ids of this process's threads that run under SCHED_FIFO or SCHED_RR; none where that is unknown."""
    if not hasattr(os, "sched_getscheduler"):
        return set()
    found = set()
    for task in Path("/proc/self/task").glob("*"):
        with contextlib.suppress(OSError):
            if os.sched_getscheduler(int(task.name)) in (os.SCHED_FIFO, os.SCHED_RR):
                found.add(int(task.name))
    return found
