"""The plan of a run: window, lookahead, tiles and strips, chosen to fit a memory budget."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from vsrcli.engine.memory import Room, room
from vsrcli.errors import OutOfMemoryError, Reason
from vsrcli.nets.horizon import Horizon
from vsrcli.nets.instructions import dtype_beside_int8
from vsrcli.nets.recurrent import RecurrentNet

WINDOW = 30
LOOKAHEAD = 10
HALO = 32
"""Defaults in frames and LR pixels; `vsr evaluate --ablate` measures the loss of each."""

STRIP_PIXELS = 16 * 1024
"""LR pixels that are reconstructed at once: their 4x feature maps take 256 MiB in float32."""

MIN_TILE = 64
QUEUED_FRAMES = 8
"""Largest number of LR frames that wait before the engine, as levels."""
QUEUED_BYTES = 128 << 20
"""Bytes of HR frames, as levels, that may wait between engine and encoder: four frames at most, one at least. Four more
are being computed, handed over and encoded."""
ENCODER_BYTES = 275
"""Bytes per HR pixel that an encoder holds for lookahead and reordering, where it is not known which one it is: x265's,
which encodes large videos unless told otherwise."""
PROCESS_BYTES = 320 << 20
"""What Python, PyTorch and the codecs take by themselves, on a CPU."""
ENCODING_BYTES = 36
"""Bytes per HR pixel while colours are converted for the encoder: the maximum, for full-range sources."""

UNIT_BYTES = 3 * 4
"""Bytes per pixel of a frame in float32."""
FLOW_BYTES = 2 * 2 * 4
"""Bytes per LR pixel of a waiting frame for two flows. On a CPU, tiles are views of them."""

COLOUR_FRAMES, GPU_COLOUR_FRAMES = 2, 4
"""HR frames in float32 that `keep_colours`, the checks and the conversion to levels allocate, besides their input. In
main memory they go through a frame by strips."""
HR_FRAMES = 2
"""HR frames in float32 that are alive while a frame is reconstructed: the previous one and the strips of this one."""

NEAR_BEST = 1.05
"""How many times the least memory a plan may take that is preferred for its larger tiles, where none fits."""

UNKNOWN_FRAMES = 300
"""Assumed length of a scene if nothing is known of it."""


@dataclass(frozen=True)
class Plan:
    """Settings with which the engine runs.

    Attributes:
        window: frames of a window; None for a whole scene.
        lookahead: frames after a window for reverse branches.
        tile: (width, height) in LR pixels; None for whole frames.
        halo: LR pixels around a tile that are computed with it.
        exact: windows with the result of whole scenes (exact.py), whatever the `lookahead`.
        horizon: how many frames bidirectional nets remember; None for no limit, as in the papers.
        keep_colours: whether results get the source's local means (colours.py).
        hold_repeats: whether a frame that equals the one before it bit for bit is shown again instead of run
            (repeats.py).
        near: how many levels of 255 a frame may differ from the one before it to count as its repeat.
        alpha: whether frames have opacity, for the memory that it takes (matte.py).
    """

    window: int | None = WINDOW
    lookahead: int = LOOKAHEAD
    tile: tuple[int, int] | None = None
    halo: int = HALO
    exact: bool = False
    horizon: Horizon | None = None
    keep_colours: bool = False
    hold_repeats: bool = False
    near: int = 0
    alpha: bool = False

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "Plan":
        """Return the plan from its `dataclasses.asdict` after a round trip through JSON."""
        tile, horizon = record["tile"], record["horizon"]
        return cls(**{**record, "tile": tile and tuple(tile), "horizon": horizon and Horizon(**horizon)})

    @property
    def reach(self) -> int:
        """Number of frames after a window that are run for reverse branches."""
        return 0 if self.exact else self.lookahead

    def smaller(self, height: int, width: int) -> "Plan":
        """Return a plan that needs less memory for frames of that size. Raises OutOfMemoryError if there is none."""
        tile_w, tile_h = self.tile or (width, height)
        if max(tile_w, tile_h) <= MIN_TILE:
            raise OutOfMemoryError("not enough memory even for 64x64 tiles", Reason.OUT_OF_MEMORY)
        if tile_w >= tile_h:
            return replace(self, tile=(max(MIN_TILE, -(-tile_w // 2)), tile_h))
        return replace(self, tile=(tile_w, max(MIN_TILE, -(-tile_h // 2))))


def least_plan(
    net: RecurrentNet,
    height: int,
    width: int,
    wanted: Plan,
    dtype: torch.dtype,
    device: torch.device,
    *,
    encoder: int | None = None,
) -> Plan:
    """Return the plan that is chosen where memory is too small for any."""
    return choose_plan(net, height, width, wanted, dtype, device, 0, encoder=encoder, host_budget=0)


def default_budget(device: torch.device) -> int:
    """Return the bytes that the engine may use: 85 % of a GPU's free memory, or 60 % of what is left to the process."""
    size = room_on(device).size
    return int((0.85 if device.type == "cuda" else 0.6) * size)


def room_on(device: torch.device) -> Room:
    """Return the free memory of a device: a GPU's own, for all else what the process may still take."""
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
    encoder: int | None = None,
) -> int:
    """Return the peak bytes on `device` for LR frames of that size. `encoder` are the bytes that an encoder holds.

    On a CPU that is everything but the process itself. On a GPU it is what the net needs; `estimate_host` gives the
    rest. A window without end
    holds a scene, at most all `frames`.
    """
    size = (dtype_beside_int8() if dtype == torch.int8 else dtype).itemsize
    _, held = _lengths(net, plan, frames)
    crop, whole = _crop(plan, height, width), height * width
    step = crop * net.working_channels * 4 + min(crop, STRIP_PIXELS) * net.scale**2 * 64 * 3 * 4
    if plan.horizon and net.bidirectional:
        step += 3 * crop * net.state_channels * 4  # beside the young state's step: the old state, its feature, a damped
    finishing = _finishing_bytes(net, height, width, plan, device) if device.type == "cpu" or crop == whole else 0
    net_bytes = held * crop * (net.stored_channels * size + UNIT_BYTES)  # the window's frames are floats there
    net_bytes += max(step, whole * net.flow_channels * 4, finishing) + HR_FRAMES * crop * net.scale**2 * UNIT_BYTES
    if device.type == "cpu":
        return net_bytes + _waiting_bytes(net, height, width, plan, frames, bit_depth, encoder)
    return net_bytes + held * crop * FLOW_BYTES


def estimate_host(
    net: RecurrentNet,
    height: int,
    width: int,
    plan: Plan,
    *,
    frames: int | None = None,
    bit_depth: int = 8,
    encoder: int | None = None,
) -> int:
    """Return the peak bytes in main memory beside a GPU: frames, flows, HR frames made of tiles, encoder frames."""
    tiled = _crop(plan, height, width) < height * width
    finishing = _finishing_bytes(net, height, width, plan, torch.device("cpu")) if tiled else 0
    return _waiting_bytes(net, height, width, plan, frames, bit_depth, encoder) + finishing


def _finishing_bytes(net: RecurrentNet, height: int, width: int, plan: Plan, device: torch.device) -> int:
    """Return the bytes for post-processing whole HR frames: `keep_colours` if it is used, and conversion to levels."""
    coloured = COLOUR_FRAMES if device.type == "cpu" else GPU_COLOUR_FRAMES
    return (coloured if plan.keep_colours else 1) * height * width * net.scale**2 * UNIT_BYTES


def waiting_frames(hr_pixels: int, bit_depth: int = 8) -> int:
    """Return how many HR frames may wait between engine and encoder."""
    return max(1, min(QUEUED_FRAMES // 2, QUEUED_BYTES // (hr_pixels * 3 * (1 if bit_depth == 8 else 2))))


def _waiting_bytes(
    net: RecurrentNet,
    height: int,
    width: int,
    plan: Plan,
    frames: int | None,
    bit_depth: int,
    encoder: int | None,
) -> int:
    """Return the bytes that wait in main memory: frames as levels, HR frames made of tiles, flows, states."""
    window, held = _lengths(net, plan, frames)
    whole = height * width
    hr = whole * net.scale**2
    waiting = window * canvas_bytes(bit_depth) if window > 1 else 0
    canvas = (waiting + UNIT_BYTES) * hr if _crop(plan, height, width) < whole else 0
    ages = 2 if plan.horizon else 1  # a state and the young one that is to take over
    entering = ages * len(net.branches) * state_bytes(net, height, width) if plan.exact else 0
    level = 1 if bit_depth == 8 else 2
    lr = FLOW_BYTES + 2 * 3 * level + (UNIT_BYTES if net.prepares else 0)  # levels as they came, and padded
    outside = (waiting_frames(hr, bit_depth) + 4 + plan.hold_repeats) * 3 * level + ENCODING_BYTES
    if plan.alpha:  # of waiting frames, and of the window's results
        canvas += (held * whole + window * hr) * level
    coded = hr * ENCODER_BYTES * level if encoder is None else encoder
    return held * whole * lr + QUEUED_FRAMES * whole * 3 * level + canvas + entering + hr * outside + coded


def canvas_bytes(bit_depth: int) -> int:
    """Return the bytes per pixel of an HR frame that waits, with others, until all of its tiles are done."""
    return UNIT_BYTES // 2 if bit_depth == 8 else UNIT_BYTES


def state_bytes(net: RecurrentNet, height: int, width: int) -> int:
    """Return the size in bytes of one branch's state."""
    return height * width * net.state_channels * 4


def estimate_disk(net: RecurrentNet, height: int, width: int, plan: Plan, *, bit_depth: int = 8) -> int:
    """Return the bytes on disk of exact propagation for each frame of a scene until it is upscaled: LR and states."""
    if not plan.exact or plan.window is None:
        return 0
    states = (len(net.branches) - 1) * state_bytes(net, height, width) // plan.window
    return height * width * 3 * (1 if bit_depth == 8 else 2) + states


def _lengths(net: RecurrentNet, plan: Plan, frames: int | None) -> tuple[int, int]:
    """Return the longest window without and with its lookahead."""
    longest = UNKNOWN_FRAMES if frames is None else frames
    window = longest if plan.window is None else min(plan.window, longest)
    return window, min(window + (plan.reach if net.bidirectional else 0), longest)


def _crop(plan: Plan, height: int, width: int) -> int:
    """Return the number of LR pixels of the largest tile with its halo."""
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
    encoder: int | None = None,
) -> Plan:
    """Return the first of a series of smaller and smaller plans that fits the budget.

    The order is: whole frames, then a shorter window, then tiles. If none fits, it is the first that is near the best:
    where most memory is that of whole HR frames, small tiles take longer and save next to nothing.

    Args:
        wanted: the plan before it is reduced.
        budget: bytes on `device`.
        frames: number of frames of the video, if known.
        fixed_tile: keep the wanted tile; only the window may shrink.
        host_budget: bytes in main memory beside a GPU; None for that of a CPU.
        bit_depth: of the frames.
        encoder: bytes that the encoder holds.
    """
    plans = list(_smaller_plans(net, height, width, wanted, fixed_tile))

    def taken(plan: Plan) -> int:
        return estimate(net, height, width, plan, dtype, device, frames=frames, bit_depth=bit_depth, encoder=encoder)

    sizes = [taken(plan) for plan in plans]
    limit = budget if min(sizes) <= budget else NEAR_BEST * min(sizes)
    fitting = [plan for plan, size in zip(plans, sizes, strict=True) if size <= limit]
    if device.type == "cpu":
        return fitting[0]
    host = default_budget(torch.device("cpu")) if host_budget is None else host_budget

    def waiting(plan: Plan) -> int:
        return estimate_host(net, height, width, plan, frames=frames, bit_depth=bit_depth, encoder=encoder)

    return next((p for p in fitting if waiting(p) <= host), fitting[0])


def _smaller_plans(net: RecurrentNet, height: int, width: int, wanted: Plan, fixed_tile: bool) -> Iterator[Plan]:
    tilings = [wanted]
    while not fixed_tile and max(tilings[-1].tile or (width, height)) > MIN_TILE:
        tilings.append(tilings[-1].smaller(height, width))
    # with exact propagation a shorter window stores more states
    may_shrink = net.bidirectional and not wanted.exact
    shorter = [w for w in (WINDOW // 2, 8, 4) if may_shrink and w < (wanted.window or 0)]
    for windows in ([wanted.window, *shorter[:1]], shorter[1:]):
        for tiling in tilings:
            for window in windows:
                yield replace(tiling, window=window)
