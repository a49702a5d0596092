"""Every net can be teacher and student: its features are found, one a frame."""

from pathlib import Path

import pytest
import torch

from tests.nets.small import small
from vsrcli.training.distill.teacher import ConvLSTM, SpaceTime, attention, feature_channels, tapped
from vsrcli.zoo.architectures import ARCHITECTURES


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_features_of_every_net_are_found_one_a_frame(arch: str) -> None:
    net = small(arch)
    side = max(net.min_size, 8 * net.multiple)
    with torch.no_grad(), tapped(net) as seen:
        net(torch.rand(1, 3, 3, side, side))
    assert [tuple(x.shape[::2]) for x in seen] == [(1, side)] * 3
    assert feature_channels(net, torch.device("cpu")) == seen[0].shape[1]


def test_distillation_reaches_the_student_but_not_the_teacher(packed: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    space_time = SpaceTime(8, 6)
    student = torch.randn(2, 3, 8, 5, 7, requires_grad=True)
    teacher = torch.randn(2, 3, 6, 5, 7, requires_grad=True)
    space, time = space_time(student, teacher)
    (space + time).backward()
    assert student.grad is not None and student.grad.isfinite().all()
    assert (student.grad.abs().amax((0, 2, 3, 4)) > 0).all()  # at each frame
    assert teacher.grad is None
    torch.testing.assert_close(attention(student * 3), attention(student))
    same, _ = SpaceTime(6, 6)(teacher.detach(), teacher)
    assert same == 0


def test_memory_depends_on_the_order_of_frames() -> None:
    torch.manual_seed(0)
    lstm = ConvLSTM(4, 3)
    clip = torch.randn(1, 3, 4, 5, 5)
    assert lstm(clip).shape == (1, 3, 5, 5)
    assert not torch.allclose(lstm(clip), lstm(clip.flip(1)))
