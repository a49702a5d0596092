"""Warn beforehand if a job will not fit in memory with any plan."""

import torch

from vsrcli.engine.memory import Room, room
from vsrcli.engine.plan import Plan, estimate, estimate_host, room_on
from vsrcli.media.info import VideoInfo
from vsrcli.nets.recurrent import RecurrentNet


def shortages(
    net: RecurrentNet,
    info: VideoInfo,
    plan: Plan,
    dtype: torch.dtype,
    device: torch.device,
    *,
    frames: int | None,
    encoder: int | None = None,
) -> list[str]:
    """Return a line for the device, and for the machine beside a GPU, if its memory is too small for the plan.

    `encoder` are the bytes that the encoder holds.
    """
    h, w, depth = info.height, info.width, info.bit_depth
    device_need = estimate(net, h, w, plan, dtype, device, frames=frames, bit_depth=depth, encoder=encoder)
    needs = [(device_need, room_on(device))]
    if device.type != "cpu":
        needs.append((estimate_host(net, h, w, plan, frames=frames, bit_depth=depth, encoder=encoder), room()))
    return [_line(need, there) for need, there in needs if need > there.size]


def _line(need: int, there: Room) -> str:
    return (
        f"this takes about {need / 2**30:.2f} GiB, more than the {there.size / 2**30:.2f} GiB that {there.bound}: "
        "it may fail or be killed"
    )
