"""IconVSR (Chan et al., CVPR 2021, section 3.2): BasicVSR with information refill at keyframes, coupled propagation."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from vsrcli.nets.basicvsr import BasicVSR
from vsrcli.nets.edvr_features import EDVRFeatureExtractor
from vsrcli.nets.layers import Conv, ResidualTrunk, enlarge, flow_warp
from vsrcli.nets.marks import Architecture, Config, Shapes, trunk_config
from vsrcli.nets.recurrent import Branch, Features, RecurrentNet, State
from vsrcli.nets.spynet import SpyNet


class IconVSR(RecurrentNet):
    """A backward branch and a forward branch that takes the backward features; only the latter's are upsampled by 4.

    Every `keyframe_interval`-th frame of a scene and its last are keyframes: there both branches are refilled with the
    feature that EDVR-M extracts from 2 * `padding` + 1 frames. The interval may be changed at any time; 0 means no
    keyframes.
    """

    branches: ClassVar[tuple[Branch, ...]] = (Branch("backward", reverse=True), Branch("forward", reverse=False))
    float32_parts = (
        "edvr.conv_first",
        "backward_trunk.main.0",
        "forward_trunk.main.0",
    )  # they see the frame, whose 8 bits bf16 would round
    int8_parts = BasicVSR.int8_parts
    multiple = 4
    reconstruct_reach = 3
    stored_channels = 80  # the backward feature, and a fifth of a keyframe's
    working_channels = 1700
    feature_module = "forward_trunk"
    options = ("keyframe_interval",)

    def __init__(self, channels: int = 64, blocks: int = 30, *, padding: int = 2, keyframe_interval: int = 5) -> None:
        super().__init__()
        self.channels = channels
        self.padding = padding
        self.context = 2 * padding  # the first and last windows reach that far, see `refill_numbers`
        self.keyframe_interval = keyframe_interval
        self.edvr = EDVRFeatureExtractor(channels, 2 * padding + 1)
        self.spynet = SpyNet()
        self.backward_fusion = Conv(2 * channels, channels, 3, padding=1)
        self.backward_trunk = ResidualTrunk(channels + 3, channels, blocks)
        self.forward_fusion = Conv(2 * channels, channels, 3, padding=1)
        self.forward_trunk = ResidualTrunk(2 * channels + 3, channels, blocks)
        self.upconv1 = Conv(channels, 4 * channels, 3, padding=1)
        self.upconv2 = Conv(channels, 4 * 64, 3, padding=1)
        self.conv_hr = Conv(64, 64, 3, padding=1)
        self.conv_last = Conv(64, 3, 3, padding=1)

    @property
    def cost_period(self) -> int:
        """The keyframe interval: only keyframes are refilled."""
        return self.keyframe_interval or 1

    def adopt(self, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Convert BasicVSR's state dict; return any other as it is."""
        if "fusion.weight" in given and "edvr.fusion.feat_fusion.weight" not in given:
            return basicvsr_as_iconvsr(given, self.state_dict())
        return dict(given)

    def flow(self, frame: Tensor, neighbour: Tensor) -> Tensor:
        """Estimate the flow with SPyNet."""
        out: Tensor = self.spynet(frame, neighbour)
        return out

    def encode(self, lr: Sequence[Tensor], index: int, *, number: int, length: int | None) -> Features:
        """Extract the feature of the window around a keyframe (eq. 4); return nothing for other frames."""
        interval = self.keyframe_interval
        if not interval or (number % interval and number + 1 != length):
            return {}
        numbers = refill_numbers(number, self.padding, length)
        return {"keyframe": self.edvr.fuse([lr[index + n - number] for n in numbers]).to(self.compute_dtype)}

    def propagate(
        self, branch: str, features: Features, flow: Tensor | None, state: State | None
    ) -> tuple[Tensor, State]:
        """Warp the neighbour's feature, refill it at keyframes, concatenate it with the frame and refine it (eqs. 4-6).

        The forward branch also takes the backward feature.
        """
        lr = features["lr"]
        if state is None or flow is None:
            warped = lr.new_zeros(lr.shape[0], self.channels, *lr.shape[-2:])
        else:
            warped = flow_warp(state[0], flow)
        backward = branch == "backward"
        if "keyframe" in features:
            fusion = self.backward_fusion if backward else self.forward_fusion
            warped = fusion(torch.cat([warped, features["keyframe"]], 1))
        if backward:
            feature: Tensor = self.backward_trunk(torch.cat([lr, warped], 1))
        else:
            feature = self.forward_trunk(torch.cat([lr, features["backward"], warped], 1))
        return feature.to(self.compute_dtype), (feature,)

    def reconstruct(self, features: Features) -> Tensor:
        """Upsample the forward feature onto the bilinear upsampling of the frame."""
        return enlarge(features["forward"], features["lr"], self.upconv1, self.upconv2, self.conv_hr, self.conv_last)


def refill_numbers(number: int, padding: int, length: int | None) -> list[int]:
    """Return the frame numbers of the window around keyframe `number`; `length` is None if the scene's end is far away.

    The released weights were trained on scenes padded once, at both ends, by frames from inside: n < 0 stands for
    `padding` - n, and likewise at the end. With padding 2 frame 0 uses 4, 3, 0, 1, 2, but frame 1 uses 3, 0, 1, 2, 3.
    Scenes shorter than a window, on which the released code fails, repeat frames.
    """
    numbers = []
    for n in range(number - padding, number + padding + 1):
        if n < 0:
            n = padding - n
        elif length is not None and n >= length:
            n = 2 * (length - 1) - padding - n
        numbers.append(n if length is None else min(max(n, 0), length - 1))
    return numbers


@torch.no_grad()
def basicvsr_as_iconvsr(given: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return initial weights for IconVSR from BasicVSR's state dict; `own` is IconVSR's new one.

    - The forward trunk's first convolution reads (frame, backward feature, warped feature). BasicVSR has weights for
      the first and the last; the backward feature starts with zero weights and is learnt.
    - The refill convolutions pass the warped feature on and give the keyframe zero weights, so that keyframes are like
      all other frames at first. EDVR-M gets gradients as soon as these weights have changed.
    - BasicVSR upsamples a 1x1 fusion of both branches, IconVSR the forward feature: the first upsampling convolution
      absorbs the forward half of the fusion.
    """
    state = dict(given)
    channels = given["backward_trunk.main.0.weight"].shape[0]
    first = torch.zeros_like(own["forward_trunk.main.0.weight"])
    known = given["forward_trunk.main.0.weight"]
    first[:, :3], first[:, 3 + channels :] = known[:, :3], known[:, 3:]
    state["forward_trunk.main.0.weight"] = first
    for name in ("backward_fusion", "forward_fusion"):
        weight = torch.zeros_like(own[f"{name}.weight"])
        weight[:, :channels, 1, 1] = torch.eye(channels)
        state[f"{name}.weight"], state[f"{name}.bias"] = weight, torch.zeros_like(own[f"{name}.bias"])
    fusion = given["fusion.weight"][:, channels:, 0, 0]
    upconv = given["upconv1.weight"]
    state["upconv1.weight"] = torch.einsum("omyx,mi->oiyx", upconv, fusion)
    state["upconv1.bias"] = given["upconv1.bias"] + upconv.sum((2, 3)) @ given["fusion.bias"]
    return state


def read_config(shapes: Shapes) -> Config:
    """Read width and depth from the backward trunk, and the refill window from the number of frames that EDVR fuses."""
    fused, joined, *_ = shapes["edvr.fusion.feat_fusion.weight"]
    return {**trunk_config(shapes, "backward_trunk"), "padding": joined // fused // 2}


ARCHITECTURE = Architecture(
    "iconvsr",
    IconVSR,
    marker="edvr.",
    configure=read_config,
    bounds={"padding": (0, 7), "keyframe_interval": (0, 1_000_000)},
    before=("basicvsr", "basicvsr-uni"),
)
