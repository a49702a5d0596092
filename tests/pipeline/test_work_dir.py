"""Unfinished work can lie in a folder of its own: a job goes on there, and nothing of it is left."""

import shutil
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

import vsrcli
from tests.command import vsr
from tests.media import make
from tests.pipeline.test_run import pictures
from vsrcli.errors import InterruptedJobError, OutputExistsError
from vsrcli.pipeline.events import Event
from vsrcli.pipeline.jobs.places import job_folder


@pytest.mark.slow
def test_a_job_goes_on_in_its_work_folder_and_leaves_it_empty(tmp_path: Path, tiny_model: str) -> None:
    film = make.video(tmp_path / "a.mkv", frames=70, width=32, height=32)
    (tmp_path / "out").mkdir()
    out, work = tmp_path / "out" / "b.mkv", tmp_path / "work"
    how: dict[str, Any] = {"model": tiny_model, "window": 4, "lookahead": 1, "precision": "fp32", "codec": "ffv1"}
    cancel = threading.Event()

    def hear(event: Event) -> None:
        if event.done == 64 and event.kind == "frame":
            cancel.set()

    with pytest.raises(InterruptedJobError, match="the first 60 frames are kept, the 4 after them"):
        vsrcli.upscale(film, out, work_dir=work, on_event=hear, cancel=cancel, **how)
    assert list(work.iterdir()) == [job_folder(out, str(work))] and not list(out.parent.iterdir())
    done = vsrcli.upscale(film, out, work_dir=work, **how)
    assert (done.frames, done.made) == (70, 10)
    assert not list(work.iterdir()) and list(out.parent.iterdir()) == [out]
    whole = vsrcli.upscale(film, tmp_path / "c.mkv", **how)
    assert (pictures(whole.output) == pictures(out)).all()
    with pytest.raises(OutputExistsError):
        vsrcli.upscale(film, out, work_dir=work, **how)


def test_a_full_disk_of_the_work_is_told_with_what_helps(tmp_path: Path, tiny_model: str) -> None:
    film, disk = make.video(tmp_path / "a.mkv", frames=12, width=96, height=96), tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=96k", "none", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("mounting a small file system is not possible here")
    try:
        given = ("upscale", film, "-o", tmp_path / "b.mkv", "-m", tiny_model, "--codec", "ffv1")
        done = vsr(*given, "--work-dir", disk)
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]
    assert ".segment: the disk is full (make room and run again), or give a folder on another disk by --work" in line


def test_outputs_of_one_name_do_not_meet(tmp_path: Path) -> None:
    names = {job_folder(tmp_path / folder / "a.mkv", "work") for folder in ("x", "y")}
    assert len(names) == 2 and all(name.parent == Path("work") for name in names)
    long = job_folder(tmp_path / ("é" * 125 + ".mkv"), "work")
    assert len(long.name.encode()) <= 255


def test_a_job_that_moves_to_a_work_folder_says_what_is_left_of_it(tmp_path: Path, tiny_model: str) -> None:
    film, out = make.video(tmp_path / "a.mkv", frames=3, width=32, height=32), tmp_path / "b.mkv"
    usual = job_folder(out)
    usual.mkdir()
    (usual / "job.json").write_text("{}")
    heard: list[Event] = []
    vsrcli.upscale(film, out, model=tiny_model, work_dir=tmp_path / "work", on_event=heard.append)
    assert any(str(usual) in event.text and "holds frames of a run before" in event.text for event in heard)
    assert usual.is_dir()
