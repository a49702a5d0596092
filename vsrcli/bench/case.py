"""Input and output of a measurement: plain records, which are sent between processes and become JSON."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vsrcli import zoo
from vsrcli.errors import UsageError
from vsrcli.zoo import store
from vsrcli.zoo.catalogue import Entry, catalogue, is_path

RESOLUTIONS = {"720p": (1280, 720), "1080p": (1920, 1080), "1440p": (2560, 1440), "4k": (3840, 2160)}
"""Names of output sizes: (width, height) in pixels."""


@dataclass(frozen=True)
class Blueprint:
    """An architecture and its constructor's arguments."""

    arch: str
    config: dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One model to measure in one precision.

    Attributes:
        model: its name or its checkpoint's path.
        random: net to build with random weights if the model's weights are missing.
        precision: auto, fp32, fp16, bf16 or int8.
        device: auto, cpu, cuda, cuda:1 or mps.
        output: (width, height) of the HR frames.
        frames: number of timed frames; None for the device's default.
        window: frames of a window; None for the net's default.
        source: video or image sequence whose frames are used, with the output size that follows; None: synthetic ones.
        threads: number of threads on a CPU; None for PyTorch's default.
        compile: run the net's steps compiled.
    """

    model: str
    random: Blueprint | None
    precision: str
    device: str
    output: tuple[int, int]
    frames: int | None = None
    window: int | None = None
    source: str | None = None
    threads: int | None = None
    compile: bool = False


@dataclass(frozen=True)
class Measurement:
    """The measurement of one model in one precision. Its field names are those of `vsr bench --json` and stable.

    Attributes:
        model: full name, or the checkpoint's file name.
        architecture: name of the net's architecture.
        scale: factor of the net.
        parameters: number of the net's parameters.
        weights: bundled, installed, downloaded, path, or random where they are missing (the speed is the same).
        precision: fp32, fp16, bf16 or int8.
        device: name of the processor.
        threads: number of threads; null on accelerators.
        torch: version of PyTorch.
        input_width, input_height, output_width, output_height: size of LR and HR frames in pixels.
        window: frames; null if the net streams.
        lookahead: frames.
        tile: [w, h] in LR pixels; null for whole frames.
        frames: number of timed frames.
        fps: 1000 / ms_median.
        ms_median, ms_p95: milliseconds per frame. For nets that run in windows they are computed over windows, each
            divided by its frames.
        realtime_24, realtime_30: fps over 24 and 30; 1 or more keeps up with such a video.
        peak_memory_bytes: on CUDA the peak of torch's allocations, on a CPU the growth of the process at its peak
            (weights included); null where the system does not report it.
        gflop: 1e9 operations per frame in a long clip, 2 per multiply-accumulate, without repeated work of windows.
        gflops: gflop per second at ms_median.
        gemm_gflops: highest rate of a large matrix product in this precision.
        gemm_share: gflops / gemm_gflops.
        stages: shares of the time, with the sum 1: flow, encode (features before propagation), warp (of propagated
            features or frames; warps within flow count there), propagate, reconstruct (features to HR pixels, and the
            upsampled frame that they are added to), other (the engine).
        compiled: whether the net's steps were compiled; compiling is not timed.
        speedup: fps over the fps of the first measurement.
    """

    model: str
    architecture: str
    scale: int
    parameters: int
    weights: str
    precision: str
    device: str
    threads: int | None
    torch: str
    input_width: int
    input_height: int
    output_width: int
    output_height: int
    window: int | None
    lookahead: int
    tile: tuple[int, int] | None
    frames: int
    fps: float
    ms_median: float
    ms_p95: float
    realtime_24: float
    realtime_30: float
    peak_memory_bytes: int | None
    gflop: float
    gflops: float
    gemm_gflops: float
    gemm_share: float
    stages: dict[str, float]
    compiled: bool = False
    speedup: float = 1.0


def resolve(model: str | None) -> tuple[str, Blueprint | None]:
    """Return the full name of a model (None: the default), and the net to build if its weights are missing.

    Nothing is downloaded. Raises UsageError for an unknown name, WeightsError for a checkpoint that cannot be read.
    """
    if model is not None and is_path(model):
        store.sha256(Path(model).expanduser())
        return model, None
    if model is None or model.lower() in catalogue().models or model.lower() in architectures_listed():
        entry = zoo.find(model)
        return entry.name, None if store.locate(entry) else blueprint(entry)
    from vsrcli.zoo.architectures import ARCHITECTURES  # here, because torch takes seconds to import

    if model.lower() in ARCHITECTURES:
        return model.lower(), Blueprint(model.lower(), {})
    raise UsageError(f"no model is called {model!r}; {catalogue().suggest(model)}")


def blueprint(entry: Entry) -> Blueprint:
    """Return the blueprint of a catalogue's model."""
    return Blueprint(entry.arch, entry.config)


def architectures_listed() -> set[str]:
    """Return the architectures that have a model in the catalogue."""
    return {entry.arch for entry in catalogue().models.values()}
