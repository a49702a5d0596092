"""Upscale a video from Python, with a progress line of your own.

python examples/python_api.py in.mp4 out.mp4
python examples/python_api.py in.mp4 out.mp4 basicvsr
"""

import sys

import vsrcli
from vsrcli.errors import VsrError


def show(event: object) -> None:
    """Called with each event of the job: what it does, how many frames are done, warnings."""
    print(event, file=sys.stderr)


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
    print(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
