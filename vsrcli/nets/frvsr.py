"""FRVSR (Sajjadi et al., CVPR 2018): a streaming net that feeds the last HR frame back, warped by flow.

The authors published no code. Names and details are those of the public re-implementation in TecoGAN-PyTorch. Its
weights for the degradation bd upsample by a bicubic of their own, see `Bicubic`.
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.nets.layers import Conv, flow_warp, upcast
from vsrcli.nets.marks import Architecture, Config, Shapes, StateDict, count
from vsrcli.nets.observe import stage
from vsrcli.nets.recurrent import Branch, Features, RecurrentNet, State

SCALE = 4
MAX_FLOW = 24.0
"""Largest flow in pixels that the flow net can return."""


class UpConv(nn.ConvTranspose2d):
    """A 3x3 transposed convolution to twice the size, computed in the type of its weights."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__(channels_in, channels, 3, stride=2, padding=1, output_padding=1)

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        """Map (n, channels_in, h, w) to (n, channels, 2*h, 2*w)."""
        return super().forward(input.to(self.weight.dtype), output_size)


class FlowNet(nn.Module):
    """An encoder-decoder: three stages of two convolutions and 2x2 max pooling, then three with bilinear upsampling."""

    def __init__(self) -> None:
        super().__init__()

        def pair(channels_in: int, channels: int) -> nn.Sequential:
            return nn.Sequential(
                Conv(channels_in, channels, 3, padding=1),
                nn.LeakyReLU(0.2, True),
                Conv(channels, channels, 3, padding=1),
                nn.LeakyReLU(0.2, True),
            )

        self.encoder1, self.encoder2, self.encoder3 = pair(6, 32), pair(32, 64), pair(64, 128)
        self.decoder1, self.decoder2, self.decoder3 = pair(128, 256), pair(256, 128), pair(128, 64)
        self.flow = nn.Sequential(Conv(64, 32, 3, padding=1), nn.LeakyReLU(0.2, True), Conv(32, 2, 3, padding=1))

    def forward(self, frame: Tensor, neighbour: Tensor) -> Tensor:
        """Estimate the flow (n, 2, 8*(h//8), 8*(w//8)), x then y in pixels, between two frames (n, 3, h, w)."""
        x = torch.cat([frame, neighbour], 1)
        for encoder in (self.encoder1, self.encoder2, self.encoder3):
            x = F.max_pool2d(encoder(x), 2)
        for decoder in (self.decoder1, self.decoder2, self.decoder3):
            x = F.interpolate(decoder(x), scale_factor=2, mode="bilinear", align_corners=False)
        return torch.tanh(upcast(self.flow(x))) * MAX_FLOW


class Bicubic(nn.Module):
    """Bicubic upsampling by 4 with a = -0.75 that places LR pixel k at HR pixel 4*k, not at 4*k + 1.5."""

    kernels: Tensor

    def __init__(self) -> None:
        super().__init__()
        a = -0.75
        cubic = torch.tensor([[0, a, -2 * a, a], [1, 0, -(a + 3), a + 2], [0, -a, 2 * a + 3, -(a + 2)], [0, 0, a, -a]])
        steps = torch.arange(SCALE) / SCALE
        powers = torch.stack([steps**i for i in range(4)], 1)
        self.register_buffer("kernels", powers @ cubic.T)

    def forward(self, x: Tensor) -> Tensor:
        """Upsample (n, c, h, w) to (n, c, 4*h, 4*w); the border is replicated."""
        n, c, h, w = x.shape
        kernels = self.kernels.to(x.dtype)
        x = F.pad(x.reshape(n * c, 1, h, w), (1, 2, 1, 2), mode="replicate")
        x = F.conv2d(x, kernels.view(SCALE, 1, 4, 1))
        x = x.transpose(1, 2).reshape(n * c, 1, SCALE * h, w + 3)
        x = F.conv2d(x, kernels.view(SCALE, 1, 1, 4))
        return x.permute(0, 2, 3, 1).reshape(n, c, SCALE * h, SCALE * w)


class Bilinear(nn.Module):
    """Bilinear upsampling by 4."""

    def forward(self, x: Tensor) -> Tensor:
        """Upsample (n, c, h, w) to (n, c, 4*h, 4*w)."""
        return F.interpolate(x, scale_factor=SCALE, mode="bilinear", align_corners=False)


class Block(nn.Module):
    """A residual block: conv - ReLU - conv."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Sequential(
            Conv(channels, channels, 3, padding=1), nn.ReLU(True), Conv(channels, channels, 3, padding=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, c, h, w) to the same shape and type."""
        residue: Tensor = self.conv(x)
        return x + residue


class SRNet(nn.Module):
    """Net that turns the frame and the folded, warped estimate into the detail of the HR frame."""

    def __init__(self, channels: int, blocks: int) -> None:
        super().__init__()
        self.conv_in = nn.Sequential(Conv(3 + 3 * SCALE**2, channels, 3, padding=1), nn.ReLU(True))
        self.resblocks = nn.Sequential(*(Block(channels) for _ in range(blocks)))
        self.conv_up = nn.Sequential(
            UpConv(channels, channels), nn.ReLU(True), UpConv(channels, channels), nn.ReLU(True)
        )
        self.conv_out = Conv(channels, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, 51, h, w) to (n, 3, 4*h, 4*w)."""
        out: Tensor = self.conv_out(self.conv_up(self.resblocks(upcast(self.conv_in(x)))))
        return out


class FRVSR(RecurrentNet):
    """FRVSR. `bicubic` selects the upsampling of its weights for bd, else bilinear is used.

    Published: 10 blocks of 64 channels, 2.6 M parameters.
    """

    branches: ClassVar[tuple[Branch, ...]] = (Branch("forward", reverse=False),)
    float32_parts = ("fnet", "srnet.conv_in")  # flow; the convolution that sees the frame, which bf16 would round
    feature_module = "srnet.resblocks"
    min_size = 8
    stored_channels = 48
    state_channels = 48
    working_channels = 3000  # features at the output's size
    flow_channels = 200

    def __init__(self, channels: int = 64, blocks: int = 10, *, bicubic: bool = False) -> None:
        super().__init__()
        self.upsample_func = Bicubic() if bicubic else Bilinear()
        self.fnet = FlowNet()
        self.srnet = SRNet(channels, blocks)

    @stage("flow")
    def flow(self, frame: Tensor, neighbour: Tensor) -> Tensor:
        """Estimate the flow with the flow net; rows and columns that it leaves out are filled by reflection."""
        flow = self.fnet(frame, neighbour)
        rest = (frame.shape[-1] - flow.shape[-1], frame.shape[-2] - flow.shape[-2])
        return F.pad(flow, (0, rest[0], 0, rest[1]), mode="reflect")

    def propagate(
        self, branch: str, features: Features, flow: Tensor | None, state: State | None
    ) -> tuple[Tensor, State]:
        """Return the HR frame (n, 3, 4*h, 4*w), which is also the state. The state is black where a scene starts."""
        lr = features["lr"]
        n, _, h, w = lr.shape
        if state is None or flow is None:
            folded = lr.new_zeros(n, 3 * SCALE**2, h, w)
        else:
            folded = space_to_depth(flow_warp(state[0], self.upsample_func(flow) * SCALE, padding="border"), SCALE)
        hr = self.upsample_func(lr) + self.srnet(torch.cat([lr, folded], 1))
        return hr, (hr,)

    def reconstruct(self, features: Features) -> Tensor:
        """Return the propagated HR frame itself."""
        return features["forward"]


def space_to_depth(x: Tensor, scale: int) -> Tensor:
    """Fold (n, c, s*h, s*w) to (n, s*s*c, h, w) in TensorFlow's order: channel (dy*s + dx)*c + i is colour i."""
    folded = F.pixel_unshuffle(x, scale)
    n, channels, h, w = folded.shape
    return folded.view(n, channels // scale**2, scale**2, h, w).transpose(1, 2).reshape(n, channels, h, w)


def read_config(shapes: Shapes) -> Config:
    """Read width, depth and the kind of upsampling."""
    return {
        "channels": shapes["srnet.conv_in.0.weight"][0],
        "blocks": count(shapes, r"srnet\.resblocks\.\d+\.conv\.0\.weight"),
        "bicubic": "upsample_func.kernels" in shapes,
    }


def remove_duplicate_kernels(state: StateDict) -> StateDict:
    """Remove the second copy of the bicubic kernels."""
    return {key: value for key, value in state.items() if key != "srnet.upsample_func.kernels"}


ARCHITECTURE = Architecture(
    "frvsr",
    FRVSR,
    marker="fnet.",
    configure=read_config,
    adapt=remove_duplicate_kernels,
    bounds={"bicubic": (False, True)},
    before=("repvsr",),
)
