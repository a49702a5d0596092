"""Upscale frames in memory: vsr writes no file. Here frames are read from a video, and some are saved as PNG.

    python examples/frames_in_memory.py in.mp4 pictures/

Pillow writes the pictures (`pip install pillow`). Frames may come from anywhere: arrays (h, w, 3) of RGB in uint8,
uint16 or float32.
"""

import sys
from pathlib import Path

from PIL import Image

import vsrcli

source, folder = sys.argv[1], Path(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)
upscaler = vsrcli.Upscaler("repvsr.real")
for frame in upscaler.frames(vsrcli.read(source, end=1.0)):  # the first second; frames come and go one by one
    if frame.number % 10 == 0:
        Image.fromarray(frame.data).save(folder / f"{frame.number:04}.png")
print(f"upscaled {frame.number + 1} frames to {frame.width}x{frame.height}")
