"""Measure one model in this process: build it, warm it up, and run the engine over synthetic frames."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from vsrcli import zoo
from vsrcli.bench.case import Case, Measurement
from vsrcli.bench.cost import flops, parameters
from vsrcli.bench.machine import device_name, gemm_gflops, resident_memory, synchronize
from vsrcli.bench.timer import StageTimer
from vsrcli.engine.compiled import compile_steps
from vsrcli.engine.device import pick_device, pick_precision, place, precision_name, use_threads
from vsrcli.engine.engine import Engine
from vsrcli.engine.plan import LOOKAHEAD, WINDOW, Plan, choose_plan, default_budget
from vsrcli.errors import InputError, UsageError
from vsrcli.frame import Frame
from vsrcli.levels import unit_to_picture
from vsrcli.nets.horizon import Horizon
from vsrcli.nets.recurrent import RecurrentNet
from vsrcli.zoo.architectures import ARCHITECTURES

Progress = Callable[[str], None]
"""Called with a few words on the current step."""

Sample = tuple[int, float]
"""Number of frames that were ready at once, and the seconds for all of them."""

FRAMES_CPU = WINDOW
FRAMES_GPU = 4 * WINDOW
"""Default number of timed frames: BasicVSR to 720p takes seconds a frame on two cores, milliseconds on a GPU."""

WARM_UP = 3
PEAKS = 3
PROGRESS_SECONDS = 0.5


def measure(case: Case, progress: Progress) -> Measurement:
    """Measure one case. It is meant for a new process: on a CPU, the peak memory is that of the process.

    Raises UsageError for an output size that the model's factor does not divide, and the errors of choosing the device,
    of loading and of the engine.
    """
    device = pick_device(case.device)
    use_threads(case.threads)
    before = resident_memory(peak=False)
    progress("loading")
    net, name, arch, weights = build(case)
    dtype = pick_precision(case.precision, device, net)
    if case.source is not None:
        first = next(frames_of(case.source))
        case = replace(case, output=(first.width * net.scale, first.height * net.scale))
    width, height = (side // net.scale for side in case.output)
    if (width * net.scale, height * net.scale) != case.output:
        raise UsageError(f"{name} upscales by {net.scale}: {case.output[0]}x{case.output[1]} is no multiple of that")
    gflop, size = flops(net, height, width) / 1e9, parameters(net)
    place(net, device, dtype)
    if case.compile:
        compile_steps(net, device, refuse)
    plan, frames = choose(net, case, height, width, device, dtype)

    def timed(wanted: Plan, count: int, what: str) -> tuple[list[Sample], Plan]:
        video = moving_frames(height, width) if case.source is None else frames_of(case.source)
        return run(net, wanted, device, video, count, lambda n: progress(f"{what} {n}/{count}"))

    warm_up = replace(plan, window=min(plan.window or WARM_UP, WARM_UP), lookahead=min(plan.lookahead, 1))
    timed(warm_up, WARM_UP, "warming up")
    timer = StageTimer(net, device)
    if device.type == "cpu":
        with timer.attached():
            samples, plan = timed(plan, frames, "frame")
        staged = samples
        peak = resident_memory(peak=True)
        memory = peak - before if peak and before else None
    else:
        samples, plan = timed(plan, frames, "frame")
        memory = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
        with timer.attached():
            staged, _ = timed(plan, max(plan.window or 1, min(frames, WINDOW)), "stages")
    progress("measuring the peak")
    reached = speed(samples, gflop, 1)["gflops"]
    gemm = peak_above(reached, lambda: gemm_gflops(device, dtype))

    return Measurement(
        model=name,
        architecture=arch,
        scale=net.scale,
        parameters=size,
        weights=weights,
        precision=precision_name(dtype),
        device=device_name(device),
        threads=torch.get_num_threads() if device.type == "cpu" else None,
        torch=torch.__version__,
        input_width=width,
        input_height=height,
        output_width=case.output[0],
        output_height=case.output[1],
        window=plan.window if net.bidirectional else None,
        lookahead=plan.lookahead,
        tile=plan.tile,
        compiled=case.compile,
        frames=frames,
        peak_memory_bytes=memory,
        stages=timer.shares(sum(seconds for _, seconds in staged)),
        **speed(samples, gflop, gemm),
    )


def refuse(line: str) -> None:
    """Raise UsageError with the reason for which a net cannot be compiled: what else was measured would mislead."""
    raise UsageError(line.replace("going on uncompiled: ", ""))


def peak_above(reached: float, product: Callable[[], float]) -> float:
    """Return the highest rate of a matrix product, measured up to PEAKS times while the net has `reached` more."""
    best = 0.0
    for _ in range(PEAKS):
        best = max(best, product())
        if best >= reached:
            break
    return best


def speed(samples: Sequence[Sample], gflop: float, gemm: float) -> dict[str, float]:
    """Return the fields of a `Measurement` that follow from the times, the operations per frame and the peak rate."""
    ms = [1000 * seconds / count for count, seconds in samples]
    median = float(np.median(ms))
    fps = 1000 / median
    return {
        "fps": fps,
        "ms_median": median,
        "ms_p95": float(np.percentile(ms, 95)),
        "realtime_24": fps / 24,
        "realtime_30": fps / 30,
        "gflop": gflop,
        "gflops": gflop * fps,
        "gemm_gflops": gemm,
        "gemm_share": gflop * fps / gemm,
    }


def build(case: Case) -> tuple[RecurrentNet, str, str, str]:
    """Return the net, its name, its architecture's name, and the source of its weights."""
    if case.random is None:
        loaded = zoo.load(case.model)
        return loaded.net, loaded.name, loaded.arch, loaded.source
    torch.manual_seed(0)
    net = ARCHITECTURES[case.random.arch].build(dict(case.random.config))
    return net, case.model, case.random.arch, "random"


def choose(
    net: RecurrentNet, case: Case, height: int, width: int, device: torch.device, dtype: torch.dtype
) -> tuple[Plan, int]:
    """Return the plan that `vsr upscale` would use, and the number of frames to time, in whole windows.

    For fewer frames than a window, window and lookahead shrink by the same factor, so that their cost per frame is
    unchanged.
    """
    frames = case.frames or (FRAMES_CPU if device.type == "cpu" else FRAMES_GPU)
    if not net.bidirectional:
        wanted = Plan(window=1, lookahead=0, keep_colours=True)
    elif case.window:
        wanted = Plan(window=case.window, horizon=Horizon(), keep_colours=True)
    else:
        window = min(WINDOW, frames)
        wanted = Plan(window=window, lookahead=-(-LOOKAHEAD * window // WINDOW), horizon=Horizon(), keep_colours=True)
    plan = choose_plan(net, height, width, wanted, dtype, device, default_budget(device))
    assert plan.window is not None
    return plan, -(-frames // plan.window) * plan.window


def run(
    net: RecurrentNet,
    plan: Plan,
    device: torch.device,
    video: Iterator[Frame],
    count: int,
    done: Callable[[int], None],
) -> tuple[list[Sample], Plan]:
    """Push frames until `count` HR frames are ready; return a sample for each push that gave some, and the final plan.

    The engine changes the plan to smaller tiles if memory runs out. The time is from LR frame to HR frame, both as
    8-bit levels in main memory. `done` is called with the number of HR frames.
    """
    engine = Engine(net, plan, device, detector=None)
    samples: list[Sample] = []
    ready, seconds, told = 0, 0.0, time.perf_counter()
    while ready < count:
        frame, before = next(video), ready
        start = time.perf_counter()
        for _ in engine.push(frame):
            ready += 1
            if time.perf_counter() - told > PROGRESS_SECONDS:
                done(ready)
                told = time.perf_counter()
        synchronize(device)
        seconds += time.perf_counter() - start
        if ready > before:
            samples.append((ready - before, seconds))
            seconds = 0.0
    return samples, engine.plan


def frames_of(source: str) -> Iterator[Frame]:
    """Yield the frames of a video or an image sequence without end: after the last one it begins again."""
    from vsrcli.media.read.decode import decode  # here, because synthetic frames need no PyAV
    from vsrcli.media.read.probe import probe

    info = probe(Path(source))
    number = 0
    while True:
        began = number
        for frame in decode(info):
            yield replace(frame, number=number)
            number += 1
        if number == began:
            raise InputError(f"{source} has no frames")


def moving_frames(height: int, width: int) -> Iterator[Frame]:
    """Yield 8-bit frames without end: a smooth random texture that moves back and forth by 2 pixels a frame."""
    reach = 32
    generator = torch.Generator().manual_seed(0)
    blobs = torch.rand(1, 3, (height + reach) // 4 + 2, (width + reach) // 4 + 2, generator=generator)
    texture = unit_to_picture(F.interpolate(blobs, scale_factor=4, mode="bicubic")[0])
    number = 0
    while True:
        shift = abs((2 * number + reach) % (2 * reach) - reach)
        yield Frame(number, texture[shift // 2 : shift // 2 + height, shift : shift + width])
        number += 1
