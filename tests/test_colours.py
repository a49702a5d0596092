"""Every model with local weights keeps colours: on flat patches, and on frames of real videos.

`pytest -s` prints the figures; the large nets take minutes and are `slow`.
"""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.engine.test_engine import run
from vsrcli.engine.engine import Engine
from vsrcli.engine.options import EngineOptions
from vsrcli.engine.planning import make_plan
from vsrcli.levels import picture_to_unit
from vsrcli.media.read.decode import decode
from vsrcli.media.read.probe import probe
from vsrcli.nets.recurrent import RecurrentNet
from vsrcli.quality.colour import PATCHES, TOLERANCE, colour_shift, flat
from vsrcli.zoo import loading, store
from vsrcli.zoo.catalogue import Entry, catalogue

REAL = ["bear_vp9_opus.webm", "phone_rotated_vfr.mp4", "rooftops_320x240_60fps.mp4", "stream_h264_aac.mp4"]
FRAMES = 3
CROP = (160, 200)
"""Of each video so many frames are tried, and of these so many rows and columns in the middle."""

ALWAYS = ("repvsr.real",)
"""What is tried each time: the default model. All others are tried in the slow tests."""

HERE = [entry for entry in catalogue().models.values() if store.locate(entry)]
MODELS = pytest.mark.parametrize(
    "entry",
    [pytest.param(e, id=e.name, marks=[] if e.name in ALWAYS else [pytest.mark.slow]) for e in HERE],
)


def net_of(entry: Entry) -> RecurrentNet:
    return loading.load(entry.name).net


def shift(net: RecurrentNet, clip: Tensor) -> Tensor:
    """Return the mean colour shift (3,) over the frames of a clip (t, 3, h, w) upscaled with default options."""
    device = torch.device("cpu")
    height, width = clip.shape[-2:]
    plan = make_plan(EngineOptions(), net, height, width, device, torch.float32)
    return colour_shift(run(Engine(net, plan, device), clip), clip).mean(0)


def text(found: Tensor) -> str:
    return " ".join(f"{value:+.3f}" for value in found.tolist())


@MODELS
@torch.inference_mode()
@pytest.mark.parametrize("grey", [True, False], ids=["greys", "colours"])
def test_flat_patches_keep_their_colour(entry: Entry, grey: bool) -> None:
    net = net_of(entry)
    names = [name for name in PATCHES if name.startswith("grey") == grey]
    shifts = {name: shift(net, flat(PATCHES[name])) for name in names}
    for name, found in shifts.items():
        print(f"\n{entry.name}, {name}: {text(found)}", end="")
    worst = max(shifts, key=lambda name: float(shifts[name].abs().max()))
    assert shifts[worst].abs().max() <= TOLERANCE, f"{worst} is off by {text(shifts[worst])} levels"


@MODELS
@torch.inference_mode()
@pytest.mark.parametrize("video", REAL)
def test_real_videos_keep_their_mean_colour(entry: Entry, video: str, shared: Path) -> None:
    path = shared / "data" / "real" / video
    if not path.is_file():
        pytest.skip(f"{video} is not among the reference data")
    clip = torch.stack([picture_to_unit(f.data) for f, _ in zip(decode(probe(path)), range(FRAMES), strict=False)])
    top, left = ((side - most) // 2 for side, most in zip(clip.shape[-2:], CROP, strict=True))
    clip = clip[..., top : top + CROP[0], left : left + CROP[1]]
    found = shift(net_of(entry), clip)
    print(f"\n{entry.name}, {video}: {text(found)}", end="")
    assert found.abs().max() <= TOLERANCE, f"the mean of {video} is off by {text(found)} levels"
