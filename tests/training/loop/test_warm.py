"""Weights of a net with another structure are reused."""

import torch

from vsrcli.nets.basicvsr import BasicVSR
from vsrcli.nets.iconvsr import IconVSR
from vsrcli.training.loop.warm import reuse_weights


def test_iconvsr_starts_as_basicvsr_with_an_idle_refill() -> None:
    torch.manual_seed(0)
    teacher, student = BasicVSR(channels=4, blocks=1), IconVSR(channels=4, blocks=1)
    reuse_weights(student, teacher.state_dict())
    lr, warped = torch.rand(1, 3, 8, 8), torch.rand(1, 4, 8, 8)
    flow = torch.zeros(1, 2, 8, 8)
    features = {"lr": lr, "backward": torch.rand(1, 4, 8, 8)}
    for branch in ("backward", "forward"):
        expected, _ = teacher.propagate(branch, {"lr": lr}, flow, (warped,))
        torch.testing.assert_close(student.propagate(branch, features, flow, (warped,))[0], expected)
    refilled = student.forward_fusion(torch.cat([warped, torch.rand_like(warped)], 1))
    torch.testing.assert_close(refilled, warped)
