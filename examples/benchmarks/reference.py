"""Compare vsr's BasicVSR with the net built plainly from PyTorch's modules, on the CPU, and print a table.

    python -m examples.benchmarks.reference [--model basicvsr.vimeo90k-bi] [--size 180x144] [--frames 6] [--rounds 5]

All ways run in turn in each round; the table has the medians. Likeness is the PSNR against the plain net in float32.
Without the model's weights the net has random ones, which take the same time.
"""

import argparse
import copy
import itertools
import math
import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor, nn

from examples.benchmarks.plain_basicvsr import PlainBasicVSR
from vsrcli.bench.case import Case, resolve
from vsrcli.bench.machine import device_name
from vsrcli.bench.measure import build, moving_frames
from vsrcli.engine.device import place
from vsrcli.levels import picture_to_unit
from vsrcli.nets.basicvsr import BasicVSR
from vsrcli.nets.instructions import cpu_has_bf16

CPU = torch.device("cpu")
Way = Callable[[Tensor], Tensor]


def plain(net: BasicVSR) -> PlainBasicVSR:
    """Return the plain net with the weights of `net`."""
    blocks = net.forward_trunk.main[2]
    assert isinstance(blocks, nn.Sequential)
    made = PlainBasicVSR(net.channels, len(blocks))
    made.load_state_dict(net.state_dict())
    return made.eval()


def ways(net: BasicVSR) -> dict[str, Way]:
    """Return the ways to run the net by name, the plain one in float32 first. bf16 only where the CPU multiplies it."""
    reference = plain(net)

    def autocast(clip: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            made: Tensor = reference(clip)
        return made.float()

    found: dict[str, Way] = {"plain, fp32": reference, "vsr, fp32": place(copy.deepcopy(net), CPU, torch.float32)}
    if cpu_has_bf16():
        found |= {"plain, bf16 autocast": autocast, "vsr, bf16": place(copy.deepcopy(net), CPU, torch.bfloat16)}
    return found


def compared(net: BasicVSR, clip: Tensor, rounds: int) -> list[tuple[str, float, float]]:
    """Return of each way its name, the median of its seconds a frame, and its likeness in dB."""
    found = ways(net)
    times: dict[str, list[float]] = {name: [] for name in found}
    likeness: dict[str, float] = {}
    with torch.inference_mode():
        exact = found["plain, fp32"](clip).clamp(0, 1)
        for name, way in found.items():
            error = float((way(clip).clamp(0, 1).double() - exact.double()).square().mean())
            likeness[name] = -10 * math.log10(error) if error else math.inf
        for _ in range(rounds):
            for name, way in found.items():
                began = time.perf_counter()
                way(clip)
                times[name].append((time.perf_counter() - began) / clip.shape[1])
    return [(name, median(seconds), likeness[name]) for name, seconds in times.items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="basicvsr.vimeo90k-bi")
    parser.add_argument("--size", default="180x144", help="of the LR frames, WxH")
    parser.add_argument("--frames", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    width, height = map(int, asked.size.split("x"))
    full, random = resolve(asked.model)
    net, model, _, weights = build(Case(full, random, "fp32", "cpu", (height, width)))
    if not isinstance(net, BasicVSR):
        parser.error(f"{model} is not a BasicVSR")
    frames = [picture_to_unit(one.data) for one in itertools.islice(moving_frames(height, width), asked.frames)]
    rows = compared(net, torch.stack(frames)[None], asked.rounds)
    print(
        f"{model} ({weights}), {width}x{height}, {asked.frames} frames, {device_name(CPU)}, torch {torch.__version__},"
    )
    print(f"{torch.get_num_threads()} threads, medians of {asked.rounds} rounds\n")
    print("| net | s a frame | times as fast | likeness, dB |\n|---|---:|---:|---:|")
    for name, seconds, like in rows:
        print(f"| {name} | {seconds:.3f} | {rows[0][1] / seconds:.2f} | {like:.1f} |")


if __name__ == "__main__":
    main()
