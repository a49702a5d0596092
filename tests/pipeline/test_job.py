"""The job's folder: what is flushed, what is verified, what is deleted, and whose links are refused."""

import os
import sys
from pathlib import Path
from typing import Any

from vsrcli.pipeline.job import sync

_opened: list[int] | None = None


def _listen(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _opened is not None:
        _opened.append(arguments[2])


sys.addaudithook(_listen)


def test_files_are_flushed_through_a_handle_that_may_write(tmp_path: Path) -> None:
    global _opened
    path = tmp_path / "file"
    path.write_bytes(b"x")
    _opened = []
    try:
        sync(path)
        flags = list(_opened)
    finally:
        _opened = None
    assert flags and all(flag & (os.O_RDWR | os.O_WRONLY) for flag in flags)
    assert path.read_bytes() == b"x"


def test_folders_are_flushed_or_left_alone(tmp_path: Path) -> None:
    sync(tmp_path)
