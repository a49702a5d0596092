"""Measures of the package pyiqa, by their names there: LPIPS, DISTS and others, with and without a reference."""

import contextlib
import importlib
import sys
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vsrcli.errors import UsageError, VsrError

KEY = "pyiqa_"
"""What the keys of these measures begin with: pyiqa's LPIPS is not that of the package lpips to the last digit."""


@dataclass(frozen=True)
class Iqa:
    """One measure: whether it compares with the truth, and whether less is better."""

    name: str
    compares: bool
    less_is_better: bool
    net: Any

    @property
    def key(self) -> str:
        """Its key in tables."""
        return KEY + self.name

    @property
    def title(self) -> str:
        """Its title in tables, with an arrow to where it is better."""
        return f"{self.name} {'↓' if self.less_is_better else '↑'}"

    def __call__(self, frame: Tensor, truth: Tensor) -> float:
        """Return the figure of a frame (3, h, w) in [0, 1]; `truth` is not seen by a measure that does not compare.

        Raises VsrError for frames that the measure cannot take, for example too small ones.
        """
        try:
            with torch.inference_mode():
                found = self.net(frame[None], truth[None]) if self.compares else self.net(frame[None])
            return float(found)
        except (RuntimeError, ValueError, TypeError, AssertionError, IndexError) as error:
            height, width = frame.shape[-2:]
            raise VsrError(f"{self.name} of pyiqa fails on a frame of {width}x{height}: {_line(error)}") from None


def load_iqa(name: str, device: torch.device) -> Iqa:
    """Load a measure and its weights, which pyiqa downloads when they are first needed.

    Raises UsageError for a name that pyiqa does not know, VsrError where pyiqa is not installed or its weights cannot
    be had.
    """
    try:
        package: Any = importlib.import_module("pyiqa")
    except ImportError as error:
        lacking = f" (there is no {error.name})" if error.name not in (None, "pyiqa") else ""
        raise VsrError(f"{name} needs the package pyiqa{lacking}: run `pip install 'vsrcli[iqa]'`") from None
    known = package.list_models()
    if name not in known:
        raise UsageError(f"pyiqa has no measure {name} (it has {', '.join(known)})")
    try:
        with contextlib.redirect_stdout(sys.stderr):  # it says there what it loads, where a table is to stand
            net = package.create_metric(name, device=device)
    except OSError as error:  # of the network, too
        raise VsrError(f"the weights of {name} are not here, and pyiqa cannot download them: {_line(error)}") from None
    except ImportError as error:
        raise VsrError(f"{name} of pyiqa needs a package that is not installed: {error.name}") from None
    return Iqa(name, net.metric_mode == "FR", bool(net.lower_better), net)


def _line(error: Exception) -> str:
    """Return the first line of an error's message."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
