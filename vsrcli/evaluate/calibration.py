"""The ranges of a net's activations on real videos, which int8 needs to know beforehand."""

import copy
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from vsrcli.engine.device import check_int8_parts, place
from vsrcli.errors import UsageError
from vsrcli.evaluate.clips import read_images
from vsrcli.levels import picture_to_unit
from vsrcli.media.read.decode import decode
from vsrcli.media.read.probe import probe
from vsrcli.nets.instructions import dtype_beside_int8
from vsrcli.nets.int8 import Range
from vsrcli.nets.recurrent import RecurrentNet
from vsrcli.quality.degrade import imresize

LINES = 96
"""Videos are reduced, by a whole number, to no fewer lines: what is sharp gives the largest activations."""

SIDES = (96, 128)
"""Largest height and width of the frames: their middle is taken."""

NOISE = 0.04
"""Deviation of the noise that is added to the right half, as high-speed film and night shots have it."""


def calibrate(net: RecurrentNet, clips: Iterable[Tensor]) -> dict[str, Range]:
    """Return the range of the input of each convolution of `net.int8_parts`, over clips (1, t, 3, h, w).

    `net` is float32 and stays as it is. Raises UsageError if it has no such part or there is no clip.
    """
    check_int8_parts(net)
    net = place(copy.deepcopy(net), torch.device("cpu"), dtype_beside_int8())
    found: dict[str, Range] = {}

    def watch(name: str) -> Callable[[nn.Module, tuple[Tensor]], None]:
        def see(conv: nn.Module, given: tuple[Tensor]) -> None:
            least, most = map(float, torch.aminmax(given[0].float()))
            before = found.get(name, (0.0, 0.0))
            found[name] = min(before[0], least), max(before[1], most)

        return see

    for name, conv in net.int8_convs():
        conv.register_forward_pre_hook(watch(name))
    with torch.inference_mode():
        for clip in clips:
            net(clip)
    if not found:
        raise UsageError("no videos to calibrate by")
    return found


def frames_of(video: Path) -> Iterator[Tensor]:
    """Yield the frames of a video (3, h, w) in [0, 1]. Raises InputError for a video that cannot be read."""
    return (picture_to_unit(frame.data) for frame in decode(probe(video)))


def frames_of_images(images: Sequence[Path]) -> Iterator[Tensor]:
    """Yield images (3, h, w) in [0, 1]. Raises InputError for one that cannot be read."""
    return (picture for _, picture in read_images(images))


def clip_of(pictures: Iterable[Tensor], frames: int) -> Tensor:
    """Return the first frames of a video, reduced, cropped and noisy in one half, as a clip (1, t, 3, h, w)."""
    clip = torch.stack([reduced(picture) for picture in itertools.islice(pictures, frames)])[None]
    half = clip[..., clip.shape[-1] // 2 :]
    half += NOISE * torch.randn(half.shape, generator=torch.Generator().manual_seed(0))
    return clip.clamp_(0, 1)


def reduced(frame: Tensor) -> Tensor:
    """Return a frame (3, h, w) reduced to about `LINES` lines, its middle of at most `SIDES`."""
    factor = max(1, min(frame.shape[-2:]) // LINES)
    small = imresize(frame, 1 / factor).clamp(0, 1)
    top, left = (max(0, (side - most) // 2) for side, most in zip(small.shape[-2:], SIDES, strict=True))
    return small[:, top : top + SIDES[0], left : left + SIDES[1]]
