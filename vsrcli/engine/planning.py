"""Make the engine's plan from its options, for one net and frame size."""

from dataclasses import replace

import torch

from vsrcli.engine.options import EngineOptions
from vsrcli.engine.plan import LOOKAHEAD, PROCESS_BYTES, WINDOW, Plan, choose_plan, default_budget
from vsrcli.engine.repeats import NEAR
from vsrcli.errors import Reason, UsageError
from vsrcli.nets.recurrent import RecurrentNet


def make_plan(
    options: EngineOptions,
    net: RecurrentNet,
    height: int,
    width: int,
    device: torch.device,
    dtype: torch.dtype,
    *,
    frames: int | None = None,
    bit_depth: int = 8,
    encoder: int | None = None,
    alpha: bool = False,
) -> Plan:
    """Return the engine's plan for `frames` LR frames of that size and bit depth. `Plan` explains the rest.

    `encoder` are the bytes that the encoder holds.

    Raises UsageError for options that do not fit the net.
    """
    mode = options.propagation
    exact = mode == "exact" and net.bidirectional  # a stream is exact as it is
    if exact and options.lookahead is not None:
        raise UsageError("exact propagation looks ahead to the end of the scene", Reason.EXACT_LOOKAHEAD)
    wanted = Plan(
        window=WINDOW if options.window is None else options.window,
        lookahead=LOOKAHEAD if options.lookahead is None else options.lookahead,
        exact=exact,
        horizon=options.horizon,
        keep_colours=True,
        hold_repeats=options.repeats != "off",
        near=NEAR if options.repeats == "near" else 0,
        alpha=alpha,
    )
    if not net.bidirectional:
        if mode == "window":
            raise UsageError("this model runs forward only and always streams", Reason.FORWARD_ONLY)
        wanted = replace(wanted, window=None if mode == "clip" else 1, lookahead=0, horizon=None)
    elif mode == "stream":
        raise UsageError("this model needs frames from the future and cannot stream", Reason.CANNOT_STREAM)
    elif mode == "clip":
        wanted = replace(wanted, window=None)
    if options.memory is None:
        budget = default_budget(device)
    else:
        budget = options.memory - (PROCESS_BYTES if device.type == "cpu" else 0)
    fixed = options.tile != "auto"
    if options.tile != "auto":
        wanted = replace(wanted, tile=options.tile)
    return choose_plan(
        net,
        height,
        width,
        wanted,
        dtype,
        device,
        budget,
        frames=frames,
        bit_depth=bit_depth,
        fixed_tile=fixed,
        encoder=encoder,
    )
