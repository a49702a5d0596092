"""What the caller may ask of a job, and what follows from it for one source: sizes and the engine's plan."""

from dataclasses import dataclass, replace
from fractions import Fraction

import torch

from vsrcli.engine.plan import LOOKAHEAD, WINDOW, Plan, choose_plan, default_budget, parse_size
from vsrcli.errors import UsageError
from vsrcli.media.decode import Deinterlace
from vsrcli.media.info import VideoInfo
from vsrcli.nets.horizon import LEAST_HORIZON, Horizon
from vsrcli.nets.recurrent import RecurrentNet

CONTENTS = ("auto", "film", "anime")
"""What a source may show; auto is film, since drawn frames cannot be told from filmed ones reliably."""


@dataclass(frozen=True)
class Options:
    """All that shapes a job, named as on the command line; None leaves the choice to vsr.

    `scale`, `height` and `size` (w, h) exclude each other. `start` and `end` are seconds. `rate` is the frame rate of
    an image sequence. `content` is what the source shows, where `model` leaves the weights open.
    """

    model: str | None = None
    content: str = "auto"
    scale: float | None = None
    height: int | None = None
    size: tuple[int, int] | None = None
    device: str = "auto"
    precision: str = "auto"
    propagation: str = "auto"
    window: int | None = None
    lookahead: int | None = None
    horizon: str = "auto"
    keyframe_interval: int | None = None
    tile: str = "auto"
    memory: str | None = None
    deinterlace: Deinterlace = "auto"
    codec: str | None = None
    crf: float | None = None
    preset: str | None = None
    pix_fmt: str | None = None
    start: float | None = None
    end: float | None = None
    rate: Fraction = Fraction(25)
    overwrite: bool = False
    restart: bool = False

    def check(self) -> None:
        """Raise UsageError if the options contradict each other."""
        if self.content not in CONTENTS:
            raise UsageError(f"no such content: {self.content} (use {', '.join(CONTENTS)})")
        if sum(x is not None for x in (self.scale, self.height, self.size)) > 1:
            raise UsageError("--scale, --height and --size exclude each other: give one")
        if self.scale is not None and not 0 < self.scale <= 16:
            raise UsageError("--scale must be between 0 and 16")
        if self.rate <= 0:
            raise UsageError("--fps must be above 0")
        if self.start is not None and self.end is not None and self.end <= self.start:
            raise UsageError("--end must lie after --start")


def output_size(options: Options, info: VideoInfo, scale: int) -> tuple[int, int]:
    """(width, height) of the output as coded (before the rotation that `info` declares, if any)."""
    turned = info.rotation is not None and abs(info.rotation[1]) > abs(info.rotation[0])
    width, height = (info.height, info.width) if turned else (info.width, info.height)
    if options.size is not None:
        wanted = options.size
    elif options.height is not None:
        wanted = (even(width * options.height / height), options.height)
    elif options.scale is not None and options.scale != scale:
        wanted = (round(width * options.scale), round(height * options.scale))  # the sink evens it and says so
    else:
        wanted = (width * scale, height * scale)
    if min(wanted) < 16 or max(wanted) > 16384:
        raise UsageError(f"an output of {wanted[0]}x{wanted[1]} is out of range (16 to 16384 pixels a side)")
    return (wanted[1], wanted[0]) if turned else wanted


def even(length: float) -> int:
    """The nearest even number of pixels, as subsampled chroma needs."""
    return 2 * round(length / 2)


def make_plan(
    options: Options,
    net: RecurrentNet,
    height: int,
    width: int,
    device: torch.device,
    dtype: torch.dtype,
    *,
    frames: int | None = None,
    bit_depth: int = 8,
) -> Plan:
    """Return the engine's plan for `frames` frames of that size and depth.

    Raises UsageError for options that do not fit the net.
    """
    mode = options.propagation
    exact = mode == "exact" and net.bidirectional  # a stream is exact as it is
    if exact and options.lookahead is not None:
        raise UsageError("--propagation exact looks ahead to the end of the scene: leave out --lookahead")
    wanted = Plan(
        window=WINDOW if options.window is None else options.window,
        lookahead=LOOKAHEAD if options.lookahead is None else options.lookahead,
        exact=exact,
        horizon=parse_horizon(options.horizon),
        keep_colours=True,
    )
    if not net.bidirectional:
        if mode == "window":
            raise UsageError("this model runs forward only and always streams: leave out --propagation")
        wanted = replace(wanted, window=None if mode == "clip" else 1, lookahead=0, horizon=None)
    elif mode == "stream":
        raise UsageError("this model needs frames from the future and cannot stream: use --propagation window")
    elif mode == "clip":
        wanted = replace(wanted, window=None)
    elif mode not in ("auto", "window", "exact"):
        raise UsageError(f"no such propagation: {mode} (use auto, window, exact, clip or stream)")
    budget = parse_size(options.memory) if options.memory else default_budget(device)
    if options.tile == "auto":
        return choose_plan(net, height, width, wanted, dtype, device, budget, frames=frames, bit_depth=bit_depth)
    wanted = replace(wanted, tile=parse_tile(options.tile))
    return choose_plan(
        net, height, width, wanted, dtype, device, budget, frames=frames, bit_depth=bit_depth, fixed_tile=True
    )


def parse_horizon(text: str) -> Horizon | None:
    """Return the horizon that a text asks for: "auto" the default, "none" none, else a number of frames.

    Raises UsageError.
    """
    if text == "none":
        return None
    if text == "auto":
        return Horizon()
    if text.isdecimal() and len(text) < 10 and int(text) >= LEAST_HORIZON:
        return Horizon.of(int(text))
    raise UsageError(f"not a horizon: {text} (write auto, none or a number of frames, {LEAST_HORIZON} or more)")


def parse_tile(text: str) -> tuple[int, int] | None:
    """ "256x192" -> (256, 192); "256" is square; "none" is None. Raises UsageError."""
    if text == "none":
        return None
    parts = text.lower().split("x")
    if len(parts) in (1, 2) and all(p.isdecimal() for p in parts):
        width, height = int(parts[0]), int(parts[-1])
        if min(width, height) >= 32:
            return width, height
    raise UsageError(f"not a tile: {text} (write auto, none or WxH in source pixels, 32 or more a side)")
