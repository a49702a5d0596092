"""BasicVSR++ of scales 1 and 2: the scale is read from the shapes, and every way of running agrees."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

import vsrcli
from tests.media import make
from vsrcli.engine.engine import Engine
from vsrcli.engine.plan import Plan
from vsrcli.engine.tensors import TensorEngine
from vsrcli.nets.basicvsrpp import BasicVSRPP
from vsrcli.nets.recurrent import Features
from vsrcli.zoo.loading import load


def net_of(scale: int) -> BasicVSRPP:
    torch.manual_seed(scale)
    net = BasicVSRPP(16, 1, scale).eval()
    for name, parameter in net.named_parameters():  # the last ones start at zero
        if ".conv_offset." in name and parameter.ndim == 4:
            torch.nn.init.normal_(parameter, std=0.1)
    return net


def clip(frames: int, height: int, width: int) -> Tensor:
    pictures = [torch.from_numpy(make.pattern(n, width, height)).permute(2, 0, 1) / 255 for n in range(frames)]
    return torch.stack(pictures)[None].float()


class Inner(BasicVSRPP):
    """The net of scale 4 on small frames, given the features of whole ones: what a net of scale 1 is inside."""

    def set(self, features: Sequence[Tensor]) -> None:
        self.given = features

    def encode(self, lr: Sequence[Tensor], index: int, *, number: int, length: int | None) -> Features:
        return {"spatial": self.given[index]}


def test_a_net_of_scale_1_is_the_other_on_quarters_added_to_the_frame() -> None:
    net, inner = net_of(1), Inner(16, 1, 4).eval()
    inner.load_state_dict({k: v for k, v in net.state_dict().items() if not k.startswith("feat_extract")}, strict=False)
    frames = clip(3, 256, 256)
    with torch.inference_mode():
        small = F.interpolate(frames[0], scale_factor=0.25, mode="bicubic")
        inner.set([net.feat_extract(frame[None]) for frame in frames[0]])
        detail = inner(small[None])[0] - F.interpolate(small, scale_factor=4, mode="bilinear", align_corners=False)
        out = net(frames)[0]
    assert out.shape == frames[0].shape
    assert (out - (frames[0] + detail)).abs().max() < 1e-5
    assert detail.abs().max() > 1e-3


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("naming", ["mmagic", "ours"])
def test_the_scale_is_read_from_the_shapes(scale: int, naming: str, tmp_path: Path) -> None:
    net = net_of(scale)
    state = net.state_dict()
    if naming == "mmagic":
        torch.save({"state_dict": {f"generator.{k}": v for k, v in state.items()}, "meta": {}}, tmp_path / "net.pth")
    else:
        save_file(state, tmp_path / "net.pth")
    loaded = load(str(tmp_path / "net.pth"))
    assert (loaded.arch, loaded.scale) == ("basicvsr++", scale)
    assert all(torch.equal(value, loaded.net.state_dict()[key]) for key, value in state.items())


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize(
    "way",
    [
        {"propagation": "clip"},
        pytest.param({"propagation": "exact", "window": 2}, marks=pytest.mark.slow),
        pytest.param({"tile": (64, 64)}, marks=pytest.mark.slow),
    ],
)
def test_it_runs_from_file_to_file_in_every_way(scale: int, way: dict[str, object], tmp_path: Path) -> None:
    save_file(net_of(scale).state_dict(), tmp_path / "net.safetensors")
    film = make.video(tmp_path / "in.mp4", width=72, height=52, frames=2)
    made = vsrcli.upscale(film, tmp_path / "out.mkv", model=str(tmp_path / "net.safetensors"), **way)  # type: ignore[arg-type]
    assert made.frames == 2 and made.size == (72 * scale, 52 * scale)


def test_windows_swept_exactly_give_what_the_whole_clip_gives() -> None:
    net, frames = net_of(1), clip(3, 256, 256)
    whole = net(frames)[0].clamp(0, 1)
    plan = Plan(window=2, lookahead=0, tile=None, halo=0, exact=True, keep_colours=False, horizon=None)
    made = torch.stack(list(TensorEngine(Engine(net, plan, torch.device("cpu"), detector=None)).upscale(frames[0])))
    assert (made.clamp(0, 1) - whole).abs().max() < 1e-5


def test_scales_and_widths_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="scale 3"):
        BasicVSRPP(16, 1, 3)
    with pytest.raises(ValueError, match="24 channels"):
        BasicVSRPP(24, 1, 1)
