"""The table of nets on an accelerator is made by one script, without PyAV; here on the CPU, of tiny frames."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "examples" / "benchmarks" / "run_gpu.sh"


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="a shell script")
def test_a_table_is_made_without_pyav(tmp_path: Path) -> None:
    (tmp_path / "av.py").write_text("raise ImportError('av is not here')")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHON": sys.executable, "VSR_HOME": str(tmp_path)}
    environment["OMP_NUM_THREADS"] = "1"
    options = ["--device", "cpu", "--models", "repvsr", "rlsp", "--sizes", "32x24", "--precisions", "fp32", "bf16"]
    done = subprocess.run(
        ["sh", SCRIPT, *options, "--frames", "2"], env=environment, capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines() if "32x24" in line]
    assert [(row[0].split(".")[0], row[1], row[3]) for row in rows] == [
        ("repvsr", "bundled", "fp32"),
        ("repvsr", "bundled", "bf16"),
        ("rlsp", "random", "fp32"),
        ("rlsp", "random", "bf16"),
    ]
    assert all(float(row[4]) > 0 for row in rows)
    assert rows[0][-1] == "inf" and 35 < float(rows[1][-1]) < 90


@pytest.mark.slow
def test_what_takes_too_long_is_left_out_and_named(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[2]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(SCRIPT.with_name("devices.py")), "--device", "cpu", "--models", "repvsr"]
    options = ["--precisions", "fp32", "--sizes", "32x24", "--seconds", "-1", "--json"]
    done = subprocess.run([*command, *options], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]" and "left out for want of time: repvsr" in done.stderr
