"""Compare vsr's BasicVSR with the net built plainly from PyTorch's modules, on the CPU, and print a table.

    python -m examples.benchmarks.reference [--model basicvsr.vimeo90k-bi] [--size 180x144] [--frames 6] [--rounds 5]
        [--data FOLDER] [--threads N]

All ways run in turn in each round; the table has the medians. Likeness is the PSNR against the plain net in float32,
the price how much lower the PSNR against the truth is than the plain net's. The truth are the first frames of the first
clip under --data, or synthetic ones; the nets get them reduced by 4 (BI). On one thread the processor's time counts,
which other programs hardly change. Without the model's weights the net has random ones, which take the same time.
"""

import argparse
import copy
import itertools
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import torch
from torch import Tensor, nn

from examples.benchmarks.plain_basicvsr import PlainBasicVSR
from vsrcli.bench.case import Case, resolve
from vsrcli.bench.machine import device_name
from vsrcli.bench.measure import build, moving_frames
from vsrcli.engine.device import has_int8, place, use_threads
from vsrcli.evaluate.clips import choose_clips, pairs
from vsrcli.levels import picture_to_unit, to_unit
from vsrcli.nets.basicvsr import BasicVSR
from vsrcli.nets.instructions import cpu_has_bf16
from vsrcli.quality.degrade import bi
from vsrcli.words import counted

CPU = torch.device("cpu")
Way = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Row:
    """One way's median of seconds a frame, its likeness and its price in dB."""

    name: str
    seconds: float
    likeness: float
    price: float


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
    if has_int8(CPU, net):
        found["vsr, int8"] = place(copy.deepcopy(net), CPU, torch.int8)
    return found


def decibels(a: Tensor, b: Tensor) -> float:
    """Return the PSNR of two clips in 0..1, of all values together."""
    error = float((a.clamp(0, 1).double() - b.clamp(0, 1).double()).square().mean())
    return -10 * math.log10(error) if error else math.inf


def compared(net: BasicVSR, clip: Tensor, truth: Tensor, rounds: int) -> list[Row]:
    """Return a row for each way to upscale the clip (1, t, 3, h, w)."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    found = ways(net)
    times: dict[str, list[float]] = {name: [] for name in found}
    with torch.inference_mode():
        made = {name: way(clip) for name, way in found.items()}
        for _ in range(rounds):
            for name, way in found.items():
                began = clock()
                way(clip)
                times[name].append((clock() - began) / clip.shape[1])
    exact = made["plain, fp32"]
    best = decibels(exact, truth)
    return [
        Row(name, median(times[name]), decibels(hr, exact), best - decibels(hr, truth)) for name, hr in made.items()
    ]


def frames(data: Path | None, width: int, height: int, count: int) -> tuple[Tensor, Tensor]:
    """Return LR frames (1, t, 3, h, w) and the truth (1, t, 3, 4*h, 4*w), of a clip's middle or synthetic."""
    if data is None:
        hr = torch.stack(
            [picture_to_unit(f.data) for f in itertools.islice(moving_frames(4 * height, 4 * width), count)]
        )
        return bi(hr, 4)[None], hr[None]
    found = list(pairs(choose_clips(data)[0], "bi", 4, limit=count))
    lr, hr = torch.stack([pair.lr for pair in found]), to_unit(torch.stack([pair.hr for pair in found]))
    top, left = ((side - most) // 2 for side, most in zip(lr.shape[-2:], (height, width), strict=True))
    top, left = max(0, top), max(0, left)
    cut = lr[..., top : top + height, left : left + width]
    high, wide = (4 * side for side in cut.shape[-2:])
    return cut[None], hr[None, ..., 4 * top : 4 * top + high, 4 * left : 4 * left + wide]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="basicvsr.vimeo90k-bi")
    parser.add_argument("--size", default="180x144", help="of the LR frames, WxH")
    parser.add_argument("--frames", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data", type=Path, help="folder of frames, of clips or of videos, as for vsr evaluate")
    parser.add_argument("--threads", type=int)
    asked = parser.parse_args()
    width, height = map(int, asked.size.split("x"))
    full, random = resolve(asked.model)
    net, model, _, weights = build(Case(full, random, "fp32", "cpu", (height, width)))
    if not isinstance(net, BasicVSR):
        parser.error(f"{model} is not a BasicVSR")
    use_threads(asked.threads)
    clip, truth = frames(asked.data, width, height, asked.frames)
    rows = compared(net, clip, truth, asked.rounds)
    size = f"{clip.shape[-1]}x{clip.shape[-2]}, {counted(clip.shape[1], 'frame')}"
    print(f"{model} ({weights}), {size}, {device_name(CPU)}, torch {torch.__version__},")
    print(f"{counted(torch.get_num_threads(), 'thread')}, medians of {counted(asked.rounds, 'round')}\n")
    print("| net | s a frame | times as fast | likeness, dB | price, dB |\n|---|---:|---:|---:|---:|")
    for row in rows:
        speed, price = rows[0].seconds / row.seconds, row.price + 0.0
        print(f"| {row.name} | {row.seconds:.3f} | {speed:.2f} | {row.likeness:.1f} | {price:.4f} |")


if __name__ == "__main__":
    main()
