"""Cuts are found in bright and dark scenes; flashes, fades and motion are no cuts; the start does not matter."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.toy import Toy
from vsrcli.engine.engine import Engine
from vsrcli.engine.plan import Plan
from vsrcli.engine.scenes import AHEAD, BEFORE, SceneDetector
from vsrcli.engine.tensors import TensorEngine
from vsrcli.frame import Frame
from vsrcli.levels import unit_to_picture
from vsrcli.nets.basicvsr import BasicVSR
from vsrcli.nets.nanovsr import NanoVSR

CPU = torch.device("cpu")
BRIGHTNESS = pytest.mark.parametrize("brightness", [1.0, 0.5, 0.18, 0.08])
FLASH = pytest.mark.parametrize("length", range(1, AHEAD + 1))


def picture(seed: int, h: int = 54, w: int = 96) -> Tensor:
    """Return a picture (3, h, w) of smooth and fine shapes."""
    generator = torch.Generator().manual_seed(seed)
    coarse = F.interpolate(torch.rand(1, 3, 5, 8, generator=generator), (h, w), mode="bicubic")[0]
    fine = F.interpolate(torch.rand(1, 3, h // 3, w // 3, generator=generator), (h, w), mode="bilinear")[0]
    return (0.75 * coarse + 0.25 * fine).clamp(0, 1)


def scene(seed: int, frames: int = 8, *, speed: int = 1, h: int = 54, w: int = 96) -> Tensor:
    """Return a clip (t, 3, h, w) of a camera that moves over a picture by `speed` pixels a frame."""
    wide = picture(seed, h, w + speed * frames)
    return torch.stack([wide[..., speed * i : speed * i + w] for i in range(frames)])


def records(video: Tensor) -> list[Frame]:
    return [Frame(number, unit_to_picture(frame, 32)) for number, frame in enumerate(video)]


def cuts(video: Tensor, detector: SceneDetector | None = None) -> list[int]:
    """Return the numbers of the frames that start scenes, in 8 bits with a little noise."""
    detector = detector or SceneDetector()
    noise = torch.randn(video.shape, generator=torch.Generator().manual_seed(9)) / 255
    levels = ((video + noise).clamp(0, 1) * 255).round() / 255
    found = [cut for frame in records(levels) for _, cut in detector.push(frame)] + [cut for _, cut in detector.flush()]
    assert len(found) == len(video)
    return [number for number, cut in enumerate(found) if cut]


@BRIGHTNESS
def test_cut_is_found_between_dark_scenes(brightness: float) -> None:
    assert cuts(torch.cat([scene(1), scene(2), scene(3)]) * brightness) == [8, 16]


@BRIGHTNESS
@FLASH
@pytest.mark.parametrize("light", [1.0, 0.0])
def test_flashes_are_not_cuts(brightness: float, length: int, light: float) -> None:
    video = scene(1, 16) * brightness
    video[6 : 6 + length] = light
    assert cuts(video) == []
    other = scene(1, 16) * brightness
    other[6 : 6 + length] = 0.7 + 0.3 * other[6 : 6 + length]  # what a camera's own flash leaves of the picture
    assert cuts(other) == []


@BRIGHTNESS
@FLASH
def test_a_cut_through_a_flash_is_found(brightness: float, length: int) -> None:
    video = torch.cat([scene(1), torch.ones(length, 3, 54, 96), scene(2)])
    video[:8] *= brightness
    video[8 + length :] *= brightness
    assert cuts(video)[-1:] == [8 + length]


@BRIGHTNESS
@pytest.mark.parametrize("length", [8, 12, 25])
def test_fades_and_dissolves_are_not_cuts(brightness: float, length: int) -> None:
    a, b = scene(1, length + 12) * brightness, scene(2, length + 12) * brightness
    mix = torch.cat([torch.zeros(6), torch.linspace(0, 1, length), torch.ones(6)])[:, None, None, None]
    assert cuts(a * (1 - mix) + b * mix) == []
    assert cuts(a * mix) == []
    assert cuts(a * (1 - mix)) == []
    assert cuts(1 - mix * (1 - a)) == []


@pytest.mark.parametrize("speed", [1, 2, 4, 8])
def test_pans_that_start_and_stop_are_not_cuts(speed: int) -> None:
    pan = scene(1, 12, speed=speed)
    assert cuts(torch.cat([pan[:1].expand(6, -1, -1, -1), pan, pan[-1:].expand(6, -1, -1, -1)])) == []


@pytest.mark.parametrize("start", range(0, 26, 3))
def test_result_does_not_depend_on_the_first_frame(start: int) -> None:
    video = torch.cat([scene(1, 18), scene(2)])
    video[8:10] = 1.0
    assert cuts(video) == [18]
    detector = SceneDetector()
    for frame in records(video[max(0, start - BEFORE) : start]):
        detector.remember(frame)
    assert cuts(video[start:], detector) == [cut - start for cut in [18] if cut >= start]


def test_only_possible_cuts_delay_frames() -> None:
    detector = SceneDetector()
    video = torch.cat([scene(1), scene(2)])
    assert [len(list(detector.push(frame))) for frame in records(video)] == [1] * 8 + [0] * AHEAD + [AHEAD + 1] + [
        1
    ] * 4


@pytest.fixture(scope="module")
def net() -> BasicVSR:
    torch.manual_seed(0)
    return BasicVSR(8, 1).eval().requires_grad_(False)


PLANS = {
    "clip": Plan(window=None),
    "stream": Plan(window=1, lookahead=0),
    "window": Plan(window=4, lookahead=2),
    "exact": Plan(window=4, exact=True),
    "tiles": Plan(window=4, lookahead=2, tile=(32, 32), halo=8),
}


@pytest.mark.parametrize("name", [*PLANS, "real net"])
def test_all_propagation_modes_reset_at_the_same_frames(name: str, net: BasicVSR) -> None:
    plan, used = (PLANS["window"], net) if name == "real net" else (PLANS[name], Toy().eval())
    video = torch.cat([scene(1, 5, h=40, w=48), scene(2, 6, h=40, w=48)]) * 0.18
    video[2:4] = 1.0  # a flash, which is none

    def run(engine: Engine, frames: Tensor) -> Tensor:
        return torch.stack(list(TensorEngine(engine).upscale(frames)))

    made = run(Engine(used, plan, CPU), video)
    alone = [run(Engine(used, plan, CPU, detector=None), part) for part in (video[:5], video[5:])]
    expected = torch.cat(alone) if plan.window is None or plan.exact else made  # windows stand at fixed numbers
    torch.testing.assert_close(made, expected, atol=2e-6, rtol=1e-5)

    engine, seen = Engine(used, plan, CPU), 0
    for frame in video:
        seen += len(list(TensorEngine(engine).push(frame)))
        if seen:
            break
    resumed = Engine(used, plan, CPU)
    resumed.restore({key: value.clone() for key, value in engine.checkpoint().items()})
    start = resumed.next_frame
    torch.testing.assert_close(run(resumed, video[start:]), made[start:], atol=1e-6, rtol=1e-6)
    assert resumed.checkpoint()["scene"] == 5


def test_unrelated_results_are_reported() -> None:
    def lines(value: float | None) -> list[str]:
        said: list[str] = []
        torch.manual_seed(0)
        net = NanoVSR(8, 1).eval().requires_grad_(False)
        net.get_parameter("conv_last.weight").mul_(0.1 if value is None else 0)  # as little detail as trained nets add
        net.get_parameter("conv_last.bias").fill_(value or 0.0)
        engine = TensorEngine(Engine(net, Plan(window=2, lookahead=1), CPU, say=said.append))
        list(engine.upscale(torch.cat([torch.zeros(1, 3, 40, 48), scene(1, 4, h=40, w=48)])))
        return said

    assert lines(None) == lines(0.0) == []  # without weights the net enlarges as it would without itself
    assert any("one colour" in line for line in lines(10.0))
    assert any("not similar to the source" in line for line in lines(0.5))
