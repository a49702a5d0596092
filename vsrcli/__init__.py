"""vsr upscales real videos with recurrent video super-resolution."""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from vsrcli.api import upscale

__all__ = ["__version__", "upscale"]


def __getattr__(name: str) -> Any:
    """`vsrcli.upscale`, imported when it is first used, so that `import vsrcli` stays light."""
    if name == "upscale":
        from vsrcli.api import upscale

        return upscale
    raise AttributeError(f"module 'vsrcli' has no attribute '{name}'")
