"""A net in int8 runs in all of the engine's ways as in floats; what cannot run in int8 is refused in one line."""

import copy

import pytest
import torch
from torch import Tensor

from tests.engine.test_engine import CPU, moving_clip, run, whole
from tests.toy import Toy
from vsrcli.engine import device as module
from vsrcli.engine.device import pick_precision, place
from vsrcli.engine.engine import Engine
from vsrcli.engine.plan import Plan
from vsrcli.engine.tensors import TensorEngine
from vsrcli.errors import UsageError
from vsrcli.evaluate.calibration import calibrate
from vsrcli.nets.basicvsr import BasicVSR
from vsrcli.nets.instructions import cpu_has_int8
from vsrcli.nets.recurrent import Features, RecurrentNet, State

needs_int8 = pytest.mark.skipif(not cpu_has_int8(), reason="this CPU has no instructions for int8")


def made(net: RecurrentNet, frames: Tensor) -> RecurrentNet:
    """Return `net` calibrated by the frames, still in float32."""
    net = net.eval().requires_grad_(False)
    for level in range(6):
        net.get_parameter(f"spynet.basic_module.{level}.basic_module.8.weight").mul_(0.1)
    net.use_ranges(calibrate(net, [frames[None]]))
    return net


@pytest.fixture(scope="module")
def frames() -> Tensor:
    return moving_clip(6, 32, 64)


@pytest.fixture(scope="module")
def floats(frames: Tensor) -> RecurrentNet:
    torch.manual_seed(0)
    return made(BasicVSR(16, 2), frames)


@pytest.fixture(scope="module")
def net(floats: RecurrentNet) -> RecurrentNet:
    return place(copy.deepcopy(floats), CPU, torch.int8)


@needs_int8
def test_exact_propagation_equals_the_whole_clip(net: RecurrentNet, frames: Tensor) -> None:
    expected = whole(net, frames)
    assert torch.equal(run(Engine(net, Plan(window=None), CPU), frames), expected)
    assert torch.equal(run(Engine(net, Plan(window=2, exact=True), CPU), frames), expected)


@needs_int8
def test_tiles_agree_with_the_whole_frame(net: RecurrentNet, frames: Tensor) -> None:
    tiled = run(Engine(net, Plan(window=1, lookahead=1, tile=(32, 40), halo=24), CPU), frames)
    untiled = run(Engine(net, Plan(window=1, lookahead=1), CPU), frames)
    assert 0 < (tiled - untiled).abs().max() < 0.02
    assert (tiled - untiled).square().mean() < 1e-6


@needs_int8
def test_a_restored_engine_gives_identical_frames(net: RecurrentNet, frames: Tensor) -> None:
    plan = Plan(window=2, lookahead=1)
    expected = run(Engine(net, plan, CPU), frames)
    engine, seen = Engine(net, plan, CPU), 0
    for frame in frames:
        seen += len(list(TensorEngine(engine).push(frame)))
        if seen >= 2:
            break
    saved = {name: tensor.clone() for name, tensor in engine.checkpoint().items()}
    resumed = Engine(net, plan, CPU)
    resumed.restore(saved)
    start = resumed.next_frame
    assert 0 < start < len(frames)
    assert torch.equal(run(resumed, frames[start:]), expected[start:])


class Overflowing(BasicVSR):
    """BasicVSR whose first steps in int8 are not finite."""

    def propagate(
        self, branch: str, features: Features, flow: Tensor | None, state: State | None
    ) -> tuple[Tensor, State]:
        feature, after = super().propagate(branch, features, flow, state)
        if self.precision == torch.int8 and state is None:
            return feature * float("inf"), tuple(tensor * float("inf") for tensor in after)
        return feature, after


@needs_int8
def test_where_int8_overflows_the_window_runs_in_float32(frames: Tensor) -> None:
    torch.manual_seed(0)
    net = place(made(Overflowing(16, 1), frames), CPU, torch.int8)
    said: list[str] = []
    out = run(Engine(net, Plan(window=6), CPU, say=said.append), frames)
    assert said == ["int8 overflows at frame 0: such windows run in float32, which takes longer"]
    assert net.precision == torch.int8, "the next window is tried in int8 again"
    net.set_precision(torch.float32)
    assert torch.equal(out, whole(net, frames))


def test_auto_takes_int8_where_it_is_known_to_be_good(floats: RecurrentNet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "cpu_has_int8", lambda: True)
    plain = pick_precision("auto", CPU)
    net = copy.deepcopy(floats)
    assert pick_precision("auto", CPU, net) == plain, "its loss was not measured"
    net.prefers_int8 = True
    assert pick_precision("auto", CPU, net) == pick_precision("int8", CPU, net) == torch.int8
    assert pick_precision("auto", CPU, net, exact=True) == plain
    assert pick_precision("fp32", CPU, net) == torch.float32
    net.ranges = None
    assert pick_precision("auto", CPU, net) == plain
    net = copy.deepcopy(floats)
    net.prefers_int8 = True
    monkeypatch.setattr(module, "cpu_has_int8", lambda: False)
    assert pick_precision("auto", CPU, net) == plain


def test_what_cannot_run_in_int8_is_refused_in_one_line(floats: RecurrentNet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "cpu_has_int8", lambda: True)
    without = copy.deepcopy(floats)
    without.ranges = None
    for net, device, words in (
        (floats, "cuda", "CPUs only"),
        (Toy(), "cpu", "no part"),
        (without, "cpu", "vsr weights calibrate"),
    ):
        with pytest.raises(UsageError, match=words):
            pick_precision("int8", torch.device(device), net)
    without.unfit_ranges = "net.int8.json"
    with pytest.raises(UsageError, match=r"ranges in net\.int8\.json are of other weights: make them again by"):
        pick_precision("int8", CPU, without)
    monkeypatch.setattr(module, "cpu_has_int8", lambda: False)
    with pytest.raises(UsageError, match="VNNI"):
        pick_precision("int8", CPU, floats)
