"""Fused convolutions give what the same steps give one by one, and stand back where they cannot."""

import pytest
import torch
import torch.nn.functional as F

from vsrcli.nets.fused import fusible, residual
from vsrcli.nets.layers import Conv, ResidualBlock
from vsrcli.nets.repvsr import RepBlock


def steps(x: torch.Tensor, block: ResidualBlock | RepBlock) -> torch.Tensor:
    made: torch.Tensor = x + block.conv2(F.relu(block.conv1(x)))
    return made


def picture(*, channels: int = 16, h: int = 13, w: int = 10) -> torch.Tensor:
    x = torch.randn(1, channels, h, w, generator=torch.Generator().manual_seed(0))
    return x.contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("block", [ResidualBlock(16), RepBlock(16, multibranch=False)], ids=lambda b: type(b).__name__)
def test_fused_steps_are_the_steps(block: ResidualBlock | RepBlock) -> None:
    block.requires_grad_(False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    x = picture()
    before = x.clone()
    with torch.inference_mode():
        assert fusible(x, block.conv1)
        made = block(x)
    assert made.is_contiguous(memory_format=torch.channels_last) and torch.equal(x, before)
    torch.testing.assert_close(made, steps(x, block), atol=1e-6, rtol=1e-6)


def test_what_cannot_be_fused_is_run_step_by_step() -> None:
    block = ResidualBlock(16)
    x = picture()
    assert not fusible(x, block.conv1), "gradients are wanted"
    block(x).sum().backward()
    assert block.conv1.weight.grad is not None
    with torch.inference_mode():
        assert not fusible(x.contiguous(), block.conv1)
        assert not fusible(x.double(), block.conv1)
        assert not fusible(picture().to("meta"), block.conv1)
        assert not fusible(x, torch.nn.Sequential(block.conv1))
        half = ResidualBlock(16).bfloat16()
        assert not fusible(x, half.conv1)
        assert residual(x, half.conv1, half.conv2).dtype == torch.float32, "the sum is not rounded"
        training = Conv(16, 16, 3, padding=1)
        training.compute_dtype = torch.bfloat16
        assert not fusible(x, training)
