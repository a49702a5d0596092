"""Every architecture runs the whole way, from file to file, in every propagation mode it supports."""

from pathlib import Path

import pytest
from safetensors.torch import save_file

import vsrcli
from tests.media import make
from tests.nets.small import small
from tests.told import told
from vsrcli.engine.options import Propagation
from vsrcli.errors import UsageError
from vsrcli.nets.recurrent import RecurrentNet
from vsrcli.zoo.architectures import ARCHITECTURES

BIDIRECTIONAL = ("clip", "window", "exact")
STREAMING = ("clip", "stream", "exact")
CASES = [
    (arch, mode)
    for arch, architecture in ARCHITECTURES.items()
    for mode in (BIDIRECTIONAL if any(b.reverse for b in architecture.net.branches) else STREAMING)
]


def save_small(arch: str, path: Path) -> RecurrentNet:
    """Write a small net's state dict, and nothing that says whose it is."""
    net = small(arch)
    save_file(net.state_dict(), path)
    return net


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make.video(tmp_path_factory.mktemp("film") / "in.mp4", width=40, height=24, frames=3)


@pytest.mark.parametrize(("arch", "mode"), CASES)
def test_every_net_runs_in_every_mode(arch: str, mode: Propagation, film: Path, tmp_path: Path) -> None:
    scale = save_small(arch, tmp_path / "net.safetensors").scale
    result = vsrcli.upscale(
        film, tmp_path / "out.mp4", model=str(tmp_path / "net.safetensors"), propagation=mode, window=None
    )
    assert (result.frames, result.size) == (3, (40 * scale, 24 * scale))


@pytest.mark.parametrize("arch", ARCHITECTURES)
def test_every_net_runs_in_tiles_in_the_mode_that_it_gets_by_default(arch: str, film: Path, tmp_path: Path) -> None:
    scale = save_small(arch, tmp_path / "net.safetensors").scale
    result = vsrcli.upscale(film, tmp_path / "out.mp4", model=str(tmp_path / "net.safetensors"), tile=(32, 32))
    assert (result.frames, result.size) == (3, (40 * scale, 24 * scale))


@pytest.mark.parametrize(("arch", "mode"), [("iconvsr", "stream"), ("repvsr", "window")])
def test_unsupported_propagation_modes_are_refused(arch: str, mode: Propagation, film: Path, tmp_path: Path) -> None:
    save_small(arch, tmp_path / "net.safetensors")
    with told(UsageError, "--propagation"):
        vsrcli.upscale(film, tmp_path / "out.mp4", model=str(tmp_path / "net.safetensors"), propagation=mode)
