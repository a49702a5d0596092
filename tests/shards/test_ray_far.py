"""`--ray` with a worker that does not see the disk: the source goes to it, and its segments come back, through Ray."""

import contextlib
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command import vsr
from tests.shards.make import film, packets

ray = pytest.importorskip("ray", reason="the package ray is not installed (pip install 'vsrcli[ray]')")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

RAY = (sys.executable, "-m", "ray.scripts.scripts")
PORT = 26397
"""Outside of the range that Ray gives to its workers."""


def can_hide() -> bool:
    """Return whether this user may hide a folder from a process (Linux, root)."""
    tool = shutil.which("unshare")
    return tool is not None and subprocess.run([tool, "-m", "true"], capture_output=True).returncode == 0


def answers() -> bool:
    """Return whether the cluster's head listens."""
    with contextlib.suppress(OSError):
        socket.create_connection(("127.0.0.1", PORT), timeout=1).close()
        return True
    return False


@pytest.fixture
def address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A cluster whose only worker sees an empty folder where the source lies."""
    if not can_hide():
        pytest.skip("hiding a folder from a process needs Linux and root")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # its token lies in the home folder, which each test has for itself
    head = [*RAY, "start", "--head", "--block", f"--port={PORT}", "--num-cpus=0", "--include-dashboard=false"]
    shared = (tmp_path / "shared").resolve()
    shared.mkdir()
    worker = [*RAY, "start", "--block", f"--address=127.0.0.1:{PORT}", "--num-cpus=1"]
    hide = f'mount -t tmpfs none "{shared}" && exec "$@"'
    limit = "--object-store-memory=80000000"
    log = (tmp_path / "ray.log").open("w")
    nodes = [
        subprocess.Popen([*head, "--node-ip-address=127.0.0.1", limit], stdout=log, stderr=log, start_new_session=True)
    ]
    try:
        until = time.monotonic() + 120
        while not answers():
            assert nodes[0].poll() is None and time.monotonic() < until, (tmp_path / "ray.log").read_text()
            time.sleep(0.2)
        nodes.append(
            subprocess.Popen(
                ["unshare", "-m", "sh", "-c", hide, "sh", *worker, limit],
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        )
        yield f"127.0.0.1:{PORT}"
    finally:
        for node in reversed(nodes):
            node.terminate()
        for node in nodes:
            node.wait(60)
        log.close()


def test_a_worker_that_does_not_see_the_source_gets_it_and_returns_segments(
    address: str, tiny_model: str, tmp_path: Path
) -> None:
    folder = tmp_path / "shared"
    source = film(folder / "film.mp4", frames=130)
    model = shutil.copy(tiny_model, folder / "own.safetensors")
    options = ["-m", model, "--window", "4", "--lookahead", "2", "--precision", "fp32"]
    assert vsr("upscale", source, "-o", folder / "one.mkv", "-q", *options).returncode == 0
    shards = ["--shards", "3", "--warmup", "30", "--ray-cpus", "1", "--ray", address]
    done = vsr("upscale", source, "-o", folder / "out.mkv", *options, *shards)
    assert done.returncode == 0, done.stderr
    assert "through Ray's object store" in done.stderr
    assert packets(folder / "out.mkv") == packets(folder / "one.mkv")
    assert sorted(path.name for path in folder.iterdir()) == ["film.mp4", "one.mkv", "out.mkv", "own.safetensors"]
    assert not list(Path("/tmp").glob("vsr-ray-*")), "a copy of the source was left over"
