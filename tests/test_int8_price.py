"""The price of int8: what "auto" takes loses at most 0.015 dB on a clip and 0.03 dB on its worst frame.

It takes minutes: `pytest -m slow -s tests/test_int8_price.py` prints the figures.
"""

import copy
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vsrcli.engine.device import place
from vsrcli.engine.plan import Plan
from vsrcli.evaluate.ablation import Choice, ablate
from vsrcli.evaluate.clips import Degradation, choose_clips
from vsrcli.evaluate.evaluation import Setting
from vsrcli.nets.instructions import cpu_has_int8
from vsrcli.nets.recurrent import RecurrentNet
from vsrcli.zoo import load, store
from vsrcli.zoo.catalogue import Entry, catalogue

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not cpu_has_int8(), reason="this CPU has no instructions for int8"),
]
CPU = torch.device("cpu")
TAKEN = [e for e in catalogue().models.values() if e.int8_loss is not None and store.locate(e)]
MEAN, WORST = 0.015, 0.03
FRAMES = 12


@pytest.mark.parametrize("crf", [None, 28])
@pytest.mark.parametrize("entry", TAKEN, ids=lambda entry: entry.name)
def test_auto_takes_it_only_where_it_costs_next_to_nothing(shared: Path, entry: Entry, crf: int | None) -> None:
    degradation: Degradation = "bd" if entry.degradation == "bd" else "bi"
    int8 = Choice("precision", "int8", lambda h, w: Plan(window=None), dtype=torch.int8)
    for clip in choose_clips(shared / "data" / "vid4"):
        setting = Setting(degradation, 4, FRAMES, crf)
        _, row = ablate([clip], load(entry.name).net, [int8], setting, CPU)
        print(
            f"\n{entry.name}, {clip.name}, CRF {crf}: {row['mean_loss']:.4f}, worst {row['worst_loss']:.4f} dB",
            end="",
        )
        print(f", likeness {row['to_reference']:.1f} dB, {row['time_ratio']:.2f} of fp32's time")
        assert isinstance(row["mean_loss"], float) and row["mean_loss"] <= MEAN
        assert isinstance(row["worst_loss"], float) and row["worst_loss"] <= WORST


def hard() -> dict[str, Tensor]:
    """Return clips (1, 4, 3, 72, 96) that leave the range of ordinary videos, or nearly."""
    generator = torch.Generator().manual_seed(3)

    def moving(picture: Tensor) -> Tensor:
        return torch.stack([picture[:, i : i + 72, 2 * i : 2 * i + 96] for i in range(4)])[None]

    smooth = F.avg_pool2d(torch.rand(1, 3, 80, 112, generator=generator), 5, 1, 2)[0]
    noise = torch.randn(1, 4, 3, 72, 96, generator=generator)
    columns = torch.arange(112).div(8, rounding_mode="floor")
    bars = torch.stack([(columns >> bit) % 2 for bit in range(3)])[:, None].expand(3, 80, 112).float()
    chequers = ((torch.arange(80)[:, None] + torch.arange(112)) % 2).float().expand(3, -1, -1)
    return {
        "night": (moving(smooth) * 0.1 + 0.02 * noise).clamp(0, 1),
        "noise": (moving(smooth) + 0.15 * noise).clamp(0, 1),
        "10 bits": (moving(smooth) * 1023).round() / 1023,
        "saturated": moving(bars),
        "chequers": moving(chequers),
    }


@pytest.mark.parametrize("entry", TAKEN, ids=lambda entry: entry.name)
def test_hard_pictures_stay_like_those_of_floats(entry: Entry) -> None:
    net: RecurrentNet = load(entry.name).net
    fast, exact = place(copy.deepcopy(net), CPU, torch.int8), place(net, CPU, torch.float32)
    for name, clip in hard().items():
        with torch.inference_mode():
            error = (fast(clip).clamp(0, 1) - exact(clip).clamp(0, 1)).square().mean()
        likeness = float(-10 * error.log10())
        print(f"\n{entry.name}, {name}: {likeness:.1f} dB", end="")
        assert likeness > 42
