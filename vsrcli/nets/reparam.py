"""Re-parameterizable convolutions (REPVSR sections 3.1-3.2): several linear branches that equal one 3x3 convolution.

Every branch is linear, so its kernels compose to one 3x3 kernel and the branches add up. `RepConv` composes them
differentiably each time it runs, so that a block costs one convolution in training too. `reparameterize` replaces
blocks by plain convolutions for good.

Borders are exact because no 1x1 convolution before a 3x3 has a bias: the zeros that the 3x3 pads with are then the same
before and after the 1x1. Nothing is lost, since such a bias only adds a constant to the output, which the block's one
bias (the sum of all the branches' biases, eqs. 6-7) can express. With it, a merged kernel would differ at borders.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vsrcli.nets.layers import Conv

_LAPLACIAN = ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0))

Net = TypeVar("Net", bound=nn.Module)


class RepConv(nn.Module):
    """FNMB: a 3x3 convolution plus 1x1-3x3, 3x3-1x1 and 1x1-3x3-1x1. With `laplacian` SRMB: plus 1x1-Laplacian.

    `compute_dtype` is the type of the one convolution; the branches themselves stay in float32. `gain` scales the
    initial merged kernel against He initialisation (for LeakyReLU(0.1)), whatever the number of branches.
    """

    laplacian: Tensor

    if TYPE_CHECKING:  # torch leaves what a module returns open

        def __call__(self, input: Tensor) -> Tensor:
            """Return what `forward` returns."""

    def __init__(self, c_in: int, c_out: int, *, laplacian: bool, gain: float = 1.0) -> None:
        super().__init__()
        mid = c_out
        self.compute_dtype = torch.float32
        self._merged: tuple[Tensor, Tensor] | None = None
        self.conv3 = _kernel(c_out, c_in, 3)
        self.bias = nn.Parameter(torch.zeros(c_out))
        self.seq13 = nn.ParameterList([_kernel(mid, c_in, 1), _kernel(c_out, mid, 3)])
        self.seq31 = nn.ParameterList([_kernel(mid, c_in, 3), _kernel(c_out, mid, 1)])
        self.seq131 = nn.ParameterList([_kernel(mid, c_in, 1), _kernel(mid, mid, 3), _kernel(c_out, mid, 1)])
        self.lap = nn.ParameterList()
        if laplacian:
            self.lap.extend([_kernel(c_out, c_in, 1), nn.Parameter(torch.full((c_out, 1, 1, 1), 0.1))])
        self.register_buffer("laplacian", torch.tensor(_LAPLACIAN).expand(c_out, 1, 3, 3).clone(), persistent=False)
        with torch.no_grad():
            factor = gain * _he_deviation(c_in) / self.kernel().std()
            for last in (self.conv3, self.seq13[-1], self.seq31[-1], self.seq131[-1], *self.lap[:1]):
                last.mul_(factor)

    def kernel(self) -> Tensor:
        """Return the merged 3x3 kernel (c_out, c_in, 3, 3), differentiable (eqs. 4-7)."""
        w = self.conv3 + _after_1x1(self.seq13[1], self.seq13[0]) + _before_1x1(self.seq31[0], self.seq31[1])
        w = w + _before_1x1(_after_1x1(self.seq131[1], self.seq131[0]), self.seq131[2])
        if len(self.lap):
            w = w + (self.lap[1] * self.laplacian) * self.lap[0]  # depthwise after 1x1: an outer product per channel
        return w

    def branches(self, x: Tensor) -> Tensor:
        """Compute the block branch by branch, as drawn in the paper: the definition that `forward` equals."""
        y = F.conv2d(x, self.conv3, self.bias, padding=1)
        y = y + F.conv2d(F.conv2d(x, self.seq13[0]), self.seq13[1], padding=1)
        y = y + F.conv2d(F.conv2d(x, self.seq31[0], padding=1), self.seq31[1])
        y = y + F.conv2d(F.conv2d(F.conv2d(x, self.seq131[0]), self.seq131[1], padding=1), self.seq131[2])
        if len(self.lap):
            depthwise = self.lap[1] * self.laplacian
            y = y + F.conv2d(F.conv2d(x, self.lap[0]), depthwise, padding=1, groups=len(depthwise))
        return y

    def merge(self) -> tuple[Tensor, Tensor]:
        """Return kernel and bias in `compute_dtype`."""
        kernel = self.kernel().to(self.compute_dtype, memory_format=torch.channels_last)
        return kernel, self.bias.to(self.compute_dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve (n, c_in, h, w) to (n, c_out, h, w) in `compute_dtype` by one 3x3 convolution with zero padding."""
        kernel, bias = self._merged or self.merge()
        return F.conv2d(x.to(kernel.dtype), kernel, bias, padding=1)


def block(c_in: int, c_out: int, *, multibranch: bool, laplacian: bool, gain: float = 1.0) -> Conv | RepConv:
    """Return a RepConv to train, or else the plain convolution that it merges into; both start at the same scale."""
    if multibranch:
        return RepConv(c_in, c_out, laplacian=laplacian, gain=gain)
    conv = Conv(c_in, c_out, 3, padding=1)
    nn.init.normal_(conv.weight, std=gain * _he_deviation(c_in))
    nn.init.zeros_(conv.bias)  # type: ignore[arg-type]
    return conv


@contextmanager
def merged_once(net: nn.Module) -> Iterator[None]:
    """Let each RepConv of `net` merge its kernel only once in this context, shared by all frames of a clip."""
    convs = [m for m in net.modules() if isinstance(m, RepConv)]
    for conv in convs:
        conv._merged = conv.merge()
    try:
        yield
    finally:
        for conv in convs:
            conv._merged = None


def merged_state(net: nn.Module) -> dict[str, Tensor]:
    """Return the state dict of `reparameterize(net)` without gradients, which is averaged, stored and shipped."""
    state: dict[str, Tensor] = {}
    convs = {name: m for name, m in net.named_modules() if isinstance(m, RepConv)}
    with torch.no_grad():
        for name, conv in convs.items():
            state[f"{name}.weight"], state[f"{name}.bias"] = conv.kernel(), conv.bias.detach()
    inside = tuple(f"{name}." for name in convs)
    state.update((k, v) for k, v in net.state_dict().items() if not k.startswith(inside))
    return state


def load_merged(net: nn.Module, state: dict[str, Tensor]) -> int:
    """Load merged weights wherever key and shape fit; return the number of tensors that fit.

    In a RepConv the 3x3 branch takes up the difference to the merged kernel.
    """
    convs = dict(net.named_modules())
    own = net.state_dict()
    count = 0
    with torch.no_grad():
        for key, value in state.items():
            name, _, kind = key.rpartition(".")
            conv = convs.get(name)
            if isinstance(conv, RepConv) and kind == "weight" and conv.conv3.shape == value.shape:
                conv.conv3.add_(value - conv.kernel())
            elif key in own and own[key].shape == value.shape:
                own[key].copy_(value)
            else:
                continue
            count += 1
    return count


def reparameterize(net: Net) -> Net:
    """Return a copy of `net` in which each RepConv is the plain 3x3 convolution that it equals, in float32."""
    net = copy.deepcopy(net)
    for module in list(net.modules()):
        for name, child in module.named_children():
            if isinstance(child, RepConv):
                setattr(module, name, _plain(child))
    return net


def _plain(merging: RepConv) -> Conv:
    with torch.no_grad():
        kernel = merging.kernel()
        conv = Conv(kernel.shape[1], kernel.shape[0], 3, padding=1).to(kernel)
        conv.weight.copy_(kernel)
        assert conv.bias is not None
        conv.bias.copy_(merging.bias)
    return conv


def _he_deviation(c_in: int) -> float:
    """Return the standard deviation of He initialisation for a 3x3 kernel before LeakyReLU(0.1)."""
    return float((2.0 / 1.01 / (9 * c_in)) ** 0.5)


def _kernel(c_out: int, c_in: int, size: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(c_out, c_in, size, size) * (c_in * size * size) ** -0.5)


def _after_1x1(kernel: Tensor, first: Tensor) -> Tensor:
    """Compose `kernel` (o, m, 3, 3) after the 1x1 `first` (m, i, 1, 1) into one (o, i, 3, 3)."""
    return torch.einsum("omyx,mi->oiyx", kernel, first[:, :, 0, 0])


def _before_1x1(kernel: Tensor, last: Tensor) -> Tensor:
    """Compose `kernel` (m, i, 3, 3) before the 1x1 `last` (o, m, 1, 1) into one (o, i, 3, 3)."""
    return torch.einsum("miyx,om->oiyx", kernel, last[:, :, 0, 0])
