"""On a device, frames go up once and come down once, as levels, and nothing else waits: counted on a device in name.

The meta device computes nothing but shapes. Whatever would move data from or to it, or wait for it, is counted.
"""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from vsrcli.bench.measure import moving_frames
from vsrcli.engine.engine import Engine
from vsrcli.engine.lane import Lane, packed, unpacked
from vsrcli.engine.plan import Plan
from vsrcli.frame import Frame
from vsrcli.levels import levels_on_device, picture_tensor, to_unit, unit_to_picture
from vsrcli.nets.animesr import AnimeSR
from vsrcli.nets.basicvsr import BasicVSR
from vsrcli.nets.basicvsrpp import BasicVSRPP
from vsrcli.nets.horizon import Horizon
from vsrcli.nets.iconvsr import IconVSR
from vsrcli.nets.recurrent import RecurrentNet
from vsrcli.nets.repvsr import RepVSR

META = torch.device("meta")

SHAPES: dict[str, Callable[..., Sequence[int]]] = {
    "aten::grid_sampler": lambda x, grid, *rest: (*x.shape[:2], *grid.shape[1:3]),
    "aten::grid_sampler_2d": lambda x, grid, *rest: (*x.shape[:2], *grid.shape[1:3]),
    "aten::upsample_bilinear2d": lambda x, size, *rest: (*x.shape[:2], *size),
    "aten::upsample_bicubic2d": lambda x, size, *rest: (*x.shape[:2], *size),
}
"""The results' shapes of operators that the meta device takes apart in Python, for seconds."""


class Transfers(TorchDispatchMode):
    """Counts what goes up to the meta device, what comes down, in bytes a element, and what waits for a number."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.up: list[torch.dtype] = []
        self.down: list[torch.dtype] = []
        self.waits = 0

    def __torch_dispatch__(self, func: Any, types: object, args: Any = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        name = func._schema.name
        if name in ("aten::_local_scalar_dense", "aten::item", "aten::is_nonzero", "aten::equal") and args[0].is_meta:
            self.waits += 1
            return False if name in ("aten::is_nonzero", "aten::equal") else 0.0
        if name in ("aten::_to_copy", "aten::to"):
            wanted = kwargs.get("device") or next((a for a in args[1:] if isinstance(a, torch.device)), None)
            wanted = torch.device(wanted or args[0].device)
            if args[0].is_meta and wanted.type == "cpu":
                self.down.append(args[0].dtype)
                return torch.zeros(args[0].shape, dtype=kwargs.get("dtype") or args[0].dtype)
            if not args[0].is_meta and wanted.type == "meta":
                self.up.append(args[0].dtype)
        if name == "aten::copy_" and args[0].is_meta != args[1].is_meta:
            (self.up if args[0].is_meta else self.down).append(args[1].dtype)
            return args[0]
        if name in SHAPES and func._overloadname == "default" and args[0].is_meta:
            return args[0].new_empty(SHAPES[name](*args))
        return func(*args, **kwargs)


def counted(net: RecurrentNet, plan: Plan, frames: int, *, deep: bool = False) -> Transfers:
    """Run a job of so many frames and count."""
    net = net.to("meta").eval().requires_grad_(False)
    engine = Engine(net, plan, META, detector=None)
    transfers = Transfers()
    with transfers:
        made = 0
        for number, frame in enumerate(islice(moving_frames(64, 68), frames)):
            data = frame.data.astype(np.uint16) * 257 if deep else frame.data
            made += sum(1 for _ in engine.push(Frame(number, data)))
        made += sum(1 for _ in engine.flush())
    assert made == frames
    return transfers


WINDOWS = Plan(window=2, lookahead=1, horizon=Horizon.of(6), keep_colours=True)
STREAM = Plan(window=1, lookahead=0, keep_colours=True)
JOBS = [
    pytest.param(lambda: BasicVSR(8, 1), WINDOWS, False, marks=pytest.mark.slow, id="basicvsr"),
    pytest.param(lambda: RepVSR(8, 1), STREAM, False, id="repvsr"),
    pytest.param(lambda: RepVSR(8, 1), STREAM, True, marks=pytest.mark.slow, id="repvsr, 16 bits"),
    *(
        pytest.param(build, plan, False, marks=pytest.mark.slow, id=build.__name__)
        for build, plan in ((IconVSR, WINDOWS), (BasicVSRPP, WINDOWS), (AnimeSR, STREAM))
    ),
]


@pytest.mark.parametrize(("build", "plan", "deep"), JOBS)
def test_each_frame_is_transferred_once_each_way(build: Callable[[], RecurrentNet], plan: Plan, deep: bool) -> None:
    counted(build(), plan, 2)  # constants of a size and type are moved once and kept
    found = counted(build(), plan, 5, deep=deep)
    assert found.up == 5 * [torch.int16 if deep else torch.uint8]
    assert found.down.count(torch.uint8) == 5, "each with all that is to be known of it, as bytes"
    assert len(found.down) <= 6 and found.waits <= 4, "the first look alone waits, once a video"


def test_16_bit_levels_are_transferred_unchanged() -> None:
    levels = np.array([0, 1, 32767, 32768, 65535], np.uint16).reshape(1, 5, 1).repeat(3, -1)
    bits = picture_tensor(levels).view(torch.int16)
    assert torch.equal(to_unit(bits), to_unit(picture_tensor(levels)))
    back = levels_on_device(to_unit(bits).permute(2, 0, 1), 16)
    assert back.dtype == torch.int16
    picture, facts = Lane(torch.device("cpu")).down(back, [torch.tensor(0.25)])
    assert np.array_equal(picture, levels) and facts == [0.25]
    assert np.array_equal(unit_to_picture(to_unit(bits).permute(2, 0, 1), 16), levels)


@pytest.mark.parametrize("depth", [8, 16, 32])
@pytest.mark.parametrize("facts", [[], [1.5], [0.0, 2.0, float("inf")]])
def test_packing_is_reversed_by_unpacking(depth: int, facts: list[float]) -> None:
    unit = torch.rand(3, 5, 7, generator=torch.Generator().manual_seed(0))
    planes = levels_on_device(unit, depth)
    data = packed(planes, [torch.tensor(fact) for fact in facts])
    assert data.dtype == torch.uint8 and data.ndim == 1
    picture, numbers = unpacked(data, planes, len(facts))
    assert np.array_equal(picture, unit_to_picture(unit, depth)) and numbers == facts
