"""Slurm, really running on this machine: an array job of a plan's shards, one killed and requeued, then the join."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import vsrcli
from tests.command import vsr
from tests.shards.make import film as shots_film
from tests.shards.make import packets

ROOT = Path(__file__).resolve().parents[2]
SETUP, SUBMIT = Path(__file__).with_name("slurm.sh"), ROOT / "examples" / "cluster" / "slurm.sh"
FAST = ["--window", "4", "--lookahead", "2", "--precision", "fp32", "-q"]
SECONDS = 500

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("slurmctld") is None, reason="Slurm is not installed (apt-get install slurm-wlm)"),
    pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() != 0, reason="slurmd must be started as root"),
]


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Slurm with one node of two cores, and a `vsr` on the path that is this one."""
    folder = tmp_path / "slurm"
    folder.mkdir()
    monkeypatch.setenv("SLURM_CONF", str(folder / "slurm.conf"))
    own = tmp_path / "bin"
    own.mkdir()
    path = os.pathsep.join([str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    (own / "vsr").write_text(f"#!/bin/sh\nPYTHONPATH='{path}' exec '{sys.executable}' -m vsrcli \"$@\"\n")
    (own / "vsr").chmod(0o755)
    monkeypatch.setenv("PATH", f"{own}{os.pathsep}{os.environ['PATH']}")
    assert Path(vsrcli.__file__).is_relative_to(ROOT)
    subprocess.run(["sh", str(SETUP), "start", str(folder)], check=True)
    yield
    subprocess.run(["scancel", "--user=root"], check=False)
    subprocess.run(["sh", str(SETUP), "stop", str(folder)], check=True)


def test_a_slurm_array_joins_after_one_task_was_killed(slurm: None, tiny_model: str, tmp_path: Path) -> None:
    film, output, plan = shots_film(tmp_path / "film.mp4"), tmp_path / "out.mkv", tmp_path / "plan.json"
    assert vsr("upscale", film, "-o", tmp_path / "one.mkv", "-m", tiny_model, *FAST).returncode == 0
    made = vsr("plan", film, "-o", output, "-m", tiny_model, *FAST, "--shards", 4, "--warmup", 30)
    plan.write_text(made.stdout)
    words = ["sh", str(SUBMIT), str(plan), "--chdir", str(tmp_path), "--output", str(tmp_path / "%A-%a.log")]
    told = subprocess.run(words, check=True, capture_output=True, text=True, cwd=tmp_path).stdout
    assert "of 4 shards" in told
    array = told.split()[1]

    until, killed = time.monotonic() + SECONDS, False
    while not output.exists():
        logs = "\n".join(path.read_text() for path in tmp_path.glob("*.log"))
        assert time.monotonic() < until, logs
        if not killed and list(output.with_name("out.mkv.vsr").glob("shard-*/lock")):
            tasks = subprocess.run(
                ["squeue", "--noheader", "--array", f"--jobs={array}", "--states=RUNNING", "--format=%i"],
                capture_output=True,
                text=True,
                check=True,
            ).stdout.split()
            if tasks:
                subprocess.run(["scontrol", "requeue", tasks[0]], check=True)
                killed = True
        time.sleep(0.1)
    assert killed
    assert packets(output) == packets(tmp_path / "one.mkv")
    while output.with_name("out.mkv.vsr").exists():
        assert time.monotonic() < until
        time.sleep(0.1)
