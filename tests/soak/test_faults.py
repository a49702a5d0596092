"""Jobs in which any operation on files fails end in one line and the exit code of a failure, and go on afterwards."""

import errno
import random
from pathlib import Path
from typing import Any

import pytest

from tests.soak.conftest import Outcome, Runner
from tests.soak.test_kills import command, digest, source

pytestmark = pytest.mark.soak
PLACES = 60  # for each of the three kinds of job
ERRORS = [errno.ENOSPC, errno.EIO, errno.EACCES, errno.EINVAL, errno.ENOENT, errno.EROFS, errno.EDQUOT]
SIZES = [0x100, 0x1000, 0x3000, 0x8000, 0x10000, 0x20000]
"""Bytes that a file may have: what libraries in C write fails by it, as does ffmpeg."""


def plain(ended: Outcome) -> bool:
    """Return whether a command that failed says so in one line, in its own words."""
    lines = [line for line in ended.stderr.splitlines() if line.startswith("vsr: ")]
    wrong = ("Traceback", "Error while serializing", "a bug or an unusual file", "[Errno")
    return ended.exit in (1, 2) and len(lines) == 1 and not any(words in ended.stderr for words in wrong)


def go_on(vsr: Runner, folder: Path, arguments: list[Any], out: str, expected: str) -> str | None:
    """Run a failed job again and return what is wrong with that."""
    again = vsr(folder, *arguments)
    left = sorted(p.name for p in folder.iterdir() if p.name != out)
    if again.exit == 2 and "exists" in again.stderr and not left:
        again.exit = 0  # it was finished, and its folder gone: at the last operation
    if again.exit or left:
        return f"{again.exit} {left} {again.stderr[-300:]}"
    return None if digest(folder / out) == expected else "other frames"


@pytest.mark.parametrize("kind", ["video", "exact", "images"])
def test_a_job_goes_on_after_any_operation_failed(kind: str, vsr: Runner, tiny_model: str, tmp_path: Path) -> None:
    given = source(kind, tmp_path)
    arguments = ["upscale", given, *command(kind, tiny_model)]
    out = "out" if kind == "images" else "out.mkv"
    whole = tmp_path / "whole"
    whole.mkdir()
    watched = [given, Path(tiny_model)]
    ended = vsr(whole, *arguments, error=errno.EIO, folders=watched)
    assert ended.exit == 0 and ended.count, ended.stderr
    expected = digest(whole / out)
    chance = random.Random(0)
    places: list[dict[str, Any]] = [{"most": size} for size in SIZES]
    for number, place in enumerate(chance.sample(range(1, ended.count + 1), min(PLACES, ended.count))):
        places.append({"at": place, "error": ERRORS[number % len(ERRORS)], "lasting": chance.random() < 0.3})
    failures: list[tuple[dict[str, Any], object, str]] = []
    for number, how in enumerate(places):
        folder = tmp_path / f"failed{number}"
        folder.mkdir()
        failed = vsr(folder, *arguments, folders=watched, **how)
        if failed.exit and not plain(failed):
            failures.append((how, failed.exit, failed.stderr[-200:]))
        if wrong := go_on(vsr, folder, arguments, out, expected):
            failures.append((how, "again", wrong))
    assert not failures, f"{len(failures)} of {len(places)} of {ended.count} operations: {failures}"
    print(f"{kind}: {len(places)} failures among {ended.count} operations on files, all told and gone on from")
