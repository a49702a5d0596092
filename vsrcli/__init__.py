"""vsr upscales real videos with recurrent video super-resolution.

import vsrcli
vsrcli.upscale("in.mp4", "out.mp4")                          # one file
upscaler = vsrcli.Upscaler("repvsr.real")                    # many: the model is loaded once
for frame in upscaler.frames(vsrcli.read("in.mp4")): ...     # frames in memory

Notes and warnings that no `on_event` or `progress` takes go to the logger "vsrcli" (see `vsrcli.log`).
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from vsrcli.api import Upscaler, list_models, read, upscale
    from vsrcli.frame import Frame

__all__ = ["Frame", "Upscaler", "__version__", "list_models", "read", "upscale"]

_MODULES = {"Frame": "frame", "Upscaler": "api", "list_models": "api", "read": "api", "upscale": "api"}


def __dir__() -> list[str]:
    """Return the names of the interface, also of those parts that are not imported yet."""
    return __all__


def __getattr__(name: str) -> Any:
    """Import a part of the interface when it is first used, so that `import vsrcli` stays fast."""
    if name in _MODULES:
        import importlib

        return getattr(importlib.import_module(f"vsrcli.{_MODULES[name]}"), name)
    raise AttributeError(f"module 'vsrcli' has no attribute {name!r}")
