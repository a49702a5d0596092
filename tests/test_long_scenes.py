"""Models stay stable in long scenes: still, tripod, hand-held and zooming shots with known truth."""

import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import av
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.conftest import SHARED
from vsrcli.engine.device import pick_device, place
from vsrcli.engine.engine import Engine
from vsrcli.engine.options import EngineOptions
from vsrcli.engine.planning import make_plan
from vsrcli.engine.tensors import TensorEngine
from vsrcli.media.strength.compress import compressed
from vsrcli.nets.horizon import Horizon
from vsrcli.nets.recurrent import RecurrentNet
from vsrcli.quality import degrade
from vsrcli.zoo import loading

PHOTO = SHARED / "data" / "vid4" / "calendar" / "00000010.png"
needs_photo = pytest.mark.skipif(not PHOTO.is_file(), reason="the sharp picture (../shared/data/vid4) is not here")

DEFAULT = Horizon()
HEIGHT, WIDTH = 160, 192
"""Of the HR frames."""
STRETCH = 30
SCENES = ("still", "tripod", "hand-held", "zoom")
MODELS = (
    "basicvsr.reds4",
    "basicvsr.vimeo90k-bi",
    "basicvsr.vimeo90k-bd",
    "basicvsr.real",
    "iconvsr.bi",
    "iconvsr.mild",
    "iconvsr.real",
    "repvsr.bi",
    "repvsr.bd",
    "repvsr.mild",
    "repvsr.real",
    "animesr.v1",
    "animesr.v2",
)


def photo() -> Tensor:
    with av.open(PHOTO) as container:
        picture = next(container.decode(video=0)).to_ndarray(format="rgb24")
    return torch.from_numpy(picture).permute(2, 0, 1).float() / 255


def scene(kind: str, length: int) -> Iterator[Tensor]:
    """Yield HR frames (3, HEIGHT, WIDTH) in [0, 1] of a camera in front of a sharp picture."""
    picture = photo()
    generator = torch.Generator().manual_seed(zlib.crc32(kind.encode()))
    position, velocity = torch.zeros(2), torch.zeros(2)
    for number in range(length):
        zoom = 1.0
        if kind == "hand-held":
            velocity = 0.9 * velocity + 0.5 * torch.randn(2, generator=generator)
            position = 0.97 * (position + velocity)
        elif kind == "zoom":
            zoom = 1 - 0.3 * number / length
        frame = view(picture, 300 + position, zoom)
        if kind == "tripod":
            left = round(1.5 * number) % (WIDTH - 48)
            frame[:, 60:108, left : left + 48] = picture[:, 480:528, 100:148]
        yield (frame * 255).round() / 255


def view(picture: Tensor, centre: Tensor, zoom: float) -> Tensor:
    """Return a camera's view of a picture: bicubic samples around `centre` (2), `zoom` times the distance apart."""
    h, w = picture.shape[-2:]
    ys = (centre[0] + (torch.arange(HEIGHT) - HEIGHT / 2) * zoom + 0.5) * (2 / h) - 1
    xs = (centre[1] + (torch.arange(WIDTH) - WIDTH / 2) * zoom + 0.5) * (2 / w) - 1
    grid = torch.stack(torch.meshgrid(xs, ys, indexing="xy"), -1)[None]
    return F.grid_sample(picture[None], grid, mode="bicubic", align_corners=False)[0].clamp(0, 1)


def lowered(hr: Tensor, degradation: str | None, crf: int | None) -> list[Tensor]:
    """Return the LR frames (3, h, w) of HR frames (t, 3, sh, sw), compressed by x264 if a CRF is given."""
    make = degrade.bd if degradation == "bd" else degrade.bi
    lr = [make(frame[None, None], 4)[0, 0] for frame in hr]
    if crf is None:
        return lr
    levels = ((frame * 255).round().byte().permute(1, 2, 0).contiguous().numpy() for frame in lr)
    return [
        torch.from_numpy(x).permute(2, 0, 1).float() / 255 for x in compressed(levels, "libx264", {"crf": str(crf)})
    ]


def upscaled(net: RecurrentNet, lr: list[Tensor], horizon: Horizon | None = DEFAULT) -> Iterator[Tensor]:
    """Yield the HR frames of a job with default options."""
    device = pick_device("cpu")
    height, width = lr[0].shape[-2:]
    plan = make_plan(EngineOptions(horizon=horizon), net, height, width, device, torch.float32)
    engine = Engine(place(net, device, torch.float32), plan, device)
    yield from TensorEngine(engine).upscale(lr)


def psnr(a: Tensor, b: Tensor) -> float:
    return -10 * math.log10(float((a.clamp(0, 1) - b.clamp(0, 1)).square().mean()) + 1e-12)


def detail(hr: Tensor) -> float:
    """Return the energy above the LR frame's band."""
    low = F.interpolate(F.avg_pool2d(hr[None], 4), scale_factor=4, mode="bicubic", align_corners=False)[0]
    return float((hr - low).square().mean())


@dataclass
class Course:
    """A model's result on a long scene, frame by frame."""

    title: str
    still: bool
    gains: list[float] = field(default_factory=list)  # dB over bicubic, which tells how hard each moment is
    detail: list[float] = field(default_factory=list)  # energy, as a part of the truth's
    likeness: list[float] = field(default_factory=list)  # dB, to frame 15

    @property
    def early(self) -> float:
        return float(np.mean(self.gains[5:16]))

    @property
    def worst(self) -> float:
        """Return the gain of the worst stretch."""
        starts = range(STRETCH, len(self.gains) - STRETCH + 1, STRETCH)
        return min(float(np.mean(self.gains[start : start + STRETCH])) for start in starts)

    @property
    def early_detail(self) -> float:
        return max(self.detail[5:16])

    @property
    def late_detail(self) -> float:
        return max(self.detail[16:])

    @property
    def settled(self) -> float:
        """Return the lowest similarity to frame 15 in the second half."""
        return min(self.likeness[len(self.likeness) // 2 :])

    def __str__(self) -> str:
        settled = f", settled to {self.settled:.1f} dB" if self.still else ""
        return (
            f"{self.title}: {self.early:+.2f} dB over bicubic in frames 5 to 15, {self.worst:+.2f} in the worst "
            f"stretch; detail {self.early_detail:.2f} and {self.late_detail:.2f} of the truth's{settled}"
        )


def course(model: str, kind: str, length: int, crf: int | None, horizon: Horizon | None = DEFAULT) -> Course:
    """Upscale a scene and compare each frame with the truth."""
    loaded = loading.load(model)
    hr = torch.stack(list(scene(kind, length)))
    lr = lowered(hr, loaded.degradation, crf)
    made = Course(f"{model} {kind}, {length} frames, CRF {crf}, horizon {horizon}", still=kind == "still")
    fifteenth = hr[0]
    for number, (frame, truth, small) in enumerate(zip(upscaled(loaded.net, lr, horizon), hr, lr, strict=True)):
        assert frame.isfinite().all()
        made.gains.append(psnr(frame, truth) - psnr(degrade.imresize(small[None], 4)[0], truth))
        made.detail.append(detail(frame) / detail(truth))
        fifteenth = frame if number == 15 else fifteenth
        made.likeness.append(psnr(frame, fifteenth))
    return made


@pytest.mark.slow
@needs_photo
@pytest.mark.parametrize("crf", [None, 23])
@pytest.mark.parametrize("kind", SCENES)
@pytest.mark.parametrize("model", MODELS)
def test_models_stay_stable_in_long_scenes(model: str, kind: str, crf: int | None) -> None:
    made = course(model, kind, 600, crf)
    print(made)
    assert made.worst >= made.early - 0.3
    assert made.late_detail <= 1.1 * max(1.0, made.early_detail)
    if made.still and crf is None:
        assert made.settled >= 40


@needs_photo
@pytest.mark.slow
def test_a_still_converges_where_the_papers_recurrence_diverges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.test_long_scenes.HEIGHT", 96)
    monkeypatch.setattr("tests.test_long_scenes.WIDTH", 96)
    net = loading.load("basicvsr.reds4").net
    lr = lowered(torch.stack(list(scene("still", 40))), "bi", None)
    frames = list(upscaled(net, lr))
    assert psnr(frames[39], frames[15]) > 40 and psnr(frames[30], frames[15]) > 40
    papers = list(upscaled(net, lr, horizon=None))
    assert psnr(papers[39], papers[15]) < 35
