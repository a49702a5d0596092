"""A job in which an operation on files fails ends in one plain line, and the same job goes on afterwards.

Here at a handful of places; tests/soak/test_faults.py tries many more, in whole commands.
"""

import errno
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.command import vsr
from tests.media import make
from tests.soak.operations import Operations

current: list[Operations] = []
"""The one that hears: hooks cannot be taken away."""


@pytest.fixture(scope="module")
def hook() -> Iterator[None]:
    sys.addaudithook(lambda event, arguments: current[-1].hear(event, arguments) if current else None)
    yield
    current.clear()


def run(folder: Path, film: Path, model: str, operations: Operations) -> tuple[int, str]:
    with ExitStack() as stack:
        for wrapped in operations.wrap():
            stack.enter_context(wrapped)
        current.append(operations)
        try:
            done = vsr("upscale", film, "-m", model, "-o", folder / "o.mkv", "--preset", "ultrafast")
        finally:
            operations.active = False
            current.clear()
    return done.returncode, done.stderr


@pytest.mark.usefixtures("hook")
@pytest.mark.parametrize(
    ("share", "error", "exit_code"),
    [(0.1, errno.EACCES, 1), (0.5, errno.ENOSPC, 1), (0.75, errno.EROFS, 1), (0.9, errno.EIO, 0)],
)
def test_a_failed_file_operation_gives_one_line(
    share: float, error: int, exit_code: int, tiny_model: str, tmp_path: Path
) -> None:
    film = make.video(tmp_path / "film.mkv", width=32, height=32, frames=3)
    places = {name: tmp_path / name for name in ("whole", "failed")}
    for folder in places.values():
        folder.mkdir()
    counted = Operations([str(places["whole"])], error=error)
    assert run(places["whole"], film, tiny_model, counted)[0] == 0
    failing = Operations([str(places["failed"])], at=round(share * counted.count), error=error, lasting=True)
    code, said = run(places["failed"], film, tiny_model, failing)
    lines = [line for line in said.splitlines() if line.startswith("vsr: ")]
    assert (code, len(lines)) == (exit_code, exit_code), said  # in the end only the clean-up is left to the next run
    assert not any(words in said for words in ("Traceback", "Error while serializing", "a bug", "[Errno")), said
    assert (
        vsr("upscale", film, "-m", tiny_model, "-o", places["failed"] / "o.mkv", "--preset", "ultrafast").returncode
        == 0
    )
    assert [path.name for path in places["failed"].iterdir()] == ["o.mkv"]
    assert make.second_opinion(places["failed"] / "o.mkv") == make.second_opinion(places["whole"] / "o.mkv")
