"""Time all nets on one device, in each precision and for several sizes, and compare with the CPU's float32.

Nets whose weights are not here have random ones: the speed is the same, and the PSNR is of the same arithmetic. What
does not fit into the time that is given is left out and named.
"""

import argparse
import copy
import itertools
import json
import math
import sys
import time
from dataclasses import asdict, dataclass
from statistics import median

import torch

from vsrcli.bench.case import Case, resolve
from vsrcli.bench.machine import device_name, synchronize
from vsrcli.bench.measure import build, choose, moving_frames, run
from vsrcli.engine.device import PRECISIONS, pick_device, place
from vsrcli.engine.engine import Engine
from vsrcli.engine.plan import Plan
from vsrcli.engine.retry import is_out_of_memory
from vsrcli.nets.recurrent import RecurrentNet

NETS = ("repvsr", "basicvsr", "iconvsr", "basicvsr++", "edvr", "realbasicvsr", "animesr")
SIZES = ("320x180", "480x270", "960x540")
LIKENESS_SIZE, LIKENESS_FRAMES = (48, 64), 3
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Row:
    """One net, size (width x height of the LR frame) and precision; memory in bytes, likeness in dB."""

    model: str
    weights: str
    size: str
    precision: str
    tile: tuple[int, int] | None
    ms: float
    fps: float
    memory: int | None
    likeness: float


def results(net: RecurrentNet, device: torch.device) -> torch.Tensor:
    """Return what a net makes of a few frames, (t, h, w, 3), levels as floats on the CPU."""
    plan = Plan(window=LIKENESS_FRAMES if net.bidirectional else 1, lookahead=0, keep_colours=True)
    engine = Engine(net, plan, device, detector=None)
    frames = itertools.islice(moving_frames(*LIKENESS_SIZE), LIKENESS_FRAMES)
    made = [hr for frame in frames for hr in list(engine.push(frame))] + list(engine.flush())
    return torch.stack([torch.from_numpy(hr.data).double() for hr in made])


def likeness(a: torch.Tensor, b: torch.Tensor) -> float:
    """Return the PSNR of 8-bit frames in dB; infinite where they are the same."""
    error = float((a - b).square().mean())
    return 10 * math.log10(255**2 / error) if error else math.inf


def timed(
    net: RecurrentNet, case: Case, size: tuple[int, int], device: torch.device, dtype: torch.dtype
) -> tuple[Plan, float, int | None]:
    """Return the plan that was run, milliseconds a frame, and the most memory that was allocated."""
    plan, frames = choose(net, case, size[1], size[0], device, dtype)
    video = moving_frames(size[1], size[0])
    run(net, plan, device, video, plan.window or 1, lambda done: None)  # warms up
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    samples, plan = run(net, plan, device, moving_frames(size[1], size[0]), frames, lambda done: None)
    memory = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
    return plan, 1000 * median(seconds / count for count, seconds in samples), memory


def measured(asked: argparse.Namespace, device: torch.device) -> list[Row]:
    """Measure all that fits into the time."""
    rows: list[Row] = []
    deadline = time.monotonic() + asked.seconds
    for name in asked.models:
        full, random = resolve(name)
        original, model, _, weights = build(Case(full, random, "fp32", str(device), (0, 0)))
        exact = results(place(copy.deepcopy(original), CPU, torch.float32), CPU)
        for precision in asked.precisions:
            net = place(copy.deepcopy(original), device, PRECISIONS[precision])
            like = likeness(results(net, device), exact)
            for size in asked.sizes:
                if time.monotonic() > deadline:
                    print(f"left out for want of time: {model} {precision} {size}", file=sys.stderr)
                    continue
                width, height = map(int, size.split("x"))
                case = Case(model, random, precision, str(device), (0, 0), frames=asked.frames)
                try:
                    plan, ms, memory = timed(net, case, (width, height), device, PRECISIONS[precision])
                except RuntimeError as error:
                    if not is_out_of_memory(error):
                        raise
                    print(f"out of memory: {model} {precision} {size}", file=sys.stderr)
                    continue
                rows.append(Row(model, weights, size, precision, plan.tile, ms, 1000 / ms, memory, like))
                print(f"{model} {precision} {size}: {ms:.2f} ms", file=sys.stderr)
            synchronize(device)
    return rows


def table(rows: list[Row], device: torch.device) -> str:
    """Return the rows as Markdown."""
    lines = [f"{device_name(device)}, torch {torch.__version__}. Likeness: PSNR against the CPU's float32.", ""]
    lines += ["| model | weights | input | precision | ms a frame | fps | MiB | likeness, dB |"]
    lines += ["|---|---|---|---|---:|---:|---:|---:|"]
    for row in rows:
        memory = "" if row.memory is None else f"{row.memory / 2**20:.0f}"
        tile = "" if row.tile is None else " (tiles)"
        lines.append(
            f"| {row.model} | {row.weights} | {row.size}{tile} | {row.precision} | {row.ms:.2f} | {row.fps:.1f} "
            f"| {memory} | {row.likeness:.1f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--models", nargs="+", default=NETS)
    parser.add_argument("--sizes", nargs="+", default=SIZES, help="of the LR frames, WxH")
    parser.add_argument("--precisions", nargs="+", default=("fp32", "fp16", "bf16"), choices=list(PRECISIONS))
    parser.add_argument("--frames", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=460, help="begin no measurement after so long")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    device = pick_device(asked.device)
    rows = measured(asked, device)
    print(json.dumps([asdict(row) for row in rows], indent=1) if asked.json else table(rows, device))


if __name__ == "__main__":
    main()
