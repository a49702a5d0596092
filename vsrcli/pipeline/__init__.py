"""One job: decode -> engine -> encode -> assemble, overlapped, resumable, cancellable. Emits events, draws nothing.

`vsrcli.pipeline.running.run.run` runs it.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vsrcli.pipeline.events import Event
    from vsrcli.pipeline.jobs.job import prepare
    from vsrcli.pipeline.options import Options
    from vsrcli.pipeline.running.run import Result

__all__ = ["Event", "Options", "Result", "prepare"]

_MODULES = {"Event": "events", "Options": "options", "Result": "running.run", "prepare": "jobs.job"}


def __getattr__(name: str) -> Any:
    """Import a part when it is first used: the options alone need neither torch nor PyAV."""
    if name in _MODULES:
        return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
