"""Space-time distillation (Xiao et al., CVPR 2021): the attention of a large net, and its memory.

Space: the attention map of a frame is the mean square of its features over channels; the student's should have the
teacher's shape. Time: one ConvLSTM (supplement, eq. 1) reads the feature maps of a clip in order; its final memory
should be the same for both nets. The ConvLSTM is randomly initialised and trained along with the student, which the
supplement's table 1 finds to be as good as pretraining it. A 1x1 convolution maps the student's features to the
teacher's width.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.nets.recurrent import RecurrentNet
from vsrcli.training.unroll import clip_flows

LSTM_WIDTH = 16


def first(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    """Return a module's output, or the first of several (RSDN's detail branch)."""
    return output if isinstance(output, Tensor) else output[0]


@contextmanager
def tapped(net: RecurrentNet) -> Iterator[list[Tensor]]:
    """Collect the outputs of the net's feature module in this context, frame by frame, as float32 (n, c, h, w)."""
    seen: list[Tensor] = []
    module = net.get_submodule(net.feature_module)
    handle = module.register_forward_hook(lambda _module, _input, output: seen.append(first(output).float()))
    try:
        yield seen
    finally:
        handle.remove()


def attention(features: Tensor) -> Tensor:
    """Return spatial attention maps of (..., c, h, w): the mean square over channels, (..., h*w), of unit length."""
    return F.normalize(features.square().mean(-3).flatten(-2), dim=-1)


class ConvLSTM(nn.Module):
    """The ConvLSTM of the supplement's eq. 1, with 3x3 convolutions for its gates and peepholes to the memory.

    The peepholes are per channel, not per pixel as in its Hadamard products, so that any patch size fits.
    """

    def __init__(self, c_in: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.gates = nn.Conv2d(c_in + width, 4 * width, 3, padding=1)
        self.peepholes = nn.Parameter(torch.zeros(3, width, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Return the memory (n, width, h, w) after reading (n, t, c, h, w) in order."""
        n, _, _, h, w = features.shape
        hidden = features.new_zeros(n, self.width, h, w)
        memory = torch.zeros_like(hidden)
        for x in features.unbind(1):
            i, f, c, o = self.gates(torch.cat([x, hidden], 1)).chunk(4, 1)
            i = torch.sigmoid(i + self.peepholes[0] * memory)
            f = torch.sigmoid(f + self.peepholes[1] * memory)
            memory = f * memory + i * torch.tanh(c)
            hidden = torch.sigmoid(o + self.peepholes[2] * memory) * torch.tanh(memory)
        return memory


class Teacher:
    """A model of the zoo that gives targets for the student's batches: its frames, and the features it upsamples."""

    def __init__(self, name: str, device: torch.device, dtype: torch.dtype) -> None:
        """Load the model. Raises UsageError or WeightsError."""
        from vsrcli.zoo import loading

        self.net = loading.load(name, device=device).net
        self.net.set_precision(dtype)

    @torch.no_grad()
    def __call__(self, lr: Tensor, *, features: bool = True) -> tuple[Tensor, Tensor | None]:
        """Return HR frames (n, t, 3, s*h, s*w) and, on request, features (n, t, c, h, w) of (n, t, 3, h, w)."""
        if not features:
            return self.net(lr), None
        with tapped(self.net) as seen:
            hr = self.net(lr)
        return hr, torch.stack(seen, 1)

    @torch.no_grad()
    def flows(self, lr: Tensor) -> Tensor:
        """Return its flows to the previous frames (n, t-1, 2, h, w) for clips (n, t, 3, h, w)."""
        return clip_flows(self.net, lr, forward=False)


def feature_channels(net: RecurrentNet, device: torch.device) -> int:
    """Return the number of channels of the net's feature module, found by running the net on two small frames."""
    side = max(net.min_size, 8 * net.multiple)
    with torch.no_grad(), tapped(net) as seen:
        net(torch.zeros(1, 2, 3, side, side, device=device))
    return seen[0].shape[1]


class SpaceTime(nn.Module):
    """The losses of space-time distillation, with their trainable parts."""

    def __init__(self, student_channels: int, teacher_channels: int) -> None:
        super().__init__()
        self.widen = nn.Conv2d(student_channels, teacher_channels, 1)
        self.lstm = ConvLSTM(teacher_channels, LSTM_WIDTH)

    def forward(self, student: Tensor, teacher: Tensor) -> tuple[Tensor, Tensor]:
        """Return the losses of space and of time for features (n, t, c, h, w); the teacher's get no gradient."""
        teacher = teacher.detach()
        space = (attention(student) - attention(teacher)).square().sum(-1).mean()
        widened = self.widen(student.flatten(0, 1)).unflatten(0, student.shape[:2])
        time = F.mse_loss(self.lstm(widened), self.lstm(teacher))
        return space, time
