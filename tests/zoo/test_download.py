"""Downloads end complete and verified, or not at all, whatever the server does."""

import hashlib
import multiprocessing
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.zoo.server import WeightsServer
from vsrcli.errors import WeightsError
from vsrcli.zoo.download import fetch, mirrored

CONTENT = np.random.default_rng(0).bytes(1_000_003)
DIGEST = hashlib.sha256(CONTENT).hexdigest()
HALF = len(CONTENT) // 2
STALL = 1.5
"""Seconds after which a server counts as stalled where one attempt too many would fail the test."""


@pytest.fixture
def server() -> Iterator[WeightsServer]:
    with WeightsServer(CONTENT).running() as running:
        yield running


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "new folder" / "net.pth"


def pull(server: WeightsServer, target: Path, stall: float = 30) -> str:
    """Fetch the file. A short `stall` is for servers that do stall: on a busy machine a good one may pause as long."""
    return fetch(f"{server.url}/a/net.pth", target, sha256=DIGEST[:8], stall=stall, pause=0.01)


def assert_complete(target: Path) -> None:
    assert target.read_bytes() == CONTENT
    assert not target.with_name("net.pth.part").exists()


def test_a_download_arrives_with_progress(server: WeightsServer, target: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    digest = fetch(f"{server.url}/net.pth", target, sha256=DIGEST, progress=lambda *at: seen.append(at))
    assert digest == DIGEST
    assert_complete(target)
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


@pytest.mark.parametrize("fault", ["stall", "truncate", "longer"])
def test_a_transfer_that_stops_early_is_resumed(fault: str, server: WeightsServer, target: Path) -> None:
    server.faults = [fault]
    assert pull(server, target, STALL if fault == "stall" else 30) == DIGEST
    assert_complete(target)
    asked = [range_header for _, range_header in server.requests]
    # with "longer" the file is all there, and only the server's promise was wrong
    assert asked == ([None] if fault == "longer" else [None, f"bytes={HALF}-"])


@pytest.mark.parametrize("fault", ["silent", "reset", 503, 429])
def test_unresponsive_server_is_retried(fault: str | int, server: WeightsServer, target: Path) -> None:
    server.faults = [fault]
    pull(server, target, STALL if fault == "silent" else 30)
    assert_complete(target)
    assert len(server.requests) == 2


def test_a_file_without_a_declared_length_arrives(server: WeightsServer, target: Path) -> None:
    server.faults = ["unsized"]
    pull(server, target)
    assert_complete(target)


def test_an_interrupted_pull_resumes_in_the_next_call(server: WeightsServer, target: Path) -> None:
    server.faults = ["truncate", 503, 503, 503]
    with pytest.raises(WeightsError, match="answers 503"):
        pull(server, target)
    assert not target.exists()
    assert target.with_name("net.pth.part").read_bytes() == CONTENT[:HALF]
    pull(server, target)
    assert_complete(target)
    assert server.requests[-1][1] == f"bytes={HALF}-"


@pytest.mark.parametrize("fault", ["ignore-range", "wrong-range"])
def test_server_without_ranges_causes_a_fresh_start(fault: str, server: WeightsServer, target: Path) -> None:
    server.faults = ["truncate", fault]
    pull(server, target)
    assert_complete(target)


@pytest.mark.parametrize("leftover", [b"other bytes", CONTENT + b"too much", b"\0" * len(CONTENT)])
def test_partial_data_of_another_file_is_discarded(leftover: bytes, server: WeightsServer, target: Path) -> None:
    target.parent.mkdir()
    target.with_name("net.pth.part").write_bytes(leftover)
    pull(server, target)
    assert_complete(target)


@pytest.mark.parametrize("fault", ["wrong", "shorter"])
def test_wrong_bytes_are_never_renamed_into_place(fault: str, server: WeightsServer, target: Path) -> None:
    server.faults = [fault]
    with pytest.raises(WeightsError, match=f"SHA-256 begins with .*, not {DIGEST[:8]}"):
        pull(server, target)
    assert not target.exists()
    assert not target.with_name("net.pth.part").exists()
    assert len(server.requests) == 1


@pytest.mark.parametrize("fault", ["stall", "silent", "truncate"])
def test_download_fails_after_all_attempts(fault: str, server: WeightsServer, target: Path) -> None:
    server.faults = [fault] * 9
    with pytest.raises(
        WeightsError, match=r"sends nothing any more|does not answer|stopped after \d+ of 1000003 bytes"
    ):
        pull(server, target, stall=0.3)
    assert len(server.requests) == 4
    assert not target.exists()


def test_missing_file_is_not_retried(server: WeightsServer, target: Path) -> None:
    server.faults = [404]
    with pytest.raises(WeightsError, match="answers 404 Not Found"):
        pull(server, target)
    assert len(server.requests) == 1


def test_missing_network_is_reported_in_one_line(target: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: connections are refused
        with pytest.raises(WeightsError, match="cannot be reached: Connection refused"):
            fetch(f"http://127.0.0.1:{unused.getsockname()[1]}/net.pth", target, sha256=DIGEST, pause=0.01)


def test_unwritable_folder_is_reported_in_one_line(server: WeightsServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(WeightsError, match="cannot be written"):
        pull(server, tmp_path / "file" / "net.pth")


def pull_in_process(url: str, target: Path) -> None:
    fetch(url, target, sha256=DIGEST, stall=30, pause=0.01)


def test_concurrent_pulls_transfer_once_and_agree(server: WeightsServer, target: Path) -> None:
    threads = [threading.Thread(target=pull, args=(server, target)) for _ in range(3)]
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=pull_in_process, args=(f"{server.url}/net.pth", target)) for _ in range(2)]
    for start in (*(p.start for p in processes), *(t.start for t in threads)):
        start()
    for join in (*(p.join for p in processes), *(t.join for t in threads)):
        join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert_complete(target)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("mirror", "expected"),
    [
        (None, "https://official.org/a/net.pth"),
        ("", "https://official.org/a/net.pth"),
        ("mirror.cn", "https://mirror.cn/a/net.pth"),
        ("http://10.0.0.1:8080", "http://10.0.0.1:8080/a/net.pth"),
        ("http://mirror.cn/deep/er/", "http://mirror.cn/deep/er/a/net.pth"),
    ],
)
def test_a_mirror_replaces_the_host(mirror: str | None, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VSR_WEIGHTS_MIRROR", raising=False)
    if mirror is not None:
        monkeypatch.setenv("VSR_WEIGHTS_MIRROR", mirror)
    assert mirrored("https://official.org/a/net.pth") == expected
