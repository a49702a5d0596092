"""Resolve the frame rate of the result, and make the interpolator for new frames."""

import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

import torch

from vsrcli.engine.between import Between
from vsrcli.errors import Reason, UsageError, WeightsError
from vsrcli.frame import Frame
from vsrcli.media.info import VideoInfo
from vsrcli.media.pixels.tint import tinted
from vsrcli.nets.spynet import SpyNet
from vsrcli.pipeline.options import MOST_TIMES, Options
from vsrcli.zoo import store
from vsrcli.zoo.catalogue import catalogue
from vsrcli.zoo.loading import LoadedModel, load

_NEAR = Fraction(1, 500)
"""Relative tolerance of a multiple: 60 means 60000/1001 if the source has 30000/1001."""
_WITH_SPYNET = ("basicvsr", "iconvsr")
"""Architectures whose weights hold SPyNet's, in the order in which they are looked for."""


def image_rate(options: Options) -> Fraction | None:
    """Return the frame rate that was given for an image sequence: a plain number of frames a second is one too."""
    if options.rate is None and isinstance(options.fps, Fraction):
        return options.fps
    return options.rate


def frames_for_each(options: Options, info: VideoInfo) -> int:
    """Return how many frames the result has for each of the source's; 1: it has the same.

    Raises UsageError for a rate that is no multiple of the source's.
    """
    if options.fps is None:
        return 1
    if isinstance(options.fps, str):
        return int(re.sub(r"\D", "", options.fps))
    factor = options.fps / (info.rate / (options.slow or 1))
    nearest = round(factor)
    if nearest < 1 or abs(factor / nearest - 1) > _NEAR or nearest > MOST_TIMES:
        raise UsageError(
            f"{float(options.fps):g} is no whole multiple, up to {MOST_TIMES}, of the source's "
            f"{float(info.rate / (options.slow or 1)):g} frames a second",
            Reason.NO_MULTIPLE,
            times=min(max(nearest, 2), MOST_TIMES),
        )
    return nearest


def load_flow() -> LoadedModel:
    """Load a model on this machine whose weights hold SPyNet's. Raises WeightsError if there is none."""
    entries = [entry for arch in _WITH_SPYNET for entry in catalogue().models.values() if entry.arch == arch]
    here = next((entry for entry in entries if store.locate(entry) is not None), None)
    if here is None:
        raise WeightsError(
            f"new frames need SPyNet's weights, which come with BasicVSR's: {store.remedy(entries[0], [])}"
        )
    return load(here.name)


def make_between(
    model: LoadedModel,
    info: VideoInfo,
    factor: int,
    device: torch.device,
    *,
    start: int,
    paired: bool,
    say: Callable[[str], None],
) -> Between:
    """Return what puts new frames between the source's, from the result's frame `start` on.

    `paired`: a scene starts where no new frame is made, as for a net that knows new frames by their numbers.
    """
    spynet = getattr(model.net, "spynet", None)
    assert isinstance(spynet, SpyNet), "this model holds SPyNet"
    matrix = info.colour.matrix_for_conversion(info.width, info.height)

    def untinted(frame: Frame) -> Frame:
        if frame.tint is None:
            return frame
        return replace(frame, data=tinted(frame.data, frame.tint, matrix), tint=None)

    return Between(
        spynet.to(device),
        factor,
        device,
        info.time_base,
        start=start,
        untinted=untinted,
        say=say,
        paired=paired,
    )
