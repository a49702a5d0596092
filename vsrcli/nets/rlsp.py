"""RLSP (Fuoli et al., ICCVW 2019): a streaming chain of plain convolutions without flow, one frame late.

Each step takes the previous, the current and the next LR frame, a hidden state and the net's own last HR frame, folded
to LR size. The authors' weights (luma only, TensorFlow) are for academic use: CC BY-NC-SA 4.0. They were trained on
frames in [0, 255]; here frames are in [0, 1].
"""

from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.nets.layers import Conv, upcast
from vsrcli.nets.marks import Architecture, Config, Shapes, count
from vsrcli.nets.observe import stage
from vsrcli.nets.recurrent import Branch, Features, RecurrentNet, State, frames_around


class Layer(Conv):
    """A 3x3 convolution with ReLU."""

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__(channels_in, channels, 3, padding=1)

    def forward(self, input: Tensor) -> Tensor:
        """Map (n, channels_in, h, w) to (n, channels, h, w)."""
        return F.relu(super().forward(input), inplace=True)


class RLSP(RecurrentNet):
    """RLSP. Published: 7 layers of 128 (1.15 M parameters), 64 or 48 channels, and as many in the hidden state."""

    branches: ClassVar[tuple[Branch, ...]] = (Branch("forward", reverse=False),)
    float32_parts = ("conv1",)  # it sees the frames, whose 8 bits bf16 would round
    context = 1
    stored_channels = 48
    flow_channels = 2
    feature_module = "conv_list"

    def __init__(self, channels: int = 128, layers: int = 7, hidden: int = 128, scale: int = 4) -> None:
        if layers < 3:
            raise ValueError(f"layers must be 3 or more, not {layers}")
        super().__init__()
        self.scale, self.hidden = scale, hidden
        self.picture = 3 * scale**2
        self.state_channels = self.picture + hidden
        self.working_channels = 4 * channels + 4 * self.state_channels
        self.conv1 = Layer(3 * 3 + self.picture + hidden, channels)
        self.conv_list = nn.Sequential(*(Layer(channels, channels) for _ in range(layers - 2)))
        self.conv_out = Conv(channels, self.picture + hidden, 3, padding=1)

    def encode(self, lr: Sequence[Tensor], index: int, *, number: int, length: int | None) -> Features:
        """Return the neighbouring frames; at the ends of a scene its first or last frame replaces the missing one."""
        return frames_around(lr, index, number=number, length=length)

    def propagate(
        self, branch: str, features: Features, flow: Tensor | None, state: State | None
    ) -> tuple[Tensor, State]:
        """Return the folded HR frame (n, 3*s*s, h, w), and as the state this frame and the hidden state.

        The hidden state is (n, hidden, h, w). Both are zero where a scene starts. The HR frame is fed back as it is,
        neither clamped nor rounded.
        """
        lr = features["lr"]
        n, _, h, w = lr.shape
        known = lr.new_zeros(n, self.hidden + self.picture, h, w) if state is None else torch.cat(state, 1)
        x = self.conv_list(self.conv1(torch.cat([features["previous"], lr, features["next"], known], 1)))
        detail, hidden = self.conv_out(x).split((self.picture, self.hidden), 1)
        folded = lr.repeat(1, self.scale**2, 1, 1) + detail
        return folded, (folded, upcast(F.relu(hidden)))

    @stage("reconstruct")
    def reconstruct(self, features: Features) -> Tensor:
        """Unfold the HR frame."""
        return depth_to_space(features["forward"], self.scale)


def depth_to_space(x: Tensor, scale: int) -> Tensor:
    """Unfold (n, s*s*c, h, w) to (n, c, s*h, s*w) in TensorFlow's order: channel (dy*s + dx)*c + i is colour i."""
    n, channels, h, w = x.shape
    places = x.view(n, scale**2, channels // scale**2, h, w)
    return F.pixel_shuffle(places.transpose(1, 2).reshape(n, channels, h, w), scale)


def read_config(shapes: Shapes) -> Config:
    """Read widths and depth from the shapes; the scale is 4.

    Raises ValueError if the first convolution does not take three RGB frames.
    """
    channels, inputs, *_ = shapes["conv1.weight"]
    outputs = shapes["conv_out.weight"][0]
    seen = inputs - outputs
    if seen != 9:
        raise ValueError(f"{seen} channels of frames")
    layers = 2 + count(shapes, r"conv_list\.\d+\.weight")
    hidden = outputs - 3 * 4**2
    return {"channels": channels, "layers": layers, "hidden": hidden, "scale": 4}


def inner_layers(config: Config) -> int:
    """Return the number of layers without the first and the last."""
    layers: int = config["layers"]
    return layers - 2


ARCHITECTURE = Architecture(
    "rlsp",
    RLSP,
    marker="conv_list.",
    configure=read_config,
    kernels=inner_layers,
    bounds={"layers": (1, 128), "hidden": (1, 256)},
)
