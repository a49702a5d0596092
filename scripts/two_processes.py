"""Time two shards in two processes of one thread each against one process of one thread, on a quiet machine.

    python scripts/two_processes.py [--model repvsr.bi] [--frames 480] [--size 160x120]

Prints the seconds of both and their ratio; 2 would be ideal. Starting Python and loading the net counts, as it does for
shards in life, so films of a few seconds show less than long ones.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import av
import numpy as np


def film(path: Path, frames: int, width: int, height: int) -> None:
    """Write shots of 60 frames, so that both shards begin at a cut."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "18", "preset": "veryfast"})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(frames):
            shot = number // 60
            wave = np.sin((x + 1.5 * number) / (5 + shot % 7)) + np.cos((y - number) / (6 + shot % 5))
            level = 60 * (shot % 2) + 70 + 30 * wave
            picture = np.repeat(level[..., None], 3, axis=2).clip(0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


def start(*words: object) -> "subprocess.Popen[bytes]":
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-m", "vsrcli", *map(str, words), "-q"], env=environment)


def finish(*processes: "subprocess.Popen[bytes]") -> None:
    for process in processes:
        if process.wait():
            sys.exit(f"a process ended with code {process.returncode}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="repvsr.bi")
    parser.add_argument("--frames", type=int, default=480)
    parser.add_argument("--size", default="160x120")
    asked = parser.parse_args()
    width, height = map(int, asked.size.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        source, plan = Path(folder) / "film.mkv", Path(folder) / "plan.json"
        film(source, asked.frames, width, height)
        options = ("-m", asked.model, "--preset", "ultrafast")
        began = time.monotonic()
        finish(start("upscale", source, "-o", Path(folder) / "one.mkv", *options))
        single = time.monotonic() - began
        words = [
            sys.executable,
            "-m",
            "vsrcli",
            "plan",
            source,
            "-o",
            Path(folder) / "two.mkv",
            *options,
            "--shards",
            "2",
        ]
        with plan.open("wb") as file:
            subprocess.run([*map(str, words), "-q"], stdout=file, check=True)
        began = time.monotonic()
        finish(start("run", plan, "--shard", "1/2"), start("run", plan, "--shard", "2/2"))
        double = time.monotonic() - began
        began = time.monotonic()
        finish(start("join", plan))
        joined = time.monotonic() - began
    ratio = f"{single / double:.2f} times as fast"
    print(f"one process {single:.1f} s, two {double:.1f} s: {ratio} (join: {joined:.1f} s more)")


if __name__ == "__main__":
    main()
