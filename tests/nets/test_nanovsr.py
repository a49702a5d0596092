"""NanoVSR: checkpoints with batch norms are folded exactly, and the net has the published sizes."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.errors import WeightsError
from vsrcli.nets.nanovsr import NanoVSR
from vsrcli.zoo import load

CHANNELS, BLOCKS = 6, 3


class TrainingBlock(nn.Module):
    """A block in its training form: batch norms after a 3x3 and a 1x1 convolution, and one of the input itself."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.rbr_dense = nn.Sequential(
            nn.Conv2d(channels_in, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        )
        self.rbr_1x1 = nn.Sequential(nn.Conv2d(channels_in, channels, 1, bias=False), nn.BatchNorm2d(channels))
        self.rbr_identity = nn.BatchNorm2d(channels) if channels_in == channels else None

    def forward(self, x: Tensor) -> Tensor:
        same = self.rbr_identity(x) if self.rbr_identity else 0
        return F.leaky_relu(self.rbr_dense(x) + self.rbr_1x1(x) + same, 0.1)


def training_parts() -> nn.ModuleDict:
    """Return all parts of the net in training form, under the checkpoints' names, with random batch norms."""
    torch.manual_seed(0)
    parts = nn.ModuleDict(
        {
            "feat_extract": TrainingBlock(3, CHANNELS),
            "forward_net": nn.Sequential(*(TrainingBlock(CHANNELS, CHANNELS) for _ in range(BLOCKS))),
            "backward_net": nn.Sequential(*(TrainingBlock(CHANNELS, CHANNELS) for _ in range(BLOCKS))),
            "fusion": nn.Conv2d(2 * CHANNELS, CHANNELS, 1),
            "upsample1": nn.ModuleDict({"conv": nn.Conv2d(CHANNELS, 4 * CHANNELS, 3, padding=1), "prelu": nn.PReLU()}),
            "upsample2": nn.ModuleDict({"conv": nn.Conv2d(CHANNELS, 4 * 32, 3, padding=1), "prelu": nn.PReLU()}),
            "conv_last": nn.Conv2d(32, 3, 3, padding=1),
        }
    )
    for module in parts.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None and module.running_var is not None
            nn.init.normal_(module.running_mean, std=0.3)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            nn.init.uniform_(module.weight, 0.5, 1.0)
            nn.init.normal_(module.bias, std=0.1)
    return parts.eval()


def upscaled(parts: nn.ModuleDict, clip: Tensor) -> Tensor:
    """Upscale a clip (t, 3, h, w) by the parts in training form."""
    features = parts["feat_extract"](clip)

    def propagated(name: str, order: list[int]) -> dict[int, Tensor]:
        state, out = torch.zeros_like(features[:1]), {}
        for i in order:
            out[i] = state = parts[name](features[i : i + 1] + state)
        return out

    numbers = list(range(len(clip)))
    forward, backward = propagated("forward_net", numbers), propagated("backward_net", numbers[::-1])
    x = parts["fusion"](torch.cat([torch.cat([forward[i], backward[i]], 1) for i in numbers]))
    for name in ("upsample1", "upsample2"):
        up = parts[name]
        assert isinstance(up, nn.ModuleDict)
        x = up["prelu"](F.pixel_shuffle(up["conv"](x), 2))
    detail: Tensor = parts["conv_last"](x)
    return detail + F.interpolate(clip, scale_factor=4, mode="bilinear", align_corners=False)


@torch.inference_mode()
def test_a_checkpoint_with_batch_norms_computes_the_same(tmp_path: Path) -> None:
    parts = training_parts()
    torch.save(parts.state_dict(), tmp_path / "net.pth")
    loaded = load(tmp_path / "net.pth")
    assert (loaded.arch, loaded.scale) == ("nanovsr", 4)
    assert isinstance(loaded.net, NanoVSR) and len(loaded.net.forward_net) == BLOCKS
    clip = torch.rand(4, 3, 9, 14)
    expected = upscaled(parts, clip)
    torch.testing.assert_close(loaded.net(clip[None])[0], expected, atol=2e-5, rtol=0)


@torch.inference_mode()
def test_a_checkpoint_that_is_folded_already_loads_to_the_same(tmp_path: Path) -> None:
    torch.save(training_parts().state_dict(), tmp_path / "net.pth")
    net = load(tmp_path / "net.pth").net
    blocks = ("feat_extract", "forward_net", "backward_net")
    folded = {
        key.replace(".weight", ".rbr_reparam.weight").replace(".bias", ".rbr_reparam.bias")
        if key.startswith(blocks)
        else key.replace("1.weight", "1.conv.weight").replace("1.bias", "1.conv.bias"): value
        for key, value in net.state_dict().items()
    }
    torch.save({"params": folded}, tmp_path / "folded.pth")
    again = load(tmp_path / "folded.pth").net
    assert {k: v.tolist() for k, v in again.state_dict().items()} == {
        k: v.tolist() for k, v in net.state_dict().items()
    }


def test_branch_without_batch_norm_is_rejected(tmp_path: Path) -> None:
    state = training_parts().state_dict()
    torch.save({k: v for k, v in state.items() if k != "forward_net.1.rbr_1x1.1.running_var"}, tmp_path / "net.pth")
    with pytest.raises(
        WeightsError, match=r"cannot be loaded as nanovsr: missing: forward_net\.1\.rbr_1x1\.1\.running_var"
    ):
        load(tmp_path / "net.pth")


@pytest.mark.parametrize(
    ("channels", "blocks", "parameters"), [(32, 8, 226e3), (48, 12, 644e3), (64, 20, 1.7e6), (96, 30, 5.4e6)]
)
def test_the_published_sizes_have_the_published_parameters(channels: int, blocks: int, parameters: float) -> None:
    with torch.device("meta"):
        net = NanoVSR(channels, blocks)
    assert sum(p.numel() for p in net.parameters()) == pytest.approx(parameters, rel=0.04)


def test_state_is_not_damped_without_flow() -> None:
    state = (torch.rand(1, CHANNELS, 4, 4),)
    assert NanoVSR(CHANNELS, 1).fade(state, torch.zeros(1, 1, 4, 4)) is state
