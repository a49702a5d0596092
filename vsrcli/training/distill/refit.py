"""Fit IconVSR to BasicVSR: one trunk learns the function of BasicVSR's two branches and their fusion.

BasicVSR upsamples a fusion of both branches' features. IconVSR upsamples the forward feature alone, whose trunk sees
the backward feature (eq. 6); all other weights can be reused (warm.py). So the forward trunk is fitted, feature by
feature, until the output of the first upsampling convolution equals BasicVSR's. Nothing is upsampled, no HR frame is
needed, and each frame gives a target of 256 channels without detail that no net can predict.
"""

from typing import cast

import torch
from torch import Tensor

from vsrcli.nets.basicvsr import BasicVSR
from vsrcli.nets.iconvsr import IconVSR
from vsrcli.nets.layers import leaky
from vsrcli.nets.recurrent import Features, RecurrentNet, State, Window, propagate_window
from vsrcli.training.losses import Distance
from vsrcli.training.unroll import clip_window


def feature_loss(student: RecurrentNet, teacher: RecurrentNet, lr: Tensor, between: Distance) -> Tensor:
    """Return the distance `between` IconVSR's first upsampled features to BasicVSR's, for clips (n, t, 3, h, w).

    The student's flow and backward branch must equal the teacher's, as after a warm start if they are frozen.
    """
    student, teacher = cast(IconVSR, student), cast(BasicVSR, teacher)
    window, _ = clip_window(student, lr)
    frames = list(propagate_window(student, window))
    ours = torch.stack([student.upconv1(frame["forward"]).float() for frame in frames])
    return between(ours, torch.stack(_targets(teacher, window, frames)))


@torch.no_grad()
def _targets(teacher: BasicVSR, window: Window, frames: list[Features]) -> list[Tensor]:
    """Return the output of the teacher's first upsampling convolution for each frame, given the backward features."""
    state: State | None = None
    targets = []
    for lr, flow, frame in zip(window.lr, window.to_previous, frames, strict=True):
        forward, state = teacher.propagate("forward", {"lr": lr}, flow, state)
        fused = leaky(teacher.fusion(torch.cat([frame["backward"].to(forward.dtype), forward], 1)))
        targets.append(teacher.upconv1(fused).float())
    return targets
