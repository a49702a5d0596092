"""All shipped weights: they are better than bicubic, and stable over long scenes."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from vsrcli.evaluate.clips import choose_clips, pairs
from vsrcli.levels import picture_to_unit
from vsrcli.media.read.decode import decode
from vsrcli.media.read.probe import probe
from vsrcli.nets.recurrent import RecurrentNet
from vsrcli.quality.degrade import bd, bi, imresize
from vsrcli.quality.metrics import planes, psnr, ssim
from vsrcli.zoo import loading
from vsrcli.zoo.catalogue import Entry, catalogue

SHIPPED = [entry for entry in catalogue().models.values() if any(source.bundled for source in entry.sources)]
LOWER = {"bi": bi, "bd": bd}
DEMO = Path(__file__).parents[1] / "examples" / "demo.mp4"
LONG = 500

OURS = pytest.mark.parametrize("entry", SHIPPED, ids=lambda entry: entry.name)
STREAMING = pytest.mark.parametrize(
    "entry",
    [
        pytest.param(e, id=e.name, marks=[] if e.name == "repvsr.real" else [pytest.mark.slow])
        for e in SHIPPED
        if e.arch == "repvsr"
    ],
)
"""Half a thousand frames take ten seconds: the default model's are run each time."""


def net_of(entry: Entry) -> RecurrentNet:
    return loading.load(entry.name).net


def frames(path: Path, count: int) -> Tensor:
    return torch.stack([picture_to_unit(f.data) for f, _ in zip(decode(probe(path)), range(count), strict=False)])[None]


@STREAMING
@torch.inference_mode()
def test_results_are_constant_and_as_good_over_a_long_still_scene(entry: Entry) -> None:
    truth = frames(DEMO, 1)[..., 20:116, 20:148]
    sr = net_of(entry)(LOWER.get(entry.degradation, bi)(truth, entry.scale).expand(1, LONG, -1, -1, -1))
    quality = psnr(planes(sr), planes(truth).expand(1, LONG, -1, -1, -1)).squeeze()
    assert quality[-50:].mean() > quality[:50].mean() - 0.02
    levels = 255 * sr[0]
    # it settles: what still changes after 100 frames is out of sight, and it changes ever less. Not rounded to whole
    # levels, which would hide a creep and make a whole level of a hair's breadth.
    assert psnr(levels[-50:], levels[100:150]).min() > 100, "the picture goes on changing"
    assert psnr(levels[-50:], levels[-100:-50]).min() > 120, "the picture goes on changing"
    assert (levels[-1] - levels[0]).mean(dim=(1, 2)).abs().max() < 0.5, "brightness or colour drifts"


@OURS
@pytest.mark.slow
@torch.inference_mode()
@pytest.mark.parametrize("clip", ["calendar", "city"])
def test_it_beats_bicubic(entry: Entry, clip: str, shared: Path) -> None:
    if entry.degradation not in LOWER:
        pytest.skip("made for compressed clips, on which the next test measures it")
    truth = frames(shared / "data" / "vid4" / clip, 100)
    truth = truth[..., : truth.shape[-2] // 4 * 4, : truth.shape[-1] // 4 * 4]
    lr = LOWER[entry.degradation](truth, entry.scale)
    target, sr, bicubic = planes(truth), planes(net_of(entry)(lr)), planes(imresize(lr, entry.scale))
    gain = (psnr(sr, target) - psnr(bicubic, target)).squeeze()
    print(f"\n{entry.name} {clip}: {gain.mean():+.3f} dB over bicubic, last ten frames {gain[-10:].mean():+.3f}")
    assert gain.min() > 0
    assert (ssim(sr, target) > ssim(bicubic, target)).all()


@pytest.mark.slow
@torch.inference_mode()
@pytest.mark.parametrize("crf", [28, 35])
@pytest.mark.parametrize("clip", ["calendar", "city"])
def test_repvsr_real_beats_bicubic_on_compressed_clips(clip: str, crf: int, shared: Path) -> None:
    [found] = choose_clips(shared / "data" / "vid4", [clip])
    net = loading.load("repvsr.real").net
    both = list(pairs(found, "bi", net.scale, crf=crf))
    target = planes(torch.stack([p.hr for p in both]) / 255)
    lr = torch.stack([p.lr for p in both])
    sr, bicubic = planes(net(lr[None])[0]), planes(imresize(lr, net.scale))
    gain = psnr(sr, target) - psnr(bicubic, target)
    print(f"\n{clip}, CRF {crf}: {gain.mean():+.3f} dB over bicubic, worst frame {gain.min():+.3f}")
    assert gain.mean() > 0
    assert ssim(sr, target).mean() > ssim(bicubic, target).mean()
