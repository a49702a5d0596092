"""Upscale a video in a thread, show the progress, and stop it after some seconds; run it again to continue.

    python examples/progress_and_cancel.py in.mp4 out.mp4 [SECONDS]

A window with a progress bar and a cancel button works the same way.
"""

import sys
import threading

import vsrcli
from vsrcli.errors import InterruptedJobError, VsrError
from vsrcli.pipeline import Event


def show(event: Event) -> None:
    """Print progress. It is called from the threads of the job; vsr itself prints nothing."""
    if event.kind in ("note", "warning"):
        print(event.text, file=sys.stderr)
    elif event.kind == "frame":
        print(f"\rframe {event.done} of {event.total or '?'}", end="", file=sys.stderr, flush=True)


source, output = sys.argv[1:3]
cancel = threading.Event()
if len(sys.argv) > 3:
    threading.Timer(float(sys.argv[3]), cancel.set).start()
try:
    result = vsrcli.upscale(source, output, on_event=show, cancel=cancel)
except InterruptedJobError as stopped:
    print(f"\n{stopped}", file=sys.stderr)
except VsrError as error:
    sys.exit(f"\n{error}")
else:
    print(f"\n{result.output}: {result.frames} frames of {result.size[0]}x{result.size[1]} in {result.seconds:.0f} s")
