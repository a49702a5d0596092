"""REPVSR (Hu and Yu, section 3): a small streaming recurrent net of blocks that merge into plain convolutions.

For each frame RepFlowNet estimates the LR flow to the previous frame. The previous HR estimate is warped by the
upsampled flow, folded to LR resolution (space-to-depth) and concatenated with the LR frame. RepSRNet adds detail to the
bicubic upsampling of the frame. The input is the difference of the previous estimate to that upsampling, that is the
detail alone, brought to the frame's scale, so that the net need not learn to subtract what it knows: after 750 equal
iterations +0.86 dB over bicubic against +0.84, and 0.12 dB of it from the past against 0.10.

Width and depth. The paper's budget is 0.274 M parameters and 29.4 GFLOP for 320x180 -> 1280x720; it does not say how it
is spent. Nearly all of RepSRNet's weights work at LR resolution (2 FLOP per weight and pixel), so the limit on
parameters is reached first. Time per 320x180 frame of one 3x3 convolution, channels last, one AVX-512 core, fp32 /
bf16: 32 channels 10.0 / 4.9 ms, 48: 21.5 / 10.4, 64: 37.3 / 18.5, which is 106-114 / 217-230 GFLOP/s. The same
arithmetic takes about the same time at each width, so 48 channels in 10 layers cost what 64 channels in 6 cost, with
nearly twice the receptive field, while 32 channels in 20 layers would need twice the elementwise passes. RepFlowNet
works at 1/2 to 1/8 resolution, where its quarter of the parameters costs a twentieth of the arithmetic.

Operations other than convolution. Straightforward bicubic upsampling, flow upsampling, HR warp, space-to-depth and
pixel shuffle took 49 ms there. Here each upsampling is a convolution from LR pixels to the s*s HR positions that they
cover ("phases"), the HR frame is sampled at those positions, one LR pixel's after another's, and base and detail are
added before the one pixel shuffle.

x2. With `fold` of 2, squares of 2x2 pixels are the net's pixels: they are folded into channels, flow and blocks work at
half the LR resolution, and the folded detail is that of 4x4 HR pixels. So a frame takes a quarter of the arithmetic
that the net for x4 needs for it.
"""

import math
from collections.abc import Mapping
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.nets.folded import enlarge_folded, warp_folded
from vsrcli.nets.fused import residual
from vsrcli.nets.layers import leaky
from vsrcli.nets.marks import Architecture, Config, Shapes, count
from vsrcli.nets.observe import stage
from vsrcli.nets.recurrent import Branch, Features, RecurrentNet, State
from vsrcli.nets.reparam import block, merged_once, reparameterize
from vsrcli.nets.repflow import RepFlowNet

DETAIL_GAIN = 3.0
"""Scale of the detail, which is about thirty times smaller than frames, so that its kernels need not be large."""


class RepBlock(nn.Module):
    """A residual block, SRMB - ReLU - SRMB, whose sum is not rounded to the convolutions' type."""

    def __init__(self, channels: int, multibranch: bool) -> None:
        super().__init__()
        self.conv1 = block(channels, channels, multibranch=multibranch, laplacian=True)
        self.conv2 = block(channels, channels, multibranch=multibranch, laplacian=True, gain=0.25)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, c, h, w) to the same shape and type."""
        return residual(x, self.conv1, self.conv2)


class RepSRNet(nn.Module):
    """SRMB blocks at LR resolution that turn the frame and the folded previous detail into the folded detail."""

    def __init__(self, channels: int, blocks: int, scale: int, fold: int, *, multibranch: bool) -> None:
        super().__init__()
        folded = 3 * (fold * scale) ** 2
        self.head = block(3 * fold**2 + folded, channels, multibranch=multibranch, laplacian=True)
        self.body = nn.Sequential(*(RepBlock(channels, multibranch) for _ in range(blocks)))
        self.tail = block(channels, folded, multibranch=multibranch, laplacian=True, gain=0.1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, 3*f*f + 3*s*s, h, w) to (n, 3*s*s, h, w) in float32; s is `fold` times the scale, f is `fold`."""
        first = leaky(self.head(x.contiguous(memory_format=torch.channels_last))).float()
        out: Tensor = self.tail(self.body(first))
        return out.float()


class RepVSR(RecurrentNet):
    """REPVSR, for training (`multibranch`) or merged into plain convolutions, as it is stored and shipped."""

    branches: ClassVar[tuple[Branch, ...]] = (Branch("forward", reverse=False),)
    float32_parts = ("flownet",)
    int8_parts = ("srnet.body", "srnet.tail")
    stored_channels = 48  # the HR estimate
    working_channels = 480  # two features in float32, the folded and the unfolded estimate, the warp's grid
    flow_channels = 64
    feature_module = "srnet.body"

    def __init__(
        self, channels: int = 48, blocks: int = 4, scale: int = 4, fold: int = 1, *, multibranch: bool = False
    ) -> None:
        super().__init__()
        self.channels, self.scale, self.fold, self.multiple = channels, scale, fold, fold
        self.flownet = RepFlowNet(multibranch=multibranch)
        self.srnet = RepSRNet(channels, blocks, scale, fold, multibranch=multibranch)

    def adopt(self, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return weights in which a folded net's head sees, of the net for single pixels, the mean of each square."""
        weights, key = dict(given), "srnet.head.weight"
        folded = 3 * (self.fold * self.scale) ** 2
        if key in weights and weights[key].shape[1] == 3 + folded:
            colours, detail = weights[key].split([3, folded], 1)
            weights[key] = torch.cat([colours.repeat_interleave(self.fold**2, 1) / self.fold**2, detail], 1)
        return weights

    def flow(self, frame: Tensor, neighbour: Tensor) -> Tensor:
        """Estimate the flow with RepFlowNet, between frames whose pixels are the net's."""
        f = self.fold
        if f == 1:
            single: Tensor = self.flownet(frame, neighbour)
            return single
        flow = self.flownet(F.avg_pool2d(frame, f), F.avg_pool2d(neighbour, f))
        return f * F.interpolate(flow, scale_factor=f, mode="bilinear", align_corners=False)

    def propagate(
        self, branch: str, features: Features, flow: Tensor | None, state: State | None
    ) -> tuple[Tensor, State]:
        """Return the HR estimate, and as the state the same clamped to [0, 1] (n, 3, s*h, s*w).

        There is no detail where a scene starts. Clamping bounds the recurrence: no error can grow over a long scene.
        """
        lr = features["lr"].float().contiguous(memory_format=torch.channels_last)
        scale, f = self.scale * self.fold, self.fold
        base = enlarge_folded(lr, self.scale, mode="bicubic")
        if f > 1:
            lr, base = F.pixel_unshuffle(lr, f), F.pixel_unshuffle(F.pixel_shuffle(base, self.scale), scale)
            flow = None if flow is None else F.avg_pool2d(flow, f) / f
        if state is None or flow is None:
            detail = torch.zeros_like(base)
        else:
            detail = warp_folded(state[0], flow, scale).sub_(base).mul_(DETAIL_GAIN)
        hr = unfold(base, self.srnet(torch.cat([lr, detail], 1)), scale)
        return hr, (hr.clamp(0, 1),)

    def reconstruct(self, features: Features) -> Tensor:
        """Return the propagated HR estimate itself."""
        return features["forward"]

    def forward(self, clip: Tensor) -> Tensor:
        """Upscale whole clips (n, t, 3, h, w) in [0, 1] to (n, t, 3, scale*h, scale*w).

        Kernels are merged once a clip.
        """
        with merged_once(self):
            return super().forward(clip)

    def reparameterize(self) -> "RepVSR":
        """Return the same net with every block merged into one convolution, for inference and storage."""
        return reparameterize(self)


@stage("reconstruct")
def unfold(base: Tensor, detail: Tensor, scale: int) -> Tensor:
    """Return the HR frame (n, c, s*h, s*w) that is the sum of base and detail (n, c*s*s, h, w)."""
    return F.pixel_shuffle(base + detail, scale)


def read_config(shapes: Shapes) -> Config:
    """Read width, depth, scale and fold of a merged net."""
    (channels, inputs), folded = shapes["srnet.head.weight"][:2], shapes["srnet.tail.weight"][0]
    fold = max(1, math.isqrt((inputs - folded) // 3))
    return {
        "channels": channels,
        "blocks": count(shapes, r"srnet\.body\.\d+\.conv1\.weight"),
        "scale": math.isqrt(folded // 3) // fold,
        "fold": fold,
    }


ARCHITECTURE = Architecture("repvsr", RepVSR, marker="srnet.", configure=read_config, bounds={"fold": (1, 4)})
