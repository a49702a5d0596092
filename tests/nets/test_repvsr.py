"""REPVSR: merged equals multi-branch, streaming equals clip, and the net keeps the paper's budget."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.nets.folded import enlarge_folded, warp_folded
from vsrcli.nets.layers import flow_warp
from vsrcli.nets.recurrent import Window, upsample_window
from vsrcli.nets.reparam import RepConv, merged_once, reparameterize
from vsrcli.nets.repvsr import RepVSR


def moving_clip(frames: int, h: int, w: int) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    still = F.interpolate(torch.rand(1, 3, h, w + frames, generator=generator), scale_factor=1.0)[0]
    return torch.stack([still[:, :, i : i + w] for i in range(frames)])[None]


@pytest.mark.parametrize("laplacian", [False, True])
def test_one_kernel_equals_all_branches_up_to_the_borders(laplacian: bool) -> None:
    torch.manual_seed(0)
    block = RepConv(7, 12, laplacian=laplacian)
    nn.init.normal_(block.bias)
    x = torch.randn(2, 7, 9, 11)
    torch.testing.assert_close(block(x), block.branches(x), atol=1e-5, rtol=0)
    torch.testing.assert_close(reparameterize(nn.Sequential(block))(x), block.branches(x), atol=1e-5, rtol=0)


def test_merged_net_equals_multi_branch_net() -> None:
    torch.manual_seed(0)
    net = RepVSR(channels=16, blocks=2, multibranch=True).eval()
    clip = moving_clip(4, 13, 18)
    with torch.no_grad():
        merged = net.reparameterize()
        assert not any(isinstance(m, RepConv) for m in merged.modules())
        torch.testing.assert_close(merged(clip), net(clip), atol=1e-5, rtol=0)
    RepVSR(channels=16, blocks=2).load_state_dict(merged.state_dict())


def test_every_branch_gets_gradients() -> None:
    torch.manual_seed(0)
    net = RepVSR(channels=8, blocks=1, multibranch=True)
    net(moving_clip(3, 16, 16)).square().mean().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


def test_a_clip_merges_each_kernel_once(monkeypatch: pytest.MonkeyPatch) -> None:
    merges, merge = 0, RepConv.merge

    def counted(conv: RepConv) -> tuple[Tensor, Tensor]:
        nonlocal merges
        merges += 1
        return merge(conv)

    monkeypatch.setattr(RepConv, "merge", counted)
    net = RepVSR(channels=8, blocks=1, multibranch=True)
    count = sum(isinstance(m, RepConv) for m in net.modules())
    net(torch.rand(1, 3, 3, 8, 8))
    assert merges == count
    with merged_once(net):
        for _ in range(2):
            net.flow(torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8))
    assert merges == 2 * count


def test_streaming_equals_clip() -> None:
    torch.manual_seed(0)
    net = RepVSR(channels=16, blocks=1).eval()
    clip = moving_clip(5, 12, 20)
    states: dict[str, tuple[Tensor, ...]] = {}
    out = []
    with torch.no_grad():
        for i, frame in enumerate(clip[0].split(1)):
            flow = net.flow(frame, clip[:, i - 1]) if i else None
            window = Window([frame], [None], [flow], [{}], keep=1, states=states)
            out += list(upsample_window(net, window))
        torch.testing.assert_close(torch.stack(out, 1), net(clip), atol=1e-6, rtol=0)


def test_previous_frame_without_detail_equals_no_previous_frame() -> None:
    torch.manual_seed(0)
    net = RepVSR(channels=16, blocks=1).eval()
    frame, still = torch.rand(1, 3, 12, 20), torch.zeros(1, 2, 12, 20)
    bicubic = F.interpolate(frame, scale_factor=4, mode="bicubic", align_corners=False)
    with torch.no_grad():
        first, _ = net.propagate("forward", {"lr": frame}, None, None)
        same, _ = net.propagate("forward", {"lr": frame}, still, (bicubic,))
        other, _ = net.propagate("forward", {"lr": frame}, still, (bicubic.flip(-1),))
    torch.testing.assert_close(same, first, atol=1e-5, rtol=0)
    assert (other - first).abs().max() > 1e-2


def convolution_macs(net: RepVSR, h: int, w: int) -> int:
    """Count the multiply-accumulates of all convolutions for one frame that has a previous one."""
    total = 0

    def count(module: nn.Conv2d, _: tuple[Tensor], output: Tensor) -> None:
        nonlocal total
        total += module.weight[0].numel() * output.numel()

    hooks = [m.register_forward_hook(count) for m in net.modules() if isinstance(m, nn.Conv2d)]
    with torch.no_grad():
        frame = torch.rand(1, 3, h, w)
        state = (torch.rand(1, 3, h * net.scale, w * net.scale),)
        net.propagate("forward", {"lr": frame}, net.flow(frame, frame), state)
    for hook in hooks:
        hook.remove()
    kernels = 25 * 3 * 3 * net.scale**2 + 9 * 2 * 2 * net.scale**2  # the enlargements of frame and flow
    return total + kernels * h * w


def test_budget_of_the_paper() -> None:
    net = RepVSR()
    assert sum(p.numel() for p in net.parameters()) <= 274_000
    assert 2 * convolution_macs(net, 180, 320) <= 29.4e9


@pytest.mark.parametrize("scale", [2, 4])
def test_any_size_at_either_scale_starts_from_bicubic(scale: int) -> None:
    torch.manual_seed(0)
    net = RepVSR(channels=8, blocks=1, scale=scale).eval()
    for parameter in net.srnet.tail.parameters():
        nn.init.zeros_(parameter)
    clip = moving_clip(2, 9, 7)
    with torch.no_grad():
        out = net(clip)[0]
    bicubic = F.interpolate(clip[0], scale_factor=scale, mode="bicubic", align_corners=False)
    torch.testing.assert_close(out, bicubic, atol=1e-5, rtol=0)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("scale", [2, 4])
def test_upsampling_by_convolution_equals_interpolation(mode: str, scale: int) -> None:
    x = torch.rand(2, 3, 6, 5)
    expected = F.pixel_unshuffle(F.interpolate(x, scale_factor=scale, mode=mode, align_corners=False), scale)
    torch.testing.assert_close(enlarge_folded(x, scale, mode=mode), expected, atol=1e-5, rtol=0)


def test_a_folded_net_is_the_one_for_x4_on_squares_of_pixels() -> None:
    torch.manual_seed(2)
    single, folded = RepVSR(channels=16, blocks=1).eval(), RepVSR(channels=16, blocks=1, scale=2, fold=2).eval()
    folded.load_state_dict(folded.adopt(single.state_dict()))
    clip = moving_clip(3, 18, 20).repeat_interleave(2, -1).repeat_interleave(2, -2)
    base = F.interpolate(clip[0], scale_factor=2, mode="bicubic", align_corners=False)
    coarse = F.interpolate(clip[0, :, :, ::2, ::2], scale_factor=4, mode="bicubic", align_corners=False)
    with torch.no_grad():
        detail, expected = folded(clip)[0] - base, single(clip[..., ::2, ::2])[0] - coarse
    torch.testing.assert_close(detail[0], expected[0], atol=1e-5, rtol=0)
    assert detail.shape[-2:] == (72, 80) and detail[1:].isfinite().all()


def test_a_folded_net_upscales_odd_sizes() -> None:
    torch.manual_seed(3)
    net = RepVSR(channels=16, blocks=1, scale=2, fold=2).eval()
    with torch.no_grad():
        assert net(moving_clip(2, 17, 19)).shape == (1, 2, 3, 34, 38)


@pytest.mark.parametrize("scale", [2, 4])
def test_folded_warp_equals_plain_warp_then_folding(scale: int) -> None:
    torch.manual_seed(1)
    hr = torch.rand(2, 3, 7 * scale, 9 * scale)
    flow = torch.randn(2, 2, 7, 9) * 2
    enlarged = scale * F.interpolate(flow, scale_factor=scale, mode="bilinear", align_corners=False)
    expected = F.pixel_unshuffle(flow_warp(hr, enlarged, padding="border"), scale)
    torch.testing.assert_close(warp_folded(hr, flow, scale), expected, atol=2e-5, rtol=0)


def test_half_precision_changes_only_the_convolutions_of_the_sr_net() -> None:
    torch.manual_seed(0)
    net = RepVSR(channels=16, blocks=1).eval()
    clip = moving_clip(3, 16, 16)
    with torch.no_grad():
        exact = net(clip)
        net.set_precision(torch.bfloat16)
        rough = net(clip)
    assert net.compute_dtype == torch.bfloat16 and all(p.dtype == torch.float32 for p in net.flownet.parameters())
    assert rough.dtype == torch.float32
    assert 0 < (rough - exact).abs().max() < 0.02
