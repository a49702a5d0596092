"""Fingerprints of sources, so that a job continues only with the source with which it began."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from vsrcli.errors import InputError
from vsrcli.media.info import VideoInfo

_BLOCK = 1 << 16
_BLOCKS = 256  # number of blocks of a video, spread evenly: 16 MiB in all
_LEAST_BLOCKS = 2  # number of blocks of an image: its beginning and its end


def fingerprint(info: VideoInfo) -> dict[str, Any]:
    """Return the fingerprint of a source as plain JSON data.

    "sha256" covers the names and sizes of all files and blocks of bytes spread evenly over each, its beginning and end
    included; a file of up to 16 MiB is read completely. "modification time" covers the bytes between the blocks. Raises
    InputError if a file cannot be read.
    """
    content, times = hashlib.sha256(), hashlib.sha256()
    files = info.images or (info.path,)
    blocks = max(_LEAST_BLOCKS, _BLOCKS // len(files))
    try:
        for path in files:
            status = path.stat()
            content.update(f"{path.name} {status.st_size}\n".encode("utf-8", "surrogateescape"))
            times.update(f"{status.st_mtime_ns}\n".encode())
            for block in _sampled(path, status.st_size, blocks):
                content.update(block)
    except OSError as error:
        raise InputError(f"cannot read {error.filename}: {error.strerror}") from None
    return {"input": info.path.name, "sha256": content.hexdigest(), "modification time": times.hexdigest()}


def _sampled(path: Path, size: int, blocks: int) -> Iterator[bytes]:
    """Yield up to `blocks` blocks of a file in order, the first and the last among them."""
    last = max(0, size - _BLOCK)
    starts = [last * i // (blocks - 1) for i in range(blocks)] if size > blocks * _BLOCK else range(0, size, _BLOCK)
    with path.open("rb") as file:
        for start in starts:
            file.seek(start)
            yield file.read(_BLOCK)
