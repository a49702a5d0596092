"""Render examples/demo.mp4, a two-second street scene with sound, and on request its ground truth.

    python scripts/make_demo.py                 # writes examples/demo.mp4 (160x120)
    python scripts/make_demo.py --hr truth/     # and the same frames in four times the size as truth/%08d.png

All drawings and sounds are original, so the clip is free to use. Besides vsr's dependencies, this script needs Pillow
(`pip install pillow`). The camera pans, rolls and zooms by fractions of a pixel a frame, a van crosses the picture, and
leaves sway: the sub-pixel motion that recurrent nets use. The van's number plate is blurred in every single frame.
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path

import av
import demo_scene as scene
import numpy as np
import torch
from PIL import Image

from vsrcli.quality.degrade import bi

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
FRAMES, RATE = 48, 24
VIEW = (640, 480)
SCALE = 4
SAMPLE_RATE = 48000
HORN = (26, 31)  # frames at which the van flashes its headlight and hoots

Affine = tuple[float, float, float, float, float, float]


class Street:
    """The scene at `density` samples a unit of the 640x480 view, ready to render any frame."""

    def __init__(self, density: float = 2) -> None:
        self.density = density
        self.size = (round(VIEW[0] * density), round(VIEW[1] * density))
        self.layers = {
            draw.__name__: draw(density)
            for draw in (scene.facade, scene.van, scene.wheel, scene.flash, scene.wires, scene.leaves)
        }

    def render(self, index: int) -> np.ndarray:
        """Return frame `index` as (480 * density, 640 * density, 3) uint8."""
        t = index / (FRAMES - 1)
        picture = np.zeros((self.size[1], self.size[0], 3), np.float32)
        self._lay(picture, "facade", _camera(t, 1.0))
        travelled = 270 * t + 12 * np.sin(2.2 * t)
        left, top = 76 + travelled, 370 + 0.5 * np.sin(9 * t)
        near = _camera(t, 1.25)
        self._lay(picture, "van", near @ _shift(left, top))
        for x, y in scene.VAN_AXLES:
            turned = _turn(travelled / scene.WHEEL_RADIUS)
            self._lay(picture, "wheel", near @ _shift(left + x, top + y) @ turned @ _shift(-22, -22))
        if any(0 <= index - start < 3 for start in HORN):
            self._lay(picture, "flash", near @ _shift(left + scene.LAMP[0] - 60, top + scene.LAMP[1] - 60))
        self._lay(picture, "wires", _camera(t, 1.5))
        self._lay(picture, "leaves", _camera(t, 2.0) @ _shift(30, -6) @ _turn(0.022 * np.sin(5 * t)))
        levels: np.ndarray = np.clip(picture + 0.5, 0, 255).astype(np.uint8)
        return levels

    def _lay(self, picture: np.ndarray, name: str, to_view: np.ndarray) -> None:
        """Draw a layer over the picture; `to_view` (3, 3) maps its units to those of the view."""
        back = np.linalg.inv(to_view)
        back[:, 2] *= self.density
        a, b, c, d, e, f = (float(v) for v in back[:2].ravel())
        layer = self.layers[name]
        seen = layer.transform(self.size, Image.Transform.AFFINE, (a, b, c, d, e, f), Image.Resampling.BICUBIC)
        values = np.asarray(seen, np.float32)
        picture *= 1 - values[..., 3:] / 255
        picture += values[..., :3]


def _shift(x: float, y: float) -> np.ndarray:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])


def _turn(angle: float) -> np.ndarray:
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])


def _camera(t: float, nearness: float) -> np.ndarray:
    """Return the transform from world to view at time `t` (0..1); nearer layers move more.

    The camera pans slowly, and rolls and zooms slightly.
    """
    ease = t * t * (3 - 2 * t) * 0.5 + t * 0.5
    zoom = 1.0 + 0.035 * t
    pan = _shift(nearness * (18 - 38 * ease), nearness * (5 - 11 * ease))
    size = np.diag((zoom, zoom, 1.0))
    roll = _turn(np.deg2rad(0.9 * (t - 0.5)))
    centre = _shift(-scene.WORLD[0] / 2, -scene.WORLD[1] / 2)
    view: np.ndarray = _shift(VIEW[0] / 2, VIEW[1] / 2) @ roll @ size @ pan @ centre
    return view


def reduce_area(picture: np.ndarray, factor: int) -> np.ndarray:
    """Return means over factor x factor pixels: (h, w, 3) uint8 to (h/factor, w/factor, 3) uint8."""
    h, w, _ = picture.shape
    blocks = picture.reshape(h // factor, factor, w // factor, factor, 3)
    means: np.ndarray = (blocks.mean((1, 3), dtype=np.float64) + 0.5).astype(np.uint8)
    return means


def reduce_bicubic(picture: np.ndarray) -> np.ndarray:
    """Apply the BI degradation, for which the nets were trained: (h, w, 3) uint8 to (h/4, w/4, 3) uint8."""
    planes = torch.from_numpy(picture).permute(2, 0, 1) / 255
    return np.asarray((bi(planes, SCALE) * 255).round().byte().permute(1, 2, 0))


def sound(seconds: float = FRAMES / RATE) -> np.ndarray:
    """Return a music box, and the van's horn at the frames where its headlight flashes: (2, samples) float32."""
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    mix = np.zeros((2, t.size))
    melody = (76, 79, 84, 83, 79, 76, 74, 79, 77, 81, 86, 84, 79, 76, 72, 79)
    for i, note in enumerate(melody):
        since = t - 0.125 * i
        pitch = 440 * 2 ** ((note - 69) / 12)
        ring = np.where(since >= 0, np.exp(-5 * np.maximum(since, 0)), 0) * np.minimum(np.maximum(since, 0) * 400, 1)
        tone = sum(a * np.sin(2 * np.pi * pitch * k * since) for k, a in ((1, 1.0), (2, 0.35), (5, 0.12)))
        mix += 0.13 * ring * tone * np.array([[0.6 + 0.4 * np.cos(i)], [0.6 - 0.4 * np.cos(i)]])
    for frame in HORN:
        since = t - frame / RATE
        gate = np.clip(since * 150, 0, 1) * np.clip((0.13 - since) * 100, 0, 1)
        tone = sum(np.sin(2 * np.pi * f * k * since) / k for f in (349.2, 440.0) for k in (1, 2, 3))
        mix += 0.10 * gate * tone * np.array([[0.7 + 0.3 * frame / FRAMES], [1.0]])
    fade = np.clip((seconds - t) * 12, 0, 1)
    return (mix * fade).astype(np.float32)


def write(path: Path, frames: list[np.ndarray], samples: np.ndarray) -> None:
    """Write H.264 and AAC in mp4, tagged as BT.709."""
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        video = container.add_stream("libx264", rate=RATE, options={"crf": "9", "preset": "veryslow", "threads": "1"})
        video.height, video.width, _ = frames[0].shape
        video.pix_fmt = "yuv420p"
        context = video.codec_context
        context.colorspace = context.color_primaries = context.color_trc = 1
        context.color_range = 1
        audio = container.add_stream("aac", rate=SAMPLE_RATE, layout="stereo")
        audio.bit_rate = 96000
        for index, picture in enumerate(frames):
            rgb = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame = rgb.reformat(
                format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG", interpolation="BICUBIC"
            )
            frame.pts, frame.time_base = index, Fraction(1, RATE)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        for start in range(0, samples.shape[1], 1024):
            block = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[:, start : start + 1024]), "fltp", "stereo")
            block.sample_rate, block.pts, block.time_base = SAMPLE_RATE, start, Fraction(1, SAMPLE_RATE)
            container.mux(audio.encode(block))
        container.mux(audio.encode())


def main() -> None:
    parser = argparse.ArgumentParser(description="Render the demo clip.")
    parser.add_argument("-o", "--output", type=Path, default=EXAMPLES / "demo.mp4")
    parser.add_argument("--hr", type=Path, metavar="FOLDER", help="write the ground truth here, as PNG")
    arguments = parser.parse_args()
    street = Street()
    frames = []
    for index in range(FRAMES):
        truth = reduce_area(street.render(index), 2)
        if arguments.hr:
            arguments.hr.mkdir(parents=True, exist_ok=True)
            Image.fromarray(truth).save(arguments.hr / f"{index + 1:08d}.png")
        frames.append(reduce_bicubic(truth))
    write(arguments.output, frames, sound())
    print(f"{arguments.output}: {len(frames)} frames, {arguments.output.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
