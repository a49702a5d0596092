"""Common parts of all tests: processes, the reference data (outside the repository), a video and a small net."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line does: torch shares two cores with codecs
os.environ.setdefault("VSR_NO_CONFIG", "1")  # what stands in the user's own settings is no part of a test
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # each core has a worker of its own; set before torch is imported

MOST_WORKERS = 8
"""Each takes 3 s to import PyTorch and half a GiB."""

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Spread the suite over the cores if all of its quick tests are requested and -n is not given.

    A few tests are faster in one process. Slow ones, which measure speed and memory, and the soak run alone.
    """
    if hasattr(config, "workerinput") or not config.pluginmanager.hasplugin("xdist"):
        return
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS and "not slow" in config.option.markexpr
    alone = config.option.usepdb or config.option.collectonly
    if whole and not alone and config.option.numprocesses is None and config.option.dist == "no":
        config.option.numprocesses = min(cores(), MOST_WORKERS)
        config.option.dist = "worksteal"


def cores() -> int:
    """Return the number of cores that this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data beside the repository; tests that need it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("the reference data (../shared) is not here")
    return SHARED


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Save NanoVSR with 8 channels, untrained: the cheapest bidirectional net, for tests that any net can serve."""
    import torch
    from safetensors.torch import save_file

    from vsrcli.nets.nanovsr import NanoVSR

    torch.manual_seed(0)
    net = NanoVSR(8, 1).requires_grad_(False)
    for parameter in net.conv_last.parameters():
        parameter.mul_(0.1)  # as little detail as a trained net adds, or the engine warns of it
    path = tmp_path_factory.mktemp("model") / "tiny.safetensors"
    save_file(net.state_dict(), path)
    return str(path)


@pytest.fixture
def short_segments(monkeypatch: pytest.MonkeyPatch) -> int:
    """Let segments have about 8 frames instead of 60, so that short videos have several; return that number."""
    from vsrcli.pipeline.jobs import segments

    monkeypatch.setattr(segments, "SEGMENT_FRAMES", 8)
    return segments.SEGMENT_FRAMES


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a video of 20 frames of 64x48 with two sound tracks, subtitles, chapters, a cover and tags."""
    from tests.media import make

    return make.rich(tmp_path_factory.mktemp("film") / "film.mkv")
