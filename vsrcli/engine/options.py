"""Options of the engine. This module imports no torch, so that the command line's help is fast."""

from dataclasses import dataclass
from typing import Literal

from vsrcli.errors import UsageError
from vsrcli.nets.horizon import LEAST_HORIZON, Horizon
from vsrcli.records import Record, option

Precision = Literal["auto", "fp32", "fp16", "bf16", "int8"]
Propagation = Literal["auto", "window", "exact", "clip", "stream"]
Repeats = Literal["exact", "near", "off"]
LEAST_TILE = 32


@dataclass(frozen=True)
class EngineOptions(Record):
    """Device and settings of the engine; "auto", or None for a number, leaves the choice to vsr.

    Attributes:
        device: auto, cpu, cuda, cuda:1 or mps.
        precision: type of the convolutions.
        propagation: how frames are propagated.
        window: frames of a window.
        lookahead: frames after a window that reverse branches start from.
        horizon: how many frames a bidirectional net remembers; a number stands for a `Horizon`, None for no limit.
        keyframe_interval: frames between IconVSR's refills, 0 for none.
        tile: (width, height) in LR pixels, or None for whole frames.
        repeats: which frames are shown again instead of run: those that equal the one before to the last bit (exact),
            or also those that differ from it by NEAR levels at most; off runs all.
        memory: budget in bytes.
        threads: number of threads on a CPU; None for PyTorch's default, one per core.
        compile: run the net's steps compiled by torch.compile.
    """

    device: str = option("auto", kept="resolved")
    precision: Precision = option("auto", kept="resolved")
    propagation: Propagation = option("auto")
    window: int | None = option(None, least=1)
    lookahead: int | None = option(None, least=0)
    horizon: Horizon | None = option(Horizon())
    keyframe_interval: int | None = option(None, least=0)
    tile: tuple[int, int] | Literal["auto"] | None = option("auto", least=LEAST_TILE)
    repeats: Repeats = option("exact")
    memory: int | None = option(None, least=1, unit="bytes", noun="memory size")
    threads: int | None = option(None, least=1, most=1024, noun="number of threads", kept="no")
    compile: bool = option(False)

    def __post_init__(self) -> None:
        horizon = self.horizon
        frames = horizon.frames if isinstance(horizon, Horizon) else horizon
        if isinstance(frames, int) and not isinstance(frames, bool):
            if frames < LEAST_HORIZON:
                raise UsageError(f"not a horizon: {frames} (it must be {LEAST_HORIZON} or more frames)")
            object.__setattr__(self, "horizon", horizon if isinstance(horizon, Horizon) else Horizon.of(frames))
        super().__post_init__()
