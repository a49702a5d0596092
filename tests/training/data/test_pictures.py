"""Compressed clips are read identically with and without PyAV."""

import sys

import numpy as np
import pytest
import torch

from tests.media import make
from vsrcli.training.data import pictures


def test_pictures_are_read_alike_without_pyav(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torchvision", reason="torchvision reads packs where PyAV is missing")
    clip = torch.from_numpy(np.stack([make.pattern(i) for i in range(3)])).permute(0, 3, 1, 2)
    data = pictures.compress(clip, lossless=True)
    monkeypatch.setitem(sys.modules, "av", None)
    assert torch.equal(pictures.decompress(data, 3), clip)
