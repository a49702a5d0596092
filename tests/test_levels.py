"""Levels are converted to floats and back without loss, on every path."""

import numpy as np
import pytest
import torch

from vsrcli.frame import Frame, largest_level
from vsrcli.levels import picture_to_unit, planes_to_picture, to_levels, to_unit, unit_to_picture


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 65535)])
def test_every_level_survives_the_round_trip(dtype: type[np.unsignedinteger], top: int) -> None:
    picture = np.arange(3 * 65536).reshape(256, 256, 3).astype(dtype)
    unit = picture_to_unit(picture)
    assert (unit.shape, unit.dtype, unit.is_contiguous()) == ((3, 256, 256), torch.float32, True)
    assert np.array_equal(unit.permute(1, 2, 0).numpy(), picture.astype(np.float32) / np.float32(top))
    back = unit_to_picture(unit, 8 * picture.itemsize)
    assert back.dtype == dtype and back.flags.c_contiguous and np.array_equal(back, picture)
    assert Frame(0, picture).bit_depth == 8 * picture.itemsize and largest_level(picture) == top


def test_floats_are_clamped_and_rounded_but_not_changed() -> None:
    unit = torch.tensor([-0.5, 0.4 / 255, 0.6 / 255, 254.6 / 255, 7.0])
    before = unit.clone()
    assert to_levels(unit).tolist() == [0, 0, 1, 255, 255]
    assert to_levels(unit, 16).to(torch.int32).tolist() == [0, 103, 154, 65432, 65535]
    assert torch.equal(to_levels(unit, 32), before) and torch.equal(unit, before)
    assert torch.equal(to_unit(unit), before)


def test_float_pictures_are_unchanged() -> None:
    unit = torch.rand(3, 5, 7) * 3 - 1
    picture = unit_to_picture(unit, 32)
    assert picture.shape == (5, 7, 3) and torch.equal(picture_to_unit(picture), unit)


def test_read_only_pictures_are_read() -> None:
    picture = np.frombuffer(bytes(range(24)), np.uint8).reshape(2, 4, 3)
    assert np.array_equal(planes_to_picture(to_levels(picture_to_unit(picture))), picture)
