"""Every architecture runs the whole way, from file to file, in every propagation mode it supports."""

from pathlib import Path

import pytest
from safetensors.torch import save_file

import vsrcli
from tests.media import make
from tests.nets.small import small
from vsrcli.errors import UsageError

MODES = {
    "basicvsr": ("clip", "window", "exact"),
    "iconvsr": ("clip", "window", "exact"),
    "basicvsr++": ("clip", "window", "exact"),
    "edvr": ("clip", "stream"),
    "repvsr": ("clip", "stream", "exact"),
    "realbasicvsr": ("clip", "window", "exact"),
    "animesr": ("clip", "stream", "exact"),
}


@pytest.mark.parametrize(("arch", "mode"), [(arch, mode) for arch, modes in MODES.items() for mode in (*modes, "auto")])
def test_every_net_runs_in_every_mode(arch: str, mode: str, tmp_path: Path) -> None:
    film = make.video(tmp_path / "in.mp4", frames=4)
    save_file(small(arch).state_dict(), tmp_path / "net.safetensors")
    result = vsrcli.upscale(
        film, tmp_path / "out.mp4", model=str(tmp_path / "net.safetensors"), propagation=mode, window=None
    )
    assert (result.frames, result.size) == (4, (256, 192))


@pytest.mark.parametrize(("arch", "mode"), [("iconvsr", "stream"), ("repvsr", "window")])
def test_a_mode_that_does_not_fit_is_refused(arch: str, mode: str, tmp_path: Path) -> None:
    film = make.video(tmp_path / "in.mp4", frames=2)
    save_file(small(arch).state_dict(), tmp_path / "net.safetensors")
    with pytest.raises(UsageError, match="propagation"):
        vsrcli.upscale(film, tmp_path / "out.mp4", model=str(tmp_path / "net.safetensors"), propagation=mode)
