"""Shared by all tests: where the reference data lies (outside the repository), and skipping when it is absent."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does: torch shares two cores with codecs

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data beside the repository; tests that need it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("the reference data (../shared) is not here")
    return SHARED


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """BasicVSR with 8 channels and one block: fast, and not trained."""
    import torch
    from safetensors.torch import save_file

    from vsrcli.nets.basicvsr import BasicVSR

    torch.manual_seed(0)
    net = BasicVSR(8, 1)
    for level in net.spynet.basic_module:
        torch.nn.init.normal_(level.basic_module[-1].weight, std=1e-3)
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_file(net.state_dict(), path)
    return str(path)


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 frames of 64x48 with two sound tracks, subtitles, chapters, a cover and tags."""
    from tests.media import make

    return make.rich(tmp_path_factory.mktemp("film") / "film.mkv")
