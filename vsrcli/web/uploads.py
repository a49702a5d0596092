"""Takes a file that is dropped on the page: as it comes, straight to the disk."""

import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

from vsrcli.errors import OutputError, unwritable
from vsrcli.files import PART


async def receive(parts: AsyncIterator[bytes], target: Path, length: int | None) -> None:
    """Write a file of `length` bytes (None: unknown) that comes in parts; a file cut off midway leaves nothing.

    Raises OutputError if the disk is too small or the file is empty.
    """
    if length is not None and length > shutil.disk_usage(target.parent).free:
        raise OutputError(f"the disk has no room for {target.name}")
    temporary = target.with_name(target.name + PART)
    written = 0
    try:
        with temporary.open("xb") as file:
            async for part in parts:
                written += len(part)
                file.write(part)
        if not written:
            raise OutputError(f"{target.name} is empty")
        temporary.replace(target)
    except OSError as error:
        raise unwritable(target.name, error) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
