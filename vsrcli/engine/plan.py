"""How a video is cut up to fit in memory: window, lookahead, tiles, strips, chosen from a budget."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from vsrcli.engine.memory import Room, room
from vsrcli.errors import OutOfMemoryError, Reason
from vsrcli.nets.horizon import Horizon
from vsrcli.nets.recurrent import RecurrentNet

WINDOW = 30
LOOKAHEAD = 10
HALO = 32
"""Defaults in frames and LR pixels; `vsr evaluate --ablate` prints what each costs."""

STRIP_PIXELS = 16 * 1024
"""LR pixels that are reconstructed at once: the 4x feature maps of so many take 256 MiB in float32."""

MIN_TILE = 64
QUEUED_FRAMES = 8
"""LR frames that wait before the engine, at the most, and twice as many HR frames as wait between it and the encoder:
with those that are made, handed over and encoded they are no more. All wait as levels."""
ENCODER_FRAMES = 60
"""HR frames (4:2:0) that x264 holds back to look ahead and to reorder, about."""
ENCODING_BYTES = 36
"""Of each HR pixel while its colours are converted for the encoder: the most, for full-range sources."""

UNIT_BYTES = 3 * 4
"""Of each pixel of a frame in float32."""
FLOW_BYTES = 2 * 2 * 4
"""Of each LR pixel of a frame that waits: two flows. On a CPU tiles are views of them."""

COLOUR_FRAMES = 4
"""HR frames in float32 that `keep_colours` makes beside the one that it is given, at its peak."""
HR_FRAMES = 2
"""HR frames in float32 that are alive while a frame is reconstructed: that before it, and its strips' part of it."""

UNKNOWN_FRAMES = 300
"""The length that a scene is taken to have where nothing is known of it."""


@dataclass(frozen=True)
class Plan:
    """How the engine runs. `window` None: a scene at a time; `tile` (w, h) in LR pixels, None: whole frames.

    `exact`: in windows, with the result of a scene at a time (exact.py), whatever the `lookahead`. `horizon`: how far
    nets that see the future remember; None: for ever, as in the papers. `keep_colours`: whether results are brought
    back to the source's means (colours.py).
    """

    window: int | None = WINDOW
    lookahead: int = LOOKAHEAD
    tile: tuple[int, int] | None = None
    halo: int = HALO
    exact: bool = False
    horizon: Horizon | None = None
    keep_colours: bool = False

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Plan":
        """Return the plan that `dataclasses.asdict` made a record of, as JSON gives it back."""
        tile, horizon = record["tile"], record["horizon"]
        return cls(**{**record, "tile": tile and tuple(tile), "horizon": horizon and Horizon(**horizon)})

    @property
    def reach(self) -> int:
        """How many frames past a window are run for reverse branches."""
        return 0 if self.exact else self.lookahead

    def smaller(self, height: int, width: int) -> "Plan":
        """A plan that needs less memory, for frames of that size. Raises OutOfMemoryError if there is none."""
        tile_w, tile_h = self.tile or (width, height)
        if max(tile_w, tile_h) <= MIN_TILE:
            raise OutOfMemoryError("not enough memory even for 64x64 tiles", Reason.OUT_OF_MEMORY)
        if tile_w >= tile_h:
            return replace(self, tile=(max(MIN_TILE, -(-tile_w // 2)), tile_h))
        return replace(self, tile=(tile_w, max(MIN_TILE, -(-tile_h // 2))))


def default_budget(device: torch.device) -> int:
    """Bytes that the engine may use: 85 % of a GPU's free memory, 60 % of what the process may still take on a CPU."""
    size = room_on(device).size
    return int((0.85 if device.type == "cuda" else 0.6) * size)


def room_on(device: torch.device) -> Room:
    """Return what a device has free: a GPU its own memory, all else what the process may still take."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return Room(free, "are free on the GPU")
    return room()


def estimate(
    net: RecurrentNet,
    height: int,
    width: int,
    plan: Plan,
    dtype: torch.dtype,
    device: torch.device,
    *,
    frames: int | None = None,
    bit_depth: int = 8,
) -> int:
    """Peak bytes on `device` for LR frames of that size; a window without end holds a scene, at most all `frames`.

    On a CPU that is everything, on a GPU what the net needs: what waits on the host is `estimate_host`.
    """
    size = torch.finfo(dtype).bits // 8
    _, held = _lengths(net, plan, frames)
    crop, whole = _crop(plan, height, width), height * width
    step = crop * net.working_channels * 4 + min(crop, STRIP_PIXELS) * net.scale**2 * 64 * 3 * 4
    if plan.horizon and net.bidirectional:
        step += 3 * crop * net.state_channels * 4  # beside the young state's step: the old state, its feature, a damped
    finishing = _finishing_bytes(net, height, width, plan) if device.type == "cpu" or crop == whole else 0
    net_bytes = held * crop * (net.stored_channels * size + UNIT_BYTES)  # the window's frames are floats there
    net_bytes += max(step, whole * net.flow_channels * 4, finishing) + HR_FRAMES * crop * net.scale**2 * UNIT_BYTES
    if device.type == "cpu":
        return net_bytes + _waiting_bytes(net, height, width, plan, frames, bit_depth)
    return net_bytes + held * crop * FLOW_BYTES


def estimate_host(
    net: RecurrentNet, height: int, width: int, plan: Plan, *, frames: int | None = None, bit_depth: int = 8
) -> int:
    """Peak bytes on the machine beside a GPU: frames and flows, HR frames made of tiles, the encoder's."""
    finishing = _finishing_bytes(net, height, width, plan) if _crop(plan, height, width) < height * width else 0
    return _waiting_bytes(net, height, width, plan, frames, bit_depth) + finishing


def _finishing_bytes(net: RecurrentNet, height: int, width: int, plan: Plan) -> int:
    """Of what is made of the whole HR frame where it lies: by `keep_colours`, if it is asked for, and to get levels."""
    return (COLOUR_FRAMES if plan.keep_colours else 1) * height * width * net.scale**2 * UNIT_BYTES


def _waiting_bytes(net: RecurrentNet, height: int, width: int, plan: Plan, frames: int | None, bit_depth: int) -> int:
    """Of what waits in the machine's memory: frames as levels but for those that are made of tiles, flows, states."""
    window, held = _lengths(net, plan, frames)
    whole = height * width
    hr = whole * net.scale**2
    canvas = window * hr * UNIT_BYTES if _crop(plan, height, width) < whole else 0
    ages = 2 if plan.horizon else 1  # a state and the young one that is to take over
    entering = ages * len(net.branches) * state_bytes(net, height, width) if plan.exact else 0
    level = 1 if bit_depth == 8 else 2
    lr = FLOW_BYTES + 2 * 3 * level + (UNIT_BYTES if net.prepares else 0)  # levels as they came, and padded
    outside = QUEUED_FRAMES * 3 * level + ENCODING_BYTES + ENCODER_FRAMES * 3 * level // 2
    return held * whole * lr + QUEUED_FRAMES * whole * 3 * level + canvas + entering + hr * outside


def state_bytes(net: RecurrentNet, height: int, width: int) -> int:
    """Of the state of one branch."""
    return height * width * net.state_channels * 4


def estimate_disk(net: RecurrentNet, height: int, width: int, plan: Plan, *, bit_depth: int = 8) -> int:
    """Bytes that the exact way keeps on disk for each frame of a scene, until the frame is upscaled: LR and states."""
    if not plan.exact or plan.window is None:
        return 0
    states = (len(net.branches) - 1) * state_bytes(net, height, width) // plan.window
    return height * width * 3 * (1 if bit_depth == 8 else 2) + states


def _lengths(net: RecurrentNet, plan: Plan, frames: int | None) -> tuple[int, int]:
    """The longest window, and with its lookahead."""
    longest = UNKNOWN_FRAMES if frames is None else frames
    window = longest if plan.window is None else min(plan.window, longest)
    return window, min(window + (plan.reach if net.bidirectional else 0), longest)


def _crop(plan: Plan, height: int, width: int) -> int:
    """LR pixels of the largest tile with its halo."""
    tile_w, tile_h = plan.tile or (width, height)
    return min(width, tile_w + 2 * plan.halo) * min(height, tile_h + 2 * plan.halo)


def choose_plan(
    net: RecurrentNet,
    height: int,
    width: int,
    wanted: Plan,
    dtype: torch.dtype,
    device: torch.device,
    budget: int,
    *,
    frames: int | None = None,
    fixed_tile: bool = False,
    host_budget: int | None = None,
    bit_depth: int = 8,
) -> Plan:
    """The first of ever smaller plans that fits the budget: whole frames, then a shorter window, then tiles.

    If none fits, the smallest. With `fixed_tile` the wanted tile is kept and only the window may shrink. What waits on
    the host beside a GPU should fit there too (`host_budget`, default: that of a CPU).
    """
    plans = list(_ever_smaller(net, height, width, wanted, fixed_tile))

    def taken(plan: Plan) -> int:
        return estimate(net, height, width, plan, dtype, device, frames=frames, bit_depth=bit_depth)

    fitting = [p for p in plans if taken(p) <= budget]
    fitting = fitting or plans[-1:]
    if device.type == "cpu":
        return fitting[0]
    host = default_budget(torch.device("cpu")) if host_budget is None else host_budget

    def waiting(plan: Plan) -> int:
        return estimate_host(net, height, width, plan, frames=frames, bit_depth=bit_depth)

    return next((p for p in fitting if waiting(p) <= host), fitting[0])


def _ever_smaller(net: RecurrentNet, height: int, width: int, wanted: Plan, fixed_tile: bool) -> Iterator[Plan]:
    tilings = [wanted]
    while not fixed_tile and max(tilings[-1].tile or (width, height)) > MIN_TILE:
        tilings.append(tilings[-1].smaller(height, width))
    # in the exact way a shorter window would have more states stored
    may_shrink = net.bidirectional and not wanted.exact
    shorter = [w for w in (WINDOW // 2, 8, 4) if may_shrink and w < (wanted.window or 0)]
    for windows in ([wanted.window, *shorter[:1]], shorter[1:]):
        for tiling in tilings:
            for window in windows:
                yield replace(tiling, window=window)
