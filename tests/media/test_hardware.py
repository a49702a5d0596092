"""Decoding on a device: what cannot be had is refused in one line; what can gives the frames of the CPU."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from av.codec.hwaccel import hwdevices_available

import vsrcli
from tests.media import make
from vsrcli.errors import UsageError
from vsrcli.media.read.decode import decode
from vsrcli.media.read.probe import probe


def test_an_unknown_interface_is_refused_with_those_there_are(tmp_path: Path, tiny_model: str) -> None:
    film = make.video(tmp_path / "a.mp4", frames=3, width=64, height=48)
    how: dict[str, Any] = {"model": tiny_model, "window": 4}
    with pytest.raises(UsageError, match=r"no hardware decoding by abacus \(it has .+\)$"):
        vsrcli.upscale(film, tmp_path / "b.mkv", hwaccel="abacus", **how)
    with pytest.raises(UsageError, match="images are not decoded on a device"):
        make.ffmpeg("-i", film, "-frames:v", "1", tmp_path / "a.png")
        vsrcli.upscale(tmp_path / "a.png", tmp_path / "b.png", hwaccel="cuda", **how)
    assert not (tmp_path / "b.mkv").exists()


@pytest.mark.parametrize("name", hwdevices_available())
def test_every_interface_here_decodes_the_same_or_is_refused_in_one_line(tmp_path: Path, name: str) -> None:
    film = make.video(tmp_path / "a.mp4", frames=5, width=256, height=192)
    info = probe(film)
    try:
        found = list(decode(info, hwaccel=name))
    except UsageError as error:
        refused = str(error)
        assert refused.startswith(name) and "\n" not in refused
        assert "cannot be opened" not in refused or refused.endswith("no such device opens here")
        return
    for here, there in zip(found, decode(info), strict=True):
        assert here.pts == there.pts and np.abs(here.data.astype(int) - there.data).max() <= 2
