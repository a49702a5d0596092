"""New frames come between those of a scene, at exact times, alike wherever the work goes on."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.media import make
from vsrcli.engine.between import Between
from vsrcli.engine.scenes import SceneDetector
from vsrcli.frame import Frame


def still(frame: Tensor, neighbour: Tensor) -> Tensor:
    """A flow that says that nothing moves: new frames are blends."""
    return frame.new_zeros(1, 2, *frame.shape[-2:])


def source(count: int, cuts: tuple[int, ...] = (), step: int = 40) -> list[Frame]:
    """Frames of a moving pattern that turns to its negative at a cut."""

    def picture(n: int) -> np.ndarray:
        data = make.pattern(n)
        return 255 - data if sum(n >= cut for cut in cuts) % 2 else data

    return [Frame(n, picture(n), pts=n * step, duration=step) for n in range(count)]


def run(frames: list[Frame], factor: int = 2, start: int = 0) -> list[tuple[Frame, bool]]:
    maker = Between(still, factor, torch.device("cpu"), Fraction(1, 1000), start=start)
    made = []
    for frame in frames[maker.first :]:
        made += list(maker.push(frame))
    made += list(maker.flush())
    return [(frame, frame.number in maker.known.cuts) for frame in made]


@pytest.mark.parametrize("factor", [2, 3])
def test_new_frames_have_exact_times_and_source_frames_are_unchanged(factor: int) -> None:
    frames = source(5, step=41)
    made = [frame for frame, _ in run(frames, factor)]
    assert [f.number for f in made] == list(range(5 * factor))
    assert [f.pts for f in made] == [41 * n for n in range(5 * factor)]  # in ticks `factor` times as fine
    assert {f.duration for f in made} == {41}
    assert all(np.array_equal(f.data, frames[-1].data) for f in made[-factor:])  # as long as the source
    for old, kept in zip(frames, made[::factor], strict=True):
        assert np.array_equal(old.data, kept.data)
    middle = (frames[0].data.astype(int) + frames[1].data) / 2
    if factor == 2:
        assert np.abs(made[1].data - middle).max() <= 1


def test_no_frame_is_made_across_a_cut() -> None:
    frames = source(12, cuts=(5,))
    made = run(frames)
    assert len(made) == 2 * 12
    cut = [frame for frame, starts in made if starts]
    assert [f.pts for f in cut] == [5 * 80]
    before = made[cut[0].number - 1][0]
    assert before.pts == 4 * 80 + 40 and before.duration == 40 and np.array_equal(before.data, frames[4].data)


@pytest.mark.parametrize("factor", [2, 3])
def test_interpolation_resumes_anywhere_with_equal_frames(factor: int) -> None:
    frames = source(14, cuts=(6,))
    whole = run(frames, factor)
    for number in range(0, len(whole), 3):
        rest = run(frames, factor, number)
        assert [cut for _, cut in rest] == [cut for _, cut in whole[number:]]
        for (again, _), (frame, _) in zip(rest, whole[number:], strict=True):
            assert (again.number, again.pts, again.duration) == (frame.number, frame.pts, frame.duration)
            assert np.array_equal(again.data, frame.data)


def test_a_variable_rate_is_reported_once_and_rounded_times_are_not() -> None:
    lines: list[str] = []

    def tell(pts: list[int]) -> list[int]:
        lines.clear()
        maker = Between(still, 2, torch.device("cpu"), Fraction(1, 1000), say=lines.append)
        frames = [replace(f, pts=time) for f, time in zip(source(len(pts)), pts, strict=True)]
        return [f.pts for frame in frames for f in maker.push(frame)] + [f.pts for f in maker.flush()]

    tell([0, 33, 67, 100, 133])
    assert not lines
    assert tell([0, 40, 140, 180, 300]) == [0, 40, 80, 180, 280, 320, 360, 480, 600, 640]
    assert len(lines) == 1 and "varies" in lines[0]


def test_new_frames_keep_bit_depth_and_tint() -> None:
    grey = make.pattern(0)
    deep = Frame(1, grey.astype(np.uint16) * 257, pts=40, duration=40)
    made = [f for f, _ in run([Frame(0, grey, duration=40), deep])]
    assert [f.data.dtype for f in made] == [np.uint8, np.uint16, np.uint16, np.uint16]
    tints = [Frame(0, grey, tint=(0.0, 0.2)), Frame(1, grey, pts=40, tint=(0.1, 0.0))]
    assert run(tints)[1][0].tint == pytest.approx((0.05, 0.1))


def test_no_frame_is_made_between_unrelated_frames() -> None:
    """A cut amid motion so fast that the scene detector does not tell it from the rest."""
    noise = np.random.default_rng(0)
    scenes = [np.kron(noise.integers(0, 256, (12, 16, 3)), np.ones((4, 4, 1))).astype(np.uint8) for _ in range(2)]
    frames = [Frame(n, np.roll(scenes[n // 2], n % 2, 1), pts=40 * n, duration=40) for n in range(4)]
    maker = Between(still, 2, torch.device("cpu"), Fraction(1, 1000), detector=SceneDetector(threshold=9.0))
    made = [f for frame in frames for f in maker.push(frame)] + list(maker.flush())
    assert [(f.pts, f.duration) for f in made] == [(40 * n, 40) for n in range(8)]
    assert not maker.known.cuts


@pytest.mark.parametrize("start", [0, 3, 4])
def test_new_frames_of_paired_scenes_have_odd_numbers(start: int) -> None:
    noise = np.random.default_rng(0)
    scenes = [np.kron(noise.integers(0, 256, (12, 16, 3)), np.ones((4, 4, 1))).astype(np.uint8) for _ in range(2)]
    frames = [Frame(n, np.roll(scenes[n // 2], n % 2, 1), pts=40 * n, duration=40) for n in range(4)]
    detector, cpu = SceneDetector(threshold=9.0), torch.device("cpu")
    maker = Between(still, 2, cpu, Fraction(1, 1000), start=start, detector=detector, paired=True)
    made = [f for frame in frames[maker.first :] for f in maker.push(frame)] + list(maker.flush())
    assert [(f.number, f.pts) for f in made] == [(n, 40 * n) for n in range(8)][start:]
    assert maker.known.cuts == {4}
