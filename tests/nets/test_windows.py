"""Every net gives the same result in windows as on the whole clip if the lookahead reaches the scene's end."""

import itertools
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from vsrcli.nets.animesr import AnimeSR
from vsrcli.nets.basicvsr import BasicVSR
from vsrcli.nets.basicvsrpp import BasicVSRPP
from vsrcli.nets.edvr import EDVR
from vsrcli.nets.iconvsr import IconVSR
from vsrcli.nets.realbasicvsr import RealBasicVSR
from vsrcli.nets.recurrent import RecurrentNet, State, Window, upsample_window

COUNT = 7


def in_windows(net: RecurrentNet, whole: Window, borders: list[int]) -> Iterator[Tensor]:
    """Upscale one scene window by window, with lookahead to the scene's end; `borders` start the windows."""
    frames = whole.lr
    states: dict[str, State] = {}
    for start, stop in zip(borders, [*borders[1:], COUNT], strict=True):
        # encode gets no more frames than it says it looks at, and the length only where the end is that near
        encoded = []
        for n in range(start, COUNT):
            first, last = max(0, n - net.context), min(COUNT, n + net.context + 1)
            length = COUNT if n + net.context >= COUNT - 1 else None
            encoded.append(net.encode(frames[first:last], n - first, number=n, length=length))
        window = Window(
            lr=frames[start:],
            to_next=whole.to_next[start:],
            to_previous=whole.to_previous[start:],
            encoded=encoded,
            keep=stop - start,
            states=states,
            strip=12,
        )
        yield from upsample_window(net, window)
        states = window.states


def lively(net: RecurrentNet) -> RecurrentNet:
    """Return the net with random weights, so that offsets are not zero as at initialisation."""
    for parameter in net.parameters():
        if parameter.any():
            parameter.mul_(1.5)
        else:
            nn.init.normal_(parameter, std=0.1)
    return net.eval()


@pytest.mark.parametrize(
    "make",
    [
        lambda: BasicVSR(8, 1),
        lambda: IconVSR(8, 1),
        lambda: BasicVSRPP(16, 1),
        lambda: EDVR(8, blocks=1),
        lambda: AnimeSR(8, (3, 2, 1), hidden=8),
        lambda: RealBasicVSR(8, 1, cleaning_blocks=1),
    ],
    ids=["BasicVSR", "IconVSR", "BasicVSRPP", "EDVR", "AnimeSR", "RealBasicVSR"],
)
@torch.inference_mode()
def test_windows_with_full_lookahead_equal_the_clip(make: type[RecurrentNet]) -> None:
    torch.manual_seed(1)
    net = lively(make())
    frames = [net.prepare(frame) for frame in torch.rand(COUNT, 1, 3, 16, 20)]
    whole = Window(
        lr=frames,
        to_next=[*(net.flow(a, b) for a, b in itertools.pairwise(frames)), None],
        to_previous=[None, *(net.flow(b, a) for a, b in itertools.pairwise(frames))],
        encoded=[net.encode(frames, n, number=n, length=COUNT) for n in range(COUNT)],
        keep=COUNT,
    )
    clip = torch.cat(list(upsample_window(net, whole)))
    for borders in ([0, 4], [0, 1, 2, 6]):
        parts = torch.cat(list(in_windows(net, whole, borders)))
        torch.testing.assert_close(parts, clip, rtol=0, atol=1e-5)
