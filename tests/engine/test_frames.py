"""Frames keep their numbers, times and depths through the engine, as levels or as floats."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.engine.test_engine import CPU, moving_clip
from tests.toy import Toy, ToyStream
from vsrcli.engine.chunk import pad_picture
from vsrcli.engine.engine import Engine
from vsrcli.engine.plan import Plan
from vsrcli.engine.retry import with_room
from vsrcli.engine.tensors import TensorEngine
from vsrcli.errors import OutOfMemoryError
from vsrcli.frame import Frame
from vsrcli.levels import picture_to_unit, unit_to_picture
from vsrcli.nets.recurrent import RecurrentNet, pad_frame

DEPTHS = (16, 8, 16, 16, 8, 8, 16)


@pytest.fixture(scope="module", params=["stream", "window"])
def net(request: pytest.FixtureRequest) -> RecurrentNet:
    return ToyStream() if request.param == "stream" else Toy()


def mixed(first: int = 0) -> list[Frame]:
    """Return frames of several depths with irregular times, numbered from `first`."""
    clip = moving_clip(len(DEPTHS), 17, 22)
    return [
        Frame(first + i, unit_to_picture(frame, depth), pts=1000 + i * i, duration=2 * i + 1)
        for i, (frame, depth) in enumerate(zip(clip, DEPTHS, strict=True))
    ]


def through(engine: Engine, frames: list[Frame]) -> list[Frame]:
    return [made for frame in frames for made in engine.push(frame)] + list(engine.flush())


def plans(net: RecurrentNet) -> list[Plan]:
    whole = Plan(window=3 if net.bidirectional else 1, lookahead=2 if net.bidirectional else 0)
    return [whole, replace(whole, tile=(16, 16)), replace(whole, exact=net.bidirectional), replace(whole, window=None)]


@pytest.mark.parametrize("way", range(4), ids=["whole", "tiles", "exact", "clip"])
def test_frames_keep_number_times_and_depth(net: RecurrentNet, way: int) -> None:
    frames, plan = mixed(), plans(net)[way]
    made = through(Engine(net, plan, CPU), frames)
    assert [(f.number, f.pts, f.duration, f.bit_depth) for f in made] == [
        (f.number, f.pts, f.duration, f.bit_depth) for f in frames
    ]
    assert [f.data.dtype for f in made] == [f.data.dtype for f in frames]
    assert {f.data.shape for f in made} == {(68, 88, 3)}
    floats = TensorEngine(Engine(net, plan, CPU)).upscale(picture_to_unit(f.data) for f in frames)
    for frame, hr in zip(made, floats, strict=True):
        assert np.array_equal(frame.data, unit_to_picture(hr, frame.bit_depth))


def test_floats_are_returned_as_levels_on_request(net: RecurrentNet) -> None:
    clip = moving_clip(4, 17, 22)
    floats = list(TensorEngine(Engine(net, plans(net)[0], CPU)).upscale(clip))
    levels = list(TensorEngine(Engine(net, plans(net)[0], CPU), bit_depth=8).upscale(clip))
    for hr, rounded in zip(floats, levels, strict=True):
        assert hr.dtype == torch.float32 and rounded.dtype == torch.uint8
        assert torch.equal(rounded, (hr.clamp(0, 1) * 255).round().to(torch.uint8))


def test_checkpoint_holds_levels_unchanged(net: RecurrentNet) -> None:
    frames, plan = mixed(), plans(net)[0]
    expected = through(Engine(net, plan, CPU), frames)
    engine, made = Engine(net, plan, CPU), list[Frame]()
    while len(made) < 3:
        made += engine.push(frames[engine.next_pushed])
    saved = engine.checkpoint()
    kept = [saved[f"frame.{n}"] for n in (engine.next_frame - 2, engine.next_frame - 1)]
    assert all(levels.dtype in (torch.uint8, torch.uint16) for levels in kept)
    resumed = Engine(net, plan, CPU)
    resumed.restore(saved)
    assert resumed.next_pushed == resumed.next_frame == len(made)
    for frame, other in zip(through(resumed, frames[len(made) :]), expected[len(made) :], strict=True):
        assert frame.pts == other.pts and np.array_equal(frame.data, other.data)


@pytest.mark.parametrize("number", [1, -1])
def test_frames_out_of_order_are_rejected(net: RecurrentNet, number: int) -> None:
    with pytest.raises(ValueError, match=f"frame {number} was pushed where 0 is next"):
        Engine(net, plans(net)[0], CPU).push(replace(mixed()[0], number=number))


@pytest.mark.parametrize("size", [(5, 7), (3, 16), (17, 22), (1, 1), (16, 8)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_padding_levels_equals_padding_floats(size: tuple[int, int], dtype: type[np.unsignedinteger]) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3)).astype(dtype)
    padded = pad_frame(picture_to_unit(picture)[None], 4, 8)[0]
    assert torch.equal(picture_to_unit(pad_picture(picture, 4, 8)), padded)


def test_attempts_continue_where_memory_ran_out() -> None:
    room = [2]

    def attempt(done: int) -> Iterator[int]:
        for item in range(done, 7):
            if item - done >= room[0]:
                raise torch.OutOfMemoryError("CUDA out of memory")
            yield item

    calls: list[int] = []

    def make_room() -> None:
        calls.append(room[0])
        room[0] += 1

    assert list(with_room(attempt, make_room)) == list(range(7))
    assert calls == [2, 3]


@pytest.mark.parametrize("error", [ValueError("x"), RuntimeError("shape mismatch"), OutOfMemoryError("no tile fits")])
def test_only_out_of_memory_is_retried(error: Exception) -> None:
    def attempt(done: int) -> Iterator[int]:
        yield 1
        raise error

    with pytest.raises(type(error), match=str(error)):
        list(with_room(attempt, lambda: pytest.fail("made room")))
