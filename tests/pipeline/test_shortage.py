"""A plan that takes more memory than there is room for is told, with both figures."""

from dataclasses import replace
from pathlib import Path

import torch

from vsrcli.engine.memory import room
from vsrcli.engine.plan import Plan, estimate
from vsrcli.media.read.probe import probe
from vsrcli.nets.repvsr import RepVSR
from vsrcli.pipeline.jobs.shortage import shortages

FP32, CPU = torch.float32, torch.device("cpu")
PLAN = Plan(window=1, lookahead=0)


def test_only_jobs_that_exceed_the_memory_are_warned_about(film: Path) -> None:
    info, net = probe(film), RepVSR(8, 1)
    assert shortages(net, info, PLAN, FP32, CPU, frames=20) == []
    side = 1024
    while estimate(net, side, side, PLAN, FP32, CPU, frames=20) < 2 * room().size:
        side *= 2
    (line,) = shortages(net, replace(info, width=side, height=side), PLAN, FP32, CPU, frames=20)
    need = estimate(net, side, side, PLAN, FP32, CPU, frames=20) / 2**30
    assert line.startswith(f"this takes about {need:.2f} GiB, more than the ")
    assert line.endswith(": it may fail or be killed") and "\n" not in line
