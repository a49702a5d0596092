"""Muon (Jordan et al. 2024, kellerjordan.github.io/posts/muon): momentum with orthogonalised matrices.

The update of a convolution kernel, as the matrix (c_out, c_in * 9), gets equal singular values, so that rare directions
learn as fast as common ones. torch.optim.Muon takes only two-dimensional parameters.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, cast

import torch
from torch import Tensor, nn

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
"""Coefficients of the odd quintic that brings singular values close to 1 in five steps (ibid.)."""


class Muon(torch.optim.Optimizer):
    """Muon for kernels and matrices, Adam (0.9, 0.999) for parameters of one row or one column, at one learning rate.

    Updates of matrices are scaled to the size of Adam's (RMS 0.2, Liu et al. 2025), so that learning rates are
    comparable.
    """

    def __init__(self, groups: Iterable[dict[str, Any]], lr: float = 1e-3) -> None:
        """Split each group of parameters in two; the key "muon" tells them apart."""
        split = []
        for group in groups:
            for muon in (True, False):
                parameters = [p for p in group["params"] if _is_matrix(p) == muon]
                if parameters:
                    split.append({**group, "params": parameters, "muon": muon})
        super().__init__(split, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient once."""
        for group in self.param_groups:
            parameters = [p for p in cast(list[nn.Parameter], group["params"]) if p.grad is not None]
            if group["muon"]:
                self._orthogonal(parameters, group["lr"])
            else:
                self._adam(parameters, group["lr"])

    def _orthogonal(self, parameters: list[nn.Parameter], rate: float) -> None:
        same: dict[tuple[int, int], list[nn.Parameter]] = defaultdict(list)
        for p in parameters:
            same[len(p), p[0].numel()].append(p)
        for shape, members in same.items():
            momenta = [self._memory(p, "momentum") for p in members]
            gradients = [cast(Tensor, p.grad) for p in members]
            torch._foreach_lerp_(momenta, gradients, 0.05)
            ahead = torch.stack(torch._foreach_lerp(gradients, momenta, 0.95)).flatten(2)
            for p, update in zip(members, orthogonalised(ahead), strict=True):
                p.add_(update.view_as(p), alpha=-rate * 0.2 * max(shape) ** 0.5)

    def _adam(self, parameters: list[nn.Parameter], rate: float) -> None:
        for p in parameters:
            gradient = cast(Tensor, p.grad)
            steps = self.state[p]["steps"] = self.state[p].get("steps", 0) + 1
            mean, square = self._memory(p, "momentum"), self._memory(p, "square")
            mean.lerp_(gradient, 0.1)
            square.lerp_(gradient.square(), 0.001)
            deviation = (square / (1 - 0.999**steps)).sqrt_().add_(1e-8)
            p.addcdiv_(mean / (1 - 0.9**steps), deviation, value=-rate)

    def _memory(self, p: nn.Parameter, name: str) -> Tensor:
        state = self.state[p]
        if name not in state:
            state[name] = torch.zeros_like(p)
        return cast(Tensor, state[name])


def orthogonalised(matrices: Tensor) -> Tensor:
    """Return (semi-)orthogonal matrices close to (n, rows, columns), with singular values of 0.7 to 1.2."""
    a, b, c = NEWTON_SCHULZ
    is_wide = matrices.shape[-2] <= matrices.shape[-1]
    x: Tensor = matrices if is_wide else matrices.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-12)
    for _ in range(5):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x if is_wide else x.mT


def _is_matrix(p: Tensor) -> bool:
    return p.ndim >= 2 and min(len(p), p[0].numel()) > 1
