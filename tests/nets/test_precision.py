"""Half precision costs almost no quality, because what must be exact stays in float32."""

import torch

from vsrcli.nets.basicvsr import BasicVSR


def test_only_flow_output_and_marked_convolutions_are_float32() -> None:
    net = BasicVSR(8, 1)
    net.set_precision(torch.bfloat16)
    kept = {name for name, p in net.named_parameters() if p.dtype == torch.float32}
    assert kept == {f"{side}_trunk.main.0.{kind}" for side in ("backward", "forward") for kind in ("weight", "bias")}
    clip = torch.rand(1, 2, 3, 8, 8)
    with torch.inference_mode():
        assert net.flow(clip[:, 0], clip[:, 1]).dtype == torch.float32
        assert net(clip).dtype == torch.float32


def test_the_frame_is_not_rounded_to_bf16() -> None:
    """Check the first convolution: rounding its 8-bit input to bf16 alone costs four times the whole loss."""
    torch.manual_seed(0)
    net = BasicVSR(16, 1)
    frame = torch.full((1, 3, 8, 8), 0.501)
    with torch.inference_mode():
        exact = net.backward_trunk.main[0](torch.cat([frame, torch.zeros(1, 16, 8, 8)], 1))
        net.set_precision(torch.bfloat16)
        half = net.backward_trunk.main[0](torch.cat([frame, torch.zeros(1, 16, 8, 8)], 1))
    torch.testing.assert_close(half, exact, atol=1e-6, rtol=1e-6)
