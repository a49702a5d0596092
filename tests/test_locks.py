"""One process at a time: a second one fails at once, a kill releases the lock, and no file is left."""

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from vsrcli.errors import UsageError
from vsrcli.locks import LockedError, hold
from vsrcli.pipeline.folder.lock import lock

HOLD = """
import sys, time
from pathlib import Path
from vsrcli.locks import hold
held = hold(Path(sys.argv[1]), wait=False)
print("held", flush=True)
time.sleep(60)
"""


def holder(path: Path) -> subprocess.Popen[str]:
    """Return a process that holds `path`."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_second_process_fails_at_once_and_a_kill_releases_the_lock(tmp_path: Path) -> None:
    folder = tmp_path / "o.mkv.vsr"
    folder.mkdir()
    process = holder(folder / "lock")
    try:
        began = time.monotonic()
        with pytest.raises(UsageError, match="another vsr works on"):
            lock(folder)
        assert time.monotonic() - began < 0.5
        waited = threading.Thread(target=lambda: hold(folder / "lock", wait=True).release())
        waited.start()
        waited.join(0.2)
        assert waited.is_alive()
    finally:
        process.send_signal(signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
        process.communicate()
    waited.join(10)
    assert not waited.is_alive()
    assert list(folder.iterdir()) == []


def test_the_same_process_cannot_hold_a_file_twice(tmp_path: Path) -> None:
    first = hold(tmp_path / "lock", wait=False)
    with pytest.raises(LockedError):
        hold(tmp_path / "lock", wait=False)
    first.release()
    second = hold(tmp_path / "lock", wait=False)
    first.release()  # again: the second one's file stays
    with pytest.raises(LockedError):
        hold(tmp_path / "lock", wait=False)
    second.release()
    assert list(tmp_path.iterdir()) == []


def test_lock_is_released_by_another_thread(tmp_path: Path) -> None:
    held = hold(tmp_path / "lock", wait=False)
    thread = threading.Thread(target=held.release)
    thread.start()
    thread.join()
    again = hold(tmp_path / "lock", wait=False)  # would raise LockedError
    assert (tmp_path / "lock").exists()
    again.release()
    assert list(tmp_path.iterdir()) == []


def test_many_processes_hold_the_lock_one_after_the_other(tmp_path: Path) -> None:
    inside, most, done = 0, 0, []

    def work() -> None:
        nonlocal inside, most
        for _ in range(8):
            held = hold(tmp_path / "lock", wait=True)
            inside += 1
            most = max(most, inside)
            time.sleep(0.001)
            inside -= 1
            held.release()
        done.append(True)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most, len(done)) == (1, 4)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "lock").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError):
        hold(tmp_path / "lock", wait=False)
    assert (tmp_path / "victim").read_text() == "precious"


def test_lock_file_of_an_older_version_is_reused(tmp_path: Path) -> None:
    (tmp_path / "lock").write_bytes(b"")
    hold(tmp_path / "lock", wait=False).release()
    assert list(tmp_path.iterdir()) == []
