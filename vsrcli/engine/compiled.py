"""Run the steps of a net compiled by torch.compile, once for each size of frame or tile.

PyTorch needs a compiler for that: on a CPU one for C++, on a GPU Triton. Where it fails, the net runs as it is.
"""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor

from vsrcli.nets.observe import observed
from vsrcli.nets.recurrent import RecurrentNet

STEPS = ("flow", "propagate", "reconstruct")
"""The steps that see tensors alone. (`encode` is given a frame's number, and would be compiled for each.)"""

HOW: dict[str, dict[str, Any]] = {"cpu": {"options": {"freezing": True}}, "cuda": {"mode": "reduce-overhead"}}
"""Arguments of torch.compile by type of device: on a CPU weights are packed as constants, on CUDA a step is captured as
a graph, which saves launching its many small kernels one by one."""

MOST_VARIANTS = 64
"""How often a step may be compiled: for nine sizes of tiles and their strips, with and without a state."""


class Compiler:
    """Compiles steps on one type of device until it fails; `say` then gets a line."""

    def __init__(self, kind: str, say: Callable[[str], None]) -> None:
        from torch._dynamo import config  # here, because it takes seconds to import

        config.recompile_limit = MOST_VARIANTS
        warnings.filterwarnings("ignore", "Dynamo detected a call to a `functools.lru_cache`")  # of constants
        self._kind, self._say, self._works = kind, say, True

    def compiled(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """Return a step that is compiled when it first sees arguments of a shape."""
        return partial(self._run, step, torch.compile(step, dynamic=False, **HOW.get(self._kind, {})))

    def _run(self, step: Callable[..., Any], compiled: Callable[..., Any], *args: Any) -> Any:
        from torch._dynamo.exc import TorchDynamoException

        if self._works:
            try:
                with observed(None):  # its stages are not apart any more
                    made = compiled(*args)
                return copied(made) if self._kind == "cuda" else made
            except TorchDynamoException as error:
                self._works = False
                self._say(f"going on uncompiled: {_reason(error)}")
        return step(*args)


def compile_steps(net: RecurrentNet, device: torch.device, say: Callable[[str], None]) -> None:
    """Let a net that is on `device` already run its steps compiled, in place; once compiled, it stays so.

    `say` is called with a line if that is not possible, now or when the first frame is run.
    """
    if net.precision == torch.int8:
        say("compiling changes nothing: int8 runs as it is")
        return
    compiler = Compiler(device.type, say)
    for name in STEPS:
        if name not in vars(net) and getattr(type(net), name) is not getattr(RecurrentNet, name):
            setattr(net, name, compiler.compiled(getattr(net, name)))


def copied(made: Any) -> Any:
    """Return copies of a step's tensors: the next run of its graph overwrites them."""
    return made.clone() if isinstance(made, Tensor) else tuple(map(copied, made))


def _reason(error: Exception) -> str:
    """Return in one line why nothing could be compiled."""
    inner = getattr(error, "inner_exception", error)
    if type(inner).__name__ == "InvalidCxxCompiler":
        return "PyTorch finds no C++ compiler here"
    return f"PyTorch cannot compile here ({str(inner).strip().splitlines()[0]})"
