"""Warn beforehand if a job will not fit in memory with any plan."""

import torch

from vsrcli.engine.memory import Room, room
from vsrcli.engine.plan import Plan, estimate, estimate_host, room_on
from vsrcli.media.info import VideoInfo
from vsrcli.nets.recurrent import RecurrentNet


def shortages(
    net: RecurrentNet, info: VideoInfo, plan: Plan, dtype: torch.dtype, device: torch.device, *, frames: int | None
) -> list[str]:
    """Return a line for the device, and for the machine beside a GPU, if its memory is too small for the plan."""
    needs = [(estimate(net, info.height, info.width, plan, dtype, device, frames=frames), room_on(device))]
    if device.type != "cpu":
        needs.append((estimate_host(net, info.height, info.width, plan, frames=frames), room()))
    return [_line(need, there) for need, there in needs if need > there.size]


def _line(need: int, there: Room) -> str:
    return (
        f"this takes about {need / 2**30:.2f} GiB, more than the {there.size / 2**30:.2f} GiB that {there.bound}: "
        "it may fail or be killed"
    )
