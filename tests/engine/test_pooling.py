"""Pooling and enlargement by shifted sums equal torch's own operators."""

import pytest
import torch
import torch.nn.functional as F

from vsrcli.engine.pooling import enlarge_bilinear, local_mean, local_minimum

FRAME = torch.rand(3, 23, 31, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("size", [3, 5, 9])
def test_local_minimum_equals_max_pooling_of_the_negative(size: int) -> None:
    torch.testing.assert_close(local_minimum(FRAME, size), -F.max_pool2d(-FRAME, size, 1, size // 2))


@pytest.mark.parametrize("reach", [1, 4, 8])
def test_local_mean_equals_average_pooling_without_padding(reach: int) -> None:
    wanted = F.avg_pool2d(FRAME, 2 * reach + 1, 1, reach, count_include_pad=False)
    torch.testing.assert_close(local_mean(FRAME, reach), wanted)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_enlargement_equals_bilinear_interpolation(scale: int) -> None:
    wanted = F.interpolate(FRAME[None], scale_factor=scale, mode="bilinear", align_corners=False)[0]
    torch.testing.assert_close(enlarge_bilinear(FRAME, scale), wanted)
