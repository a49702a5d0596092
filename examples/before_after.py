"""Writes a before/after picture: a source frame enlarged by bicubic interpolation beside the same frame upscaled.

    python examples/before_after.py examples/demo.mp4 demo_x4.mp4 before_after.png
    python examples/before_after.py in.mp4 in_x4.mp4 picture.png --at 0.4 --zoom 220 400 160 90

Below the two frames, a detail of both is shown larger (--zoom: left, top, width and height in pixels of the result).
"""

import argparse
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

GAP = 8
PAPER = (18, 18, 20)


def frame_at(path: Path, part: float) -> np.ndarray:
    """The frame at `part` (0..1) of the video: (h, w, 3) uint8."""
    with av.open(str(path)) as container:
        count = sum(1 for _ in container.decode(video=0))
    wanted = min(int(part * count), count - 1)
    with av.open(str(path)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index == wanted:
                return frame.to_ndarray(format="rgb24")
    raise SystemExit(f"{path}: no video frames")


def enlarge(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """Bicubic enlargement to (height, width, 3) uint8."""
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), "rgb24")
    return frame.reformat(width, height, interpolation="BICUBIC").to_ndarray()


def before_after(before: np.ndarray, after: np.ndarray, zoom: tuple[int, int, int, int]) -> np.ndarray:
    """Source frame and upscaled frame side by side, a detail (x, y, w, h) of both below: (h, w, 3) uint8."""
    h, w, _ = after.shape
    x, y, zoom_w, zoom_h = zoom
    detail_h = w * zoom_h // zoom_w
    picture = np.full((h + detail_h + 3 * GAP, 2 * w + 3 * GAP, 3), PAPER, np.uint8)
    for column, side in enumerate((enlarge(before, w, h), after)):
        left = GAP + column * (w + GAP)
        picture[GAP : GAP + h, left : left + w] = side
        detail = enlarge(side[y : y + zoom_h, x : x + zoom_w], w, detail_h)
        picture[h + 2 * GAP : h + 2 * GAP + detail_h, left : left + w] = detail
    return picture


def save_png(path: Path, picture: np.ndarray) -> None:
    """Write (h, w, 3) uint8 as PNG."""
    encoder = av.CodecContext.create("png", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.height, encoder.width, _ = picture.shape
    encoder.pix_fmt, encoder.framerate = "rgb24", Fraction(1)
    packets = [*encoder.encode(av.VideoFrame.from_ndarray(picture, "rgb24")), *encoder.encode(None)]
    path.write_bytes(b"".join(bytes(p) for p in packets))


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a before/after picture.")
    parser.add_argument("source", type=Path)
    parser.add_argument("result", type=Path)
    parser.add_argument("picture", type=Path)
    parser.add_argument("--at", type=float, default=0.5, help="which part of the video, 0..1 (default 0.5)")
    parser.add_argument("--zoom", nargs=4, type=int, metavar=("X", "Y", "W", "H"), help="detail (default: the middle)")
    arguments = parser.parse_args()
    before, after = frame_at(arguments.source, arguments.at), frame_at(arguments.result, arguments.at)
    h, w, _ = after.shape
    x, y, zoom_w, zoom_h = arguments.zoom or (3 * w // 8, 3 * h // 8, w // 4, h // 4)
    save_png(arguments.picture, before_after(before, after, (x, y, zoom_w, zoom_h)))
    print(arguments.picture)


if __name__ == "__main__":
    main()
