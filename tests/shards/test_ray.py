"""`--ray` on a cluster of three nodes that really run here: workers, a node and the driver are killed meanwhile."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.command import vsr
from tests.shards.make import film as shots_film
from tests.shards.make import packets

ray = pytest.importorskip("ray", reason="the package ray is not installed (pip install 'vsrcli[ray]')")
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

FAST = ["--window", "4", "--lookahead", "2", "--precision", "fp32"]
SHARDS = ["--shards", "5", "--warmup", "30", "--ray-cpus", "1"]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Three nodes with a core each."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "1"
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 80 << 20})
    for _ in range(2):
        made.add_node(num_cpus=1, object_store_memory=80 << 20)
    made.wait_for_nodes()
    yield made
    made.shutdown()  # type: ignore[no-untyped-call, unused-ignore]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shots_film(tmp_path_factory.mktemp("shots") / "film.mp4", frames=300)


@pytest.fixture(scope="module")
def single(source: Path, tiny_model: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("single") / "one.mkv"
    assert vsr("upscale", source, "-o", output, "-m", tiny_model, "-q", *FAST).returncode == 0
    return output


def start(source: Path, output: Path, model: str, address: str, *options: str) -> subprocess.Popen[str]:
    words = ["upscale", str(source), "-o", str(output), "-m", model, *FAST, *SHARDS, "--ray", address, *options]
    return subprocess.Popen([sys.executable, "-m", "vsrcli", *words], stderr=subprocess.PIPE, text=True)


def wait_for(happened: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 240
    while not happened():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < until
        time.sleep(0.02)


def segments(output: Path) -> Callable[[], bool]:
    return lambda: bool(list(output.with_name(output.name + ".vsr").glob("shard-*/[0-9]*.segment")))


def working(cluster: Any) -> list[psutil.Process]:
    """Processes of the nodes that make a shard now."""
    nodes = [info.process for node in cluster.list_all_nodes() for info in node.all_processes["raylet"]]
    children = [child for raylet in nodes for child in psutil.Process(raylet.pid).children(recursive=True)]
    return [child for child in children if child.name().startswith("ray::Worker")]


def finish(process: subprocess.Popen[str]) -> str:
    text = process.communicate(timeout=500)[1]
    assert process.returncode == 0, text
    return text


def test_the_shard_of_a_killed_worker_is_repeated(
    cluster: Any, source: Path, single: Path, tiny_model: str, tmp_path: Path
) -> None:
    process = start(source, tmp_path / "out.mkv", tiny_model, cluster.address)
    wait_for(segments(tmp_path / "out.mkv"), process)
    wait_for(lambda: bool(working(cluster)), process)
    for victim in working(cluster):
        victim.send_signal(signal.SIGKILL)
    text = finish(process)
    assert "its worker was lost; it is tried again" in text
    assert "the workers read the source from its disk" in text
    assert packets(tmp_path / "out.mkv") == packets(single)
    assert [p.name for p in tmp_path.iterdir()] == ["out.mkv"]


def test_the_job_of_a_killed_driver_resumes(
    cluster: Any, source: Path, single: Path, tiny_model: str, tmp_path: Path
) -> None:
    output = tmp_path / "out.mkv"
    process = start(source, output, tiny_model, cluster.address)
    wait_for(segments(output), process)
    process.kill()
    process.wait()
    assert not output.exists()
    finish(start(source, output, tiny_model, cluster.address))
    assert packets(output) == packets(single)
    assert [p.name for p in tmp_path.iterdir()] == ["out.mkv"]


def test_a_job_survives_a_lost_node_and_resumes_without_the_cluster(
    cluster: Any, source: Path, single: Path, tiny_model: str, tmp_path: Path
) -> None:
    output = tmp_path / "out.mkv"
    process = start(source, output, tiny_model, cluster.address)
    wait_for(segments(output), process)
    node = next(node for node in cluster.list_all_nodes() if not node.head)
    cluster.remove_node(node, allow_graceful=False)
    finish(process)
    assert packets(output) == packets(single)

    again = tmp_path / "again.mkv"
    process = start(source, again, tiny_model, cluster.address)
    wait_for(segments(again), process)
    process.send_signal(signal.SIGINT)
    assert "; to go on, run the same command" in process.communicate()[1]
    assert process.returncode == 130
    assert vsr("upscale", source, "-o", again, "-m", tiny_model, "-q", *FAST).returncode == 0
    assert packets(again) == packets(single)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again.mkv", "out.mkv"]


def test_a_missing_cluster_gives_one_line(source: Path, tiny_model: str, tmp_path: Path) -> None:
    process = start(source, tmp_path / "out.mkv", tiny_model, "127.0.0.1:9", "-q")
    text = process.communicate(timeout=300)[1]
    assert process.returncode == 2 and "there is no Ray cluster at 127.0.0.1:9" in text
