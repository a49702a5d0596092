"""Upscale a video from Python, with a progress line of your own.

python examples/python_api.py in.mp4 out.mp4
python examples/python_api.py in.mp4 out.mp4 basicvsr
"""

import sys

import vsrcli
from vsrcli.errors import VsrError
from vsrcli.pipeline import Event


def show(event: Event) -> None:
    """Called from time to time while the job runs; vsr itself prints nothing."""
    if event.kind in ("note", "warning"):
        print(event.text, file=sys.stderr)
    elif event.kind == "frame":
        print(f"\rframe {event.done} of {event.total or '?'}", end="", file=sys.stderr, flush=True)
    elif event.kind == "done":
        print(file=sys.stderr)


def main() -> int:
    if len(sys.argv) not in (3, 4):
        print(f"usage: {sys.argv[0]} INPUT OUTPUT [MODEL]", file=sys.stderr)
        return 2
    source, output, *model = sys.argv[1:]
    try:
        # Further options are named as on the command line: height=1080, crf=16, precision="bf16", overwrite=True, ...
        result = vsrcli.upscale(source, output, model=model[0] if model else None, on_event=show)
    except VsrError as error:  # every failure of vsr is one of these, with a message that says what to do
        print(error, file=sys.stderr)
        return error.exit_code
    width, height = result.size
    print(f"{result.output}: {result.frames} frames of {width}x{height} by {result.model} in {result.seconds:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
