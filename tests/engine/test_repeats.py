"""Frames that repeat bit for bit are shown again, not run: as if the net had never seen them, however it is run."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.engine.test_engine import moving_clip
from tests.toy import Toy, ToyStream, ToyTwice
from vsrcli.engine.engine import Engine
from vsrcli.engine.plan import Plan
from vsrcli.engine.repeats import SETTLED, is_repeat, steadied, steady
from vsrcli.engine.scenes import SceneDetector
from vsrcli.frame import Frame
from vsrcli.levels import unit_to_picture
from vsrcli.nets.horizon import Horizon
from vsrcli.nets.recurrent import RecurrentNet
from vsrcli.zoo.loading import load

CPU = torch.device("cpu")
WAYS = [
    pytest.param(Toy(), Plan(window=4, lookahead=3, horizon=Horizon.of(6)), id="windows"),
    pytest.param(Toy(), Plan(window=4, exact=True), id="exact"),
    pytest.param(ToyTwice(), Plan(window=3, exact=True, tile=(16, 16), halo=8), id="exact in tiles"),
    pytest.param(Toy(), Plan(window=None), id="clip"),
    pytest.param(ToyStream(), Plan(window=1, lookahead=0), id="stream"),
]


def pictures() -> list[np.ndarray]:
    """Two scenes of 9 and 8 pictures."""
    clips = [moving_clip(9, 20, 24, seed=1) * 0.3, 0.6 + 0.4 * moving_clip(8, 20, 24, seed=2)]
    return [unit_to_picture(frame) for frame in torch.cat(clips)]


def shown(times: list[int]) -> list[Frame]:
    """Show each picture so many times, at uneven pts."""
    frames: list[Frame] = []
    for picture, count in zip(pictures(), times, strict=True):
        for _ in range(count):
            number = len(frames)
            frames.append(Frame(number, picture.copy(), pts=number**2, duration=2 * number + 1))
    return frames


def engine_of(net: RecurrentNet, plan: Plan) -> Engine:
    """Return an engine that takes the change between the scenes alone for a cut, not the small pictures' motion."""
    return Engine(net, plan, CPU, detector=SceneDetector(1.5))


def through(engine: Engine, frames: list[Frame]) -> list[Frame]:
    made = [hr for frame in frames for hr in list(engine.push(frame))]
    return made + list(engine.flush())


ON_TWOS_AND_MORE = [1, 1, 2, 1, 1, 2, 30, 1, 3, 1, 1, 1, 1, 2, 2, 1, 7]
"""Within the first 5 of a scene repeats are run, so that these are pictures of their own."""


def without_surplus(frames: list[Frame]) -> list[Frame]:
    """Return the frames that are to be run: all but repeats behind the first ones of a scene."""
    kept: list[Frame] = []
    run = 0
    for frame, before in zip(frames, [None, *frames], strict=False):
        bright = frame.data.mean() > 128
        if before is not None and bright != (before.data.mean() > 128):
            run = 0
        if before is not None and run >= SETTLED and np.array_equal(frame.data, before.data):
            continue
        run += 1
        kept.append(replace(frame, number=len(kept)))
    return kept


@pytest.mark.parametrize(("net", "plan"), WAYS)
def test_the_net_runs_as_if_repeats_were_absent(net: RecurrentNet, plan: Plan) -> None:
    frames = shown(ON_TWOS_AND_MORE)
    run = without_surplus(frames)
    assert len(run) < len(frames) - 30
    expected = {hr.pts: hr.data for hr in through(engine_of(net, plan), run)}
    engine = engine_of(net, replace(plan, hold_repeats=True))
    made = through(engine, frames)
    assert [(hr.number, hr.pts, hr.duration) for hr in made] == [(f.number, f.pts, f.duration) for f in frames]
    latest = np.empty(0)
    for hr in made:
        latest = expected.get(hr.pts, latest)
        assert np.array_equal(hr.data, latest), hr.number
    assert engine.repeated == len(frames) - len(run)


def roughly(frames: list[Frame]) -> list[Frame]:
    """Return frames that differ by up to two levels where they were equal, as lossy coding leaves them."""
    random = np.random.default_rng(1)
    made: list[Frame] = []
    for frame, before in zip(frames, [None, *frames], strict=False):
        same = before is not None and np.array_equal(frame.data, before.data)
        noise = random.integers(-2, 3, frame.data.shape) if same else 0
        made.append(replace(frame, data=np.clip(frame.data + noise, 0, 255).astype(np.uint8)))
    return made


@pytest.mark.parametrize("near", [0, 2])
@pytest.mark.parametrize(("net", "plan"), WAYS)
def test_an_engine_resumes_within_repeats(net: RecurrentNet, plan: Plan, near: int) -> None:
    frames, plan = shown(ON_TWOS_AND_MORE), replace(plan, hold_repeats=True, near=near)
    frames = roughly(frames) if near else frames
    expected = through(engine_of(net, plan), frames)
    for stop in (20, 41, 52):  # within the longest, at the end of a scene, within the last
        engine = engine_of(net, plan)
        saved: dict[str, torch.Tensor] = {}
        for frame in frames:
            for hr in engine.push(frame):
                if hr.number == stop:
                    saved = {name: tensor.clone() for name, tensor in engine.checkpoint().items()}
            if saved:
                break
        else:
            for hr in engine.flush():
                if hr.number == stop:
                    saved = {name: tensor.clone() for name, tensor in engine.checkpoint().items()}
        resumed = engine_of(net, plan)
        resumed.restore(saved)
        first = resumed.next_frame
        assert first <= stop
        for hr, other in zip(through(resumed, frames[first:]), expected[first:], strict=True):
            assert (hr.number, hr.pts) == (other.number, other.pts)
            assert np.array_equal(hr.data, other.data), (stop, hr.number)


@pytest.mark.parametrize(("net", "plan"), WAYS)
def test_near_repeats_are_run_as_if_they_were_equal(net: RecurrentNet, plan: Plan) -> None:
    frames, plan = shown(ON_TWOS_AND_MORE), replace(plan, hold_repeats=True)
    made = through(engine_of(net, replace(plan, near=2)), roughly(frames))
    for hr, other in zip(made, through(engine_of(net, plan), frames), strict=True):
        assert (hr.number, hr.pts) == (other.number, other.pts) and np.array_equal(hr.data, other.data), hr.number


def test_a_slow_fade_is_run_again_where_it_has_gone_too_far() -> None:
    fade = [Frame(n, np.full((16, 16, 3), 90 + n, np.uint8)) for n in range(20)]
    pictures = [int(frame.data[0, 0, 0]) for frame in steadied(fade, 2)]
    assert pictures == [90 + n - n % 3 for n in range(20)]


@pytest.mark.parametrize(("dtype", "white"), [(np.uint16, 65535), (np.float32, 1.0)])
def test_near_means_the_same_at_any_depth(dtype: type, white: float) -> None:
    grey = Frame(0, np.full((4, 4, 3), white / 2, dtype))
    for levels, near in ((1.9, True), (2.2, False)):
        data = grey.data.copy()
        data[-1, -1, -1] += dtype(levels * white / 255)
        opacity: np.ndarray = np.full((4, 4), white, dtype)
        assert (steady(Frame(1, data), grey, 2).data is grey.data) == near
        assert steady(Frame(1, data, alpha=opacity), grey, 2).data is data, "there was no opacity"


def test_a_streaming_net_returns_a_repeat_at_once() -> None:
    engine = engine_of(ToyStream(), Plan(window=1, lookahead=0, hold_repeats=True))
    ready = [len(list(engine.push(frame))) for frame in shown([1] * 5 + [4] + [1] * 11)[:9]]
    assert ready == [1] * 9 and engine.repeated == 3


def test_a_still_scene_is_run_only_until_it_settles() -> None:
    class Counting(ToyStream):
        calls = 0

        def propagate(self, branch, features, flow, state):  # type: ignore[no-untyped-def]
            self.calls += 1
            return super().propagate(branch, features, flow, state)

    net, still = Counting(), pictures()[0]
    engine = Engine(net, Plan(window=1, lookahead=0, hold_repeats=True), CPU)
    made = through(engine, [Frame(n, still.copy(), pts=n) for n in range(40)])
    assert len(made) == 40 and net.calls == SETTLED and engine.repeated == 40 - SETTLED
    whole = through(Engine(ToyStream(), Plan(window=1, lookahead=0), CPU), [Frame(n, still, pts=n) for n in range(40)])
    assert max(int(np.abs(a.data.astype(int) - b.data).max()) for a, b in zip(made, whole, strict=True)) <= 2


def test_similar_but_unequal_frames_are_run() -> None:
    clip = [frame.copy() for frame in pictures()[:7]]
    for last in clip[-1].reshape(-1)[-1:], clip[-1][0, 0]:
        nearly = clip[-1].copy()
        nearly.reshape(-1)[-1 if last.size == 1 else 0] ^= 1
        engine = Engine(ToyStream(), Plan(window=1, lookahead=0, hold_repeats=True), CPU)
        assert len(through(engine, [Frame(n, p) for n, p in enumerate([*clip, nearly])])) == 8
        assert engine.repeated == 0


def test_only_bit_equal_frames_are_repeats() -> None:
    picture = np.full((70, 8, 3), 7, np.uint8)
    frame = Frame(0, picture)
    assert is_repeat(Frame(1, picture.copy(), pts=9, duration=3, tint=(0.1, 0.2)), frame), "a tint is put on results"
    assert not is_repeat(Frame(1, picture.astype(np.uint16)), frame)
    assert not is_repeat(Frame(1, picture[:, :-1]), frame)
    assert not is_repeat(Frame(1, picture, bit_depth=16), frame)
    other = picture.copy()
    other[-1, -1, -1] += 1
    assert not is_repeat(Frame(1, other), frame)


def test_a_repeat_keeps_its_own_tint() -> None:
    clip = pictures()[:6]
    frames = [Frame(n, p) for n, p in enumerate(clip)] + [Frame(6, clip[-1].copy(), tint=(0.1, -0.1))]
    engine = Engine(ToyStream(), Plan(window=1, lookahead=0, hold_repeats=True), CPU)
    made = through(engine, frames)
    assert engine.repeated == 1 and [hr.tint for hr in made[-2:]] == [None, (0.1, -0.1)]


def test_all_frames_are_run_unless_the_plan_says_so() -> None:
    engine = Engine(ToyStream(), Plan(window=1, lookahead=0), CPU)
    assert len(through(engine, shown([9] + [1] * 16))) == 25 and engine.repeated == 0


def test_holding_a_still_differs_little_from_running_it() -> None:
    """Within 50 dB: that is what its results of a still settle to within the first frames of a scene."""
    net = load("repvsr.bi").net
    texture = unit_to_picture(moving_clip(1, 24, 32, seed=5)[0])
    still = [Frame(n, texture.copy(), pts=n) for n in range(12)]
    plan = Plan(window=1, lookahead=0, keep_colours=True)
    run = through(Engine(net, plan, CPU), still)
    held = through(Engine(net, replace(plan, hold_repeats=True), CPU), still)
    for a, b in zip(run, held, strict=True):
        assert np.square(a.data.astype(float) - b.data).mean() < 255**2 / 10**5
    assert any(not np.array_equal(a.data, b.data) for a, b in zip(run, held, strict=True)), "nothing was held"
