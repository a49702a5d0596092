"""Opacity is upscaled as a clip of its own, however a net is run or stopped, and only where it varies."""

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.engine.test_engine import moving_clip
from tests.engine.test_repeats import WAYS, engine_of, through
from tests.toy import Toy, ToyTwice
from vsrcli.engine.between import Between
from vsrcli.engine.engine import Engine
from vsrcli.engine.plan import Plan
from vsrcli.frame import Frame
from vsrcli.levels import unit_to_picture
from vsrcli.nets.recurrent import RecurrentNet, State
from vsrcli.pipeline.folder.tensor_folder import FrameFolder

CPU = torch.device("cpu")


def pictures(seed: int, count: int = 14, depth: int = 8) -> list[np.ndarray]:
    """Two scenes, of which the second is brighter."""
    clip = torch.cat([moving_clip(8, 20, 24, seed=seed) * 0.3, 0.6 + 0.4 * moving_clip(6, 20, 24, seed=seed + 1)])
    return [unit_to_picture(frame, depth) for frame in clip[:count]]


def frames_of(colours: list[np.ndarray], alphas: list[np.ndarray | None]) -> list[Frame]:
    return [
        Frame(n, data, pts=3 * n, duration=3, alpha=alpha)
        for n, (data, alpha) in enumerate(zip(colours, alphas, strict=True))
    ]


def with_mattes(depth: int = 8) -> list[Frame]:
    return frames_of(pictures(1, depth=depth), [picture[..., 1].copy() for picture in pictures(1, depth=depth)])


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize(("net", "plan"), WAYS)
def test_opacity_is_what_the_net_makes_of_a_grey_clip(net: RecurrentNet, plan: Plan, depth: int) -> None:
    frames = with_mattes(depth)
    assert all(frame.alpha is not None for frame in frames)
    grey = [replace(f, data=np.repeat(f.alpha[..., None], 3, 2), alpha=None) for f in frames if f.alpha is not None]
    plain = through(engine_of(net, plan), [replace(frame, alpha=None) for frame in frames])
    made = through(engine_of(net, plan), frames)
    wanted = through(engine_of(net, plan), grey)
    for hr, colours, matte in zip(made, plain, wanted, strict=True):
        assert np.array_equal(hr.data, colours.data)
        assert hr.alpha is not None and hr.alpha.dtype == hr.data.dtype
        assert np.array_equal(hr.alpha, matte.data[..., 0]), hr.number
        assert (hr.number, hr.pts, hr.duration) == (colours.number, colours.pts, colours.duration)


@pytest.mark.parametrize(("net", "plan"), WAYS)
def test_a_job_with_opacity_goes_on_anywhere(net: RecurrentNet, plan: Plan) -> None:
    frames = with_mattes()
    frames[3] = replace(frames[3], alpha=None)
    plan = replace(plan, hold_repeats=True)
    expected = through(engine_of(net, plan), frames)
    for stop in (4, 6, 13):
        engine, saved = engine_of(net, plan), dict[str, Tensor]()
        for hr in _all(engine, frames):
            if hr.number == stop:
                saved = {name: tensor.clone() for name, tensor in engine.checkpoint().items()}
                break
        resumed = engine_of(net, plan)
        resumed.restore(saved)
        first = resumed.next_frame
        rest = through(resumed, frames[first:])
        for hr, wanted in zip(rest, expected[first:], strict=True):
            assert np.array_equal(hr.data, wanted.data)
            assert (hr.alpha is None) == (wanted.alpha is None)
            assert hr.alpha is None or wanted.alpha is None or np.array_equal(hr.alpha, wanted.alpha)


def _all(engine: Engine, frames: list[Frame]) -> Iterator[Frame]:
    for frame in frames:
        yield from engine.push(frame)
    yield from engine.flush()


class Counting(Toy):
    """A toy net that counts the steps of its branches."""

    steps = 0

    def propagate(
        self, branch: str, features: dict[str, Tensor], flow: Tensor | None, state: State | None
    ) -> tuple[Tensor, State]:
        self.steps += 1
        return super().propagate(branch, features, flow, state)


def test_windows_in_which_opacity_does_not_vary_are_not_run() -> None:
    alphas: list[np.ndarray | None] = [None] * 14
    plan = Plan(window=4, lookahead=1)
    net = Counting()
    opaque = through(engine_of(net, plan), frames_of(pictures(1), alphas))
    cost = net.steps
    assert all(hr.alpha is None for hr in opaque)
    alphas[1] = np.full((20, 24), 77, np.uint8)  # a window of frames that are even, each in itself
    net.steps = 0
    made = through(engine_of(net, plan), frames_of(pictures(1), alphas))
    assert net.steps == cost
    assert made[1].alpha is not None and made[1].alpha.shape == (80, 96) and (made[1].alpha == 77).all()
    assert made[0].alpha is None
    alphas[13] = pictures(3)[13][..., 0]
    net.steps = 0
    made = through(engine_of(net, plan), frames_of(pictures(1), alphas))
    assert cost < net.steps < 1.5 * cost  # the last window alone is run twice
    assert made[13].alpha is not None and np.ptp(made[13].alpha) > 10
    assert made[0].alpha is None and made[12].alpha is not None and (made[5].alpha is None)


def test_a_scene_of_which_only_the_end_is_transparent_is_exact_too() -> None:
    net, plan = ToyTwice(), Plan(window=3, exact=True)
    alphas: list[np.ndarray | None] = [None] * 14
    alphas[5] = pictures(3)[5][..., 0]
    made = through(engine_of(net, plan), frames_of(pictures(1), alphas))
    once = through(engine_of(net, Plan(window=None)), frames_of(pictures(1), alphas))
    held, wanted = made[5].alpha, once[5].alpha
    assert held is not None and wanted is not None
    assert np.abs(held.astype(int) - wanted.astype(int)).max() <= 1


def test_a_frame_with_other_opacity_is_no_repeat() -> None:
    data = pictures(1)[0]
    fades: list[np.ndarray | None] = [np.full(data.shape[:2], 20 * n, np.uint8) for n in range(12)]
    frames = frames_of([data] * 12, fades)
    engine = engine_of(Toy(), Plan(window=4, hold_repeats=True))
    made = through(engine, frames)
    assert engine.repeated == 0
    assert [int(hr.alpha[0, 0]) for hr in made if hr.alpha is not None] == [20 * n for n in range(12)]
    same = frames_of([data] * 12, [pictures(3)[0][..., 0]] * 12)
    engine = engine_of(Toy(), Plan(window=4, hold_repeats=True))
    made = through(engine, same)
    assert engine.repeated == 7 and all(hr.alpha is not None for hr in made)
    assert made[11].alpha is not None and made[6].alpha is not None and np.array_equal(made[11].alpha, made[6].alpha)


def test_new_frames_have_opacity_between() -> None:
    def still(first: Tensor, second: Tensor) -> Tensor:
        return first.new_zeros(1, 2, *first.shape[-2:])

    data = pictures(1)[0]
    frames = frames_of([data, data, data], [np.full(data.shape[:2], value, np.uint8) for value in (0, 100, 100)])
    frames.append(replace(frames[-1], number=3, pts=9, alpha=None))
    between = Between(still, 2, CPU, time_base=Fraction(1, 10))
    made = [hr for frame in frames for hr in between.push(frame)] + list(between.flush())
    values = [255 if frame.alpha is None else int(frame.alpha[5, 5]) for frame in made]
    assert values == [0, 50, 100, 100, 100, 178, 255, 255]  # the last is shown again


def test_exact_propagation_keeps_opacity_on_disk(tmp_path: Path) -> None:
    store = FrameFolder(tmp_path / "frames")
    frame = with_mattes(16)[0]
    store[0], store[1] = frame, replace(frame, number=1, alpha=None)
    held = store[0].alpha
    assert held is not None and frame.alpha is not None and np.array_equal(held, frame.alpha)
    assert store[1].alpha is None and store[0].pts == frame.pts
