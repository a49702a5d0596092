"""Upscale many files with one model that is loaded once; failures are named, and the other files continue.

python examples/many_files.py large/ tape1.avi tape2.mov ...
"""

import sys
from pathlib import Path

import vsrcli
from vsrcli.errors import OutputExistsError, VsrError

folder, sources = Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]]
folder.mkdir(parents=True, exist_ok=True)
upscaler = vsrcli.Upscaler()  # picks the weights by each source, and keeps all that it has loaded
failed = 0
for source in sources:
    try:
        result = upscaler.video(source, folder / f"{source.stem}.mkv", preset="fast")
        print(f"{result.output}: {result.frames} frames by {result.model}")
    except OutputExistsError as error:
        print(f"{error.path} is there already")
    except VsrError as error:  # every failure of vsr is one of these, and its text says what happened
        print(f"{source}: {error}", file=sys.stderr)
        failed += 1
sys.exit(3 if failed else 0)
