"""The soak's own runner: a process that forks `vsr` commands. Run with `pytest -m soak`."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from vsrcli.nets.basicvsr import BasicVSR

ROOT = Path(__file__).parents[2]


@dataclass
class Outcome:
    """How a command ended. `exit` is negative where a signal ended it, `count` its operations on files if it lived."""

    exit: int
    hung: bool
    seconds: float
    stdout: str
    stderr: str
    count: int | None


class Runner:
    """Runs `vsr` commands, one after another."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "NO_COLOR": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.soak.zygote"],
            cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert self._answer_line() == "ready"

    def _answer_line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def __call__(
        self,
        cwd: Path,
        *arguments: object,
        at: int = 0,
        error: int = 0,
        lasting: bool = False,
        most: int = 0,
        folders: Sequence[Path] = (),
        timeout: float = 120,
    ) -> Outcome:
        """Run `vsr ARGUMENTS` in `cwd`, killed at its operation number `at` on files there, if it gets there.

        With an `error` the operation fails instead, as in `Operations`, and operations in `folders` count too. `most`
        (0: no limit) are the bytes that a file may have.
        """
        files = {name: self._scratch / name for name in ("stdout", "stderr", "count")}
        files["count"].unlink(missing_ok=True)
        request: dict[str, Any] = {"arguments": [str(a) for a in arguments], "timeout": timeout}
        request |= {"at": at, "error": error, "lasting": lasting, "most": most}
        request["folders"] = [str(folder) for folder in (cwd, *folders)]
        request |= {"cwd": str(cwd)} | {name: str(path) for name, path in files.items()}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._answer_line())
        count = int(files["count"].read_text()) if files["count"].exists() else None
        said = {name: files[name].read_text(errors="replace") for name in ("stdout", "stderr")}
        return Outcome(count=count, stdout=said["stdout"], stderr=said["stderr"], **answer)

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=20)
        self._process.stdout.close()


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Save BasicVSR with 8 channels: slow enough to be killed at work."""
    path = tmp_path_factory.mktemp("model") / "basicvsr.safetensors"
    torch.manual_seed(0)
    save_file(BasicVSR(8, 1).state_dict(), path)
    return str(path)


@pytest.fixture(scope="session")
def vsr(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    if not hasattr(os, "fork"):
        pytest.skip("the soak forks its commands")
    runner = Runner(tmp_path_factory.mktemp("soak"))
    yield runner
    runner.close()
