"""Comparison pictures keep the frames' pixels where nothing is drawn, and mark and enlarge the zoomed crop."""

import numpy as np
import pytest

from vsrcli.compare.picture import ACCENT, Mode, fitted, side_by_side
from vsrcli.errors import UsageError


def frame(value: int, height: int = 120, width: int = 160) -> np.ndarray:
    return np.full((height, width, 3), value, dtype=np.uint8)


def test_frames_stand_beside_each_other_with_a_thin_separator() -> None:
    out = side_by_side([frame(50), frame(200)], ["", ""])
    assert out.shape == (120, 322, 3)
    assert (out[:, :160] == 50).all() and (out[:, 162:] == 200).all() and out[:, 160:162].max() < 30


def test_stack_sets_frames_above_each_other() -> None:
    out = side_by_side([frame(50), frame(90), frame(200)], ["", "", ""], mode="stack")
    assert out.shape == (364, 160, 3)
    assert (out[122:242] == 90).all()


def test_wipe_shows_a_strip_of_each_frame_in_its_place() -> None:
    ramp = np.broadcast_to(np.arange(160, dtype=np.uint8)[:, None], (120, 160, 3))
    out = side_by_side([ramp, 255 - ramp], ["", ""], mode="wipe")
    assert out.shape == (120, 160, 3)
    assert (out[:, :76] == ramp[:, :76]).all() and (out[:, 84:] == 255 - ramp[:, 84:]).all()
    assert (out[:, 80] == 255).all()


@pytest.mark.parametrize("mode", ["side", "wipe", "stack"])
def test_labels_are_bright_text_on_a_dark_chip_near_the_top(mode: Mode) -> None:
    plain = side_by_side([frame(128), frame(128)], ["", ""], mode=mode)
    labelled = side_by_side([frame(128), frame(128)], ["before", "after"], mode=mode)
    changed = np.nonzero((plain != labelled).any(-1))
    assert len(changed[0]) > 200
    assert labelled[changed].max() > 230 and labelled[changed].min() < 60
    assert (np.unique(changed[0] % 122) < 30).all()


def test_a_long_label_shrinks_until_it_fits_its_frame() -> None:
    out = side_by_side([frame(128), frame(128)], ["a rather long label of a model", ""])
    changed = np.nonzero((out != 128).any(-1)[:, :160])
    assert changed[1].max() < 158
    assert (out[:, 162:] == 128).all()


def test_the_zoomed_crop_is_marked_and_enlarged_below() -> None:
    picture = frame(20)
    picture[40:60, 80:120] = (0, 200, 0)
    out = side_by_side([picture, picture], ["", ""], zoom=(80, 40, 40, 20))
    assert out.shape == (120 + 2 + 80, 322, 3)
    assert (out[45:55, 85:115] == (0, 200, 0)).all()
    assert tuple(out[50, 79]) == ACCENT and tuple(out[39, 100]) == ACCENT
    assert (out[130:195, 10:150] == (0, 200, 0)).all()
    assert tuple(out[122, 50]) == ACCENT


@pytest.mark.parametrize("mode", ["side", "wipe", "stack"])
def test_sizes_are_even_and_inputs_untouched(mode: Mode) -> None:
    frames = [frame(30, 121, 161), frame(60, 121, 161), frame(90, 121, 161)]
    out = side_by_side(frames, ["a", "b", "c"], mode=mode, zoom=(3, 5, 33, 17))
    assert out.shape[0] % 2 == 0 and out.shape[1] % 2 == 0 and out.dtype == np.uint8
    assert [int(f.max()) for f in frames] == [30, 60, 90]


def test_smaller_frames_are_enlarged_to_the_largest() -> None:
    out = side_by_side([frame(70, 30, 40), frame(200)], ["", ""])
    assert out.shape == (120, 322, 3) and (out[:, :160] == 70).all()


def test_a_frame_of_oblong_pixels_is_stretched_without_a_shift() -> None:
    ramp = np.broadcast_to(np.linspace(0, 255, 80)[:, None], (60, 80, 3)).astype(np.uint8)
    out = fitted(ramp, 160, 60)
    assert out.shape == (60, 160, 3)
    middle = (np.arange(160) + 0.5) / 2 - 0.5
    assert np.abs(out[30, 8:-8, 0] - 255 / 79 * middle[8:-8]).max() < 2


def test_unsuitable_frames_are_rejected() -> None:
    with pytest.raises(UsageError, match="one label for each"):
        side_by_side([frame(1)], [])
    with pytest.raises(UsageError, match="differ in shape"):
        side_by_side([frame(1), frame(1, 100, 40)], ["a", "b"])
    with pytest.raises(UsageError, match="inside the frame of 160x120"):
        side_by_side([frame(1)], ["a"], zoom=(150, 0, 40, 20))
