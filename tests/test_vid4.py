"""The promise of quality, by the real command line: PNG to PNG, official weights, Vid4's city and calendar.

It takes minutes: `pytest -m slow -s tests/test_vid4.py` prints the figures.
"""

import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from torch import Tensor

from vsrcli.levels import picture_to_unit, unit_to_picture
from vsrcli.media.photo.images import write_png
from vsrcli.media.read.decode import decode
from vsrcli.media.read.probe import probe
from vsrcli.quality.degrade import bi
from vsrcli.quality.metrics import mse, planes, psnr

pytestmark = pytest.mark.slow
REFERENCE = {"calendar": 23.866, "city": 27.652}
"""PSNR-Y in dB of the reference implementation, BI, whole clip at once, float32."""


def read(folder: Path) -> Tensor:
    return torch.stack([picture_to_unit(f.data) for f in decode(probe(folder))])


@pytest.fixture(scope="module")
def upscaled(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[Tensor, Tensor]]:
    """Return (ground truth, result of `vsr upscale` on its BI frames) by (clip, options); each is computed once."""
    root = tmp_path_factory.mktemp("vid4")

    @cache
    def run(clip: str, *options: str) -> tuple[Tensor, Tensor]:
        truth = read(shared / "data" / "vid4" / clip)
        lr = root / clip
        if not lr.exists():
            lr.mkdir()
            for i, frame in enumerate(truth):
                write_png(lr / f"{i:08d}.png", unit_to_picture(bi(frame, 4)))
        out = root / "_".join([clip, *options]).replace("-", "")
        arguments = [
            "upscale",
            lr,
            "-o",
            out / "%08d.png",
            "-m",
            "basicvsr.vimeo90k-bi",
            "--precision",
            "fp32",
            *options,
        ]
        subprocess.run([sys.executable, "-m", "vsrcli", *map(str, arguments), "-q"], check=True)
        return truth, read(out)

    return run


def quality(truth: Tensor, result: Tensor) -> Tensor:
    """Return the PSNR-Y of each frame in dB."""
    return torch.stack([psnr(planes(a, "y"), planes(b, "y")) for a, b in zip(result, truth, strict=True)])


@pytest.mark.parametrize("clip", ["city", "calendar"])
def test_whole_clip_reaches_the_reference(upscaled: Callable[..., tuple[Tensor, Tensor]], clip: str) -> None:
    found = float(quality(*upscaled(clip, "--propagation", "clip", "--horizon", "none")).mean())
    print(f"\n{clip}: {found:.3f} dB, reference {REFERENCE[clip]:.3f}")
    assert abs(found - REFERENCE[clip]) <= 0.01


@pytest.mark.parametrize("clip", ["city", "calendar"])
def test_horizon_loses_almost_nothing(upscaled: Callable[..., tuple[Tensor, Tensor]], clip: str) -> None:
    truth, papers = upscaled(clip, "--propagation", "clip", "--horizon", "none")
    _, bounded = upscaled(clip, "--propagation", "clip")
    loss = quality(truth, papers) - quality(truth, bounded)
    print(f"\n{clip}: mean loss {loss.mean():.3f} dB, worst frame {loss.max():.3f}")
    assert float(loss.mean()) <= 0.03


@pytest.mark.parametrize("clip", ["city", "calendar"])
def test_default_window_loses_almost_nothing(upscaled: Callable[..., tuple[Tensor, Tensor]], clip: str) -> None:
    truth, whole = upscaled(clip, "--propagation", "clip")
    _, windowed = upscaled(clip, "--propagation", "window")
    loss = quality(truth, whole) - quality(truth, windowed)
    error = mse(planes(windowed, "y"), planes(whole, "y")).mean()  # some frames are equal to the bit
    against = float(10 * torch.log10(255.0**2 / error.clamp(min=1e-6)))
    print(f"\n{clip}: mean loss {loss.mean():.3f} dB, worst frame {loss.max():.3f}, against whole {against:.1f} dB")
    assert float(loss.mean()) <= 0.0 + 5e-4
    assert float(loss.max()) <= 0.05
    assert against >= 48


def test_no_jump_at_window_borders(upscaled: Callable[..., tuple[Tensor, Tensor]]) -> None:
    truth, result = upscaled("city", "--window", "8", "--lookahead", "4")
    _, whole = upscaled("city", "--propagation", "clip")
    loss = quality(truth, whole) - quality(truth, result)
    borders = torch.tensor([i % 8 in (0, 7) for i in range(len(loss))])
    print(f"\nloss next to borders {loss[borders].mean():.3f} dB, elsewhere {loss[~borders].mean():.3f} dB")
    assert float(loss[borders].mean() - loss[~borders].mean()) <= 0.05


def test_no_seam_between_tiles(upscaled: Callable[..., tuple[Tensor, Tensor]]) -> None:
    truth, tiled = upscaled("city", "--tile", "88x72")
    _, whole = upscaled("city", "--propagation", "window")
    loss = (quality(truth, whole) - quality(truth, tiled)).mean()
    column, row = 4 * 88, 4 * 72
    strips = [(slice(None), slice(column - 4, column + 4)), (slice(row - 4, row + 4), slice(None))]
    worst = max(
        float((quality(truth[..., r, c], whole[..., r, c]) - quality(truth[..., r, c], tiled[..., r, c])).mean())
        for r, c in strips
    )
    print(f"\ntiles: mean loss {loss:.3f} dB, along the worst seam {worst:.3f} dB")
    assert float(loss) <= 0.02
    assert worst <= 0.1
