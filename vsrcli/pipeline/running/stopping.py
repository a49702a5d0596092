"""What a stopped job tells: what is kept, and what will be made again."""

from vsrcli.errors import GO_ON, InterruptedJobError
from vsrcli.words import counted


def interrupted(kept: int, made: int, *, swept: bool = False) -> InterruptedJobError:
    """Return the error of a job that was stopped when `made` frames were made and the first `kept` were in segments.

    `swept`: states of exact propagation are kept, too.
    """
    again = max(0, made - kept)
    if kept:
        what, them = ("the first frame", "it") if kept == 1 else (f"the first {kept} frames", "them")
        are = "is" if kept == 1 and not swept else "are"
        text = f"{what}{' and what was swept' if swept else ''} {are} kept"
        text += f", the {again} after {them} will be made again" if again else ""
    elif swept:
        text = "what was swept is kept" + (f", {counted(again, 'frame')} will be made again" if again else "")
    else:
        text = "no frame is kept yet" + (f", the first {again} will be made again" if again > 1 else "")
    return InterruptedJobError(f"stopped: {text}{GO_ON}")
