"""What no caller listens to is logged under "vsrcli", and shown only where a program asks for it."""

import hashlib
import logging
import subprocess
import sys
from pathlib import Path

import pytest

import vsrcli
from tests.media import make
from tests.zoo.server import WeightsServer
from vsrcli.pipeline.events import Event
from vsrcli.zoo.download import fetch


def test_notes_and_warnings_of_a_job_are_logged_unless_someone_listens(
    tiny_model: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="vsrcli")
    source = make.interlaced(tmp_path / "in.mpg", frames=1)
    vsrcli.upscale(source, tmp_path / "a.mkv", model=tiny_model, deinterlace="off")
    assert {record.name for record in caplog.records} == {"vsrcli"}
    warned = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    assert warned == ["the source is flagged as interlaced: where its frames are woven of fields, combing stays"]
    assert "done at 1 of 1 frames" in [r.getMessage() for r in caplog.records if r.levelno == logging.DEBUG]
    caplog.clear()
    heard: list[Event] = []
    vsrcli.upscale(source, tmp_path / "b.mkv", model=tiny_model, deinterlace="off", on_event=heard.append)
    assert "warning" in [event.kind for event in heard] and not caplog.records


def test_each_further_attempt_of_a_download_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="vsrcli")
    content = b"weights"
    with WeightsServer(content, faults=[503, "reset"]).running() as server:
        url = f"{server.url}/net.pth"
        fetch(url, tmp_path / "net.pth", sha256=hashlib.sha256(content).hexdigest(), pause=0.01)
    assert [r.getMessage() for r in caplog.records] == [
        f"{url} answers 503 Service Unavailable: attempt 2 of 4",
        f"{url} does not answer: attempt 3 of 4",
    ]


def test_nothing_is_shown_unasked() -> None:
    script = "from vsrcli import log; log.warning('heard'); import logging; logging.basicConfig(); log.warning('asked')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "WARNING:vsrcli:asked\n")
