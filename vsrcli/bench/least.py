"""The least memory with which a net upscales large sources: what plans take, by the same figures as a job's plan."""

from dataclasses import dataclass

import torch

from vsrcli.bench.case import Case, architectures_listed, resolve
from vsrcli.bench.measure import build
from vsrcli.engine.options import EngineOptions
from vsrcli.engine.plan import PROCESS_BYTES, estimate, least_plan
from vsrcli.engine.planning import make_plan
from vsrcli.zoo.architectures import ARCHITECTURES

SOURCES = {"1080p": (1920, 1080), "4k": (3840, 2160)}
"""Names of the sources' sizes: (width, height) in pixels."""


@dataclass(frozen=True)
class Least:
    """The least memory of one model for one size of sources, on a CPU in float32, for a long video of 8 bits.

    Attributes:
        model: its full name.
        architecture: name of the net's architecture.
        source: name of the source's size.
        output_width, output_height: those of the result at the model's own factor.
        tile: (width, height) of the tiles, None for whole frames.
        window: frames of a window, None for a net that runs frame by frame.
        memory_bytes: peak of the process with these.
        whole_bytes: peak with whole frames and windows of the usual length.
        encoder_bytes: the part of both that the encoder holds; an output of fewer pixels takes less.
    """

    model: str
    architecture: str
    source: str
    output_width: int
    output_height: int
    tile: tuple[int, int] | None
    window: int | None
    memory_bytes: int
    whole_bytes: int
    encoder_bytes: int


def least_memory(model: str | None) -> list[Least]:
    """Return the least memory of a model (None: the default) for each of SOURCES. Raises UsageError, WeightsError."""
    name, random = resolve(model)
    net, name, architecture, _ = build(Case(name, random, "fp32", "cpu", (0, 0)))
    cpu, dtype = torch.device("cpu"), torch.float32
    found = []
    for source, (width, height) in SOURCES.items():
        wanted = make_plan(EngineOptions(memory=1 << 62), net, height, width, cpu, dtype)
        plan = least_plan(net, height, width, wanted, dtype, cpu)
        least, whole = (PROCESS_BYTES + estimate(net, height, width, one, dtype, cpu) for one in (plan, wanted))
        held = least - PROCESS_BYTES - estimate(net, height, width, plan, dtype, cpu, encoder=0)
        window = plan.window if net.bidirectional else None
        size = (width * net.scale, height * net.scale)
        found.append(Least(name, architecture, source, *size, plan.tile, window, least, whole, held))
    return found


def nets() -> list[str]:
    """Return the names of all nets, those with a model in the catalogue first."""
    listed = architectures_listed()
    return sorted(ARCHITECTURES, key=lambda name: name not in listed)
