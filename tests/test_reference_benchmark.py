"""BasicVSR built plainly from PyTorch's modules gives what vsr's gives, and is compared with it by one command."""

import subprocess
import sys
from pathlib import Path

import torch

from examples.benchmarks.reference import compared, frames, plain
from vsrcli.evaluate.calibration import calibrate
from vsrcli.nets.basicvsr import BasicVSR
from vsrcli.nets.instructions import cpu_has_int8


def test_the_plain_net_gives_the_same_picture() -> None:
    torch.manual_seed(3)
    net = BasicVSR(channels=8, blocks=2).eval()
    clip = torch.rand(1, 4, 3, 40, 52)
    with torch.inference_mode():
        difference = (plain(net)(clip) - net(clip)).abs().max()
    assert difference < 1e-4


def test_a_table_is_printed(tmp_path: Path) -> None:
    from vsrcli.zoo.formats import save

    path = tmp_path / "tiny.safetensors"
    save(path, BasicVSR(channels=8, blocks=1), arch="basicvsr", config={"channels": 8, "blocks": 1})
    command = [sys.executable, "-m", "examples.benchmarks.reference", "--model", str(path)]
    command += ["--size", "32x24", "--frames", "2", "--rounds", "1"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).resolve().parents[1])
    assert done.returncode == 0, done.stderr
    rows = [line.split("|") for line in done.stdout.splitlines() if line.startswith("| ")][1:]
    assert [row[1].strip() for row in rows][:2] == ["plain, fp32", "vsr, fp32"]
    assert float(rows[0][4]) == float("inf") and float(rows[1][4]) > 90
    assert float(rows[0][5]) == 0 and abs(float(rows[1][5])) < 0.001


def test_int8_has_a_row_where_there_are_ranges() -> None:
    torch.manual_seed(3)
    net = BasicVSR(channels=16, blocks=1).eval().requires_grad_(False)
    net.use_ranges(calibrate(net, [torch.rand(1, 3, 3, 24, 32)]))
    rows = {row.name: row for row in compared(net, *frames(None, 32, 24, 3), rounds=1)}
    assert ("vsr, int8" in rows) == cpu_has_int8()
    assert rows["vsr, fp32"].likeness > 90 and all(row.seconds > 0 for row in rows.values())
    if "vsr, int8" in rows:
        assert 30 < rows["vsr, int8"].likeness < rows["vsr, bf16"].likeness if "vsr, bf16" in rows else 90
