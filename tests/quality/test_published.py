"""The bicubic rows of the Vid4 reference table: LR by BI and BD, upscaled by imresize, scored on luma."""

from collections.abc import Callable, Iterator
from pathlib import Path

import av
import pytest
import torch
from torch import Tensor

from vsrcli.evaluate.datasets import find_clips
from vsrcli.quality.degrade import bd, bi, imresize
from vsrcli.quality.metrics import planes, psnr, ssim


def read(path: Path) -> torch.Tensor:
    with av.open(str(path)) as container:
        rgb = next(container.decode(video=0)).to_ndarray(format="rgb24")
    return torch.from_numpy(rgb).permute(2, 0, 1).float() / 255


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Use one thread: on a busy machine, threads that wait for each other cost more than they save."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("name", "degrade", "psnr_y", "ssim_y"),
    [
        ("city", bi, 25.164, 0.6027),
        pytest.param("city", bd, 24.963, 0.5897, marks=pytest.mark.slow),
        pytest.param("calendar", bi, 20.394, 0.5720, marks=pytest.mark.slow),
        pytest.param("calendar", bd, 20.138, 0.5570, marks=pytest.mark.slow),
    ],
)
def test_bicubic_reaches_the_reference_figures(
    shared: Path, name: str, degrade: Callable[[Tensor, int], Tensor], psnr_y: float, ssim_y: float
) -> None:
    clip = next(c for c in find_clips(shared / "data" / "vid4") if c.name == name)
    scores = []
    for path in clip.hr:
        hr = read(path)
        levels = (degrade(hr, 4) * 255).round().to(torch.uint8)
        a, b = planes(imresize(levels, 4).float() / 255), planes(hr)
        scores.append(torch.stack((psnr(a, b), ssim(a, b))))
    mean = torch.stack(scores).mean(0)
    assert mean[0].item() == pytest.approx(psnr_y, abs=0.001)
    assert mean[1].item() == pytest.approx(ssim_y, abs=0.0001)
