"""Send a source to a machine that does not see its disk, and the finished shard back, as bytes."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from vsrcli.errors import InputError, unwritable
from vsrcli.files import write_durably
from vsrcli.media.photo.images import expand_images
from vsrcli.shards.plan import SourcePlan
from vsrcli.shards.running import open_shard
from vsrcli.zoo.catalogue import is_path

PIECE = 64 << 20
"""Bytes per message."""

Piece = tuple[str, int, bytes]
"""A file's place in the folder of a copy, its time of modification in ns, and its bytes or the next of them."""


def pieces_of(source: SourcePlan) -> Iterator[Piece]:
    """Yield a source's files in pieces, and the weights if they are the user's own file. Raises InputError."""
    images = expand_images(source.input)
    model = str(source.options["model"])
    place = f"source/{source.input.name}" if source.input.is_dir() else "source"
    files = [(f"{place}/{path.name}", path) for path in images or (source.input,)]
    files += [(f"model/{Path(model).name}", Path(model))] if is_path(model) else []
    for name, path in files:
        try:
            with path.open("rb") as file:
                time = os.fstat(file.fileno()).st_mtime_ns
                yield name, time, file.read(PIECE)
                while data := file.read(PIECE):
                    yield name, time, data
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from None


def unpack(source: SourcePlan, pieces: Iterator[Piece], folder: Path) -> SourcePlan:
    """Write pieces into an empty folder and return the source's plan with paths in it. Raises OutputError."""
    try:
        for name, time, data in pieces:
            path = folder.joinpath(*name.split("/"))
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("ab") as file:
                file.write(data)
            os.utime(path, ns=(time, time))
        (folder / "made").mkdir(exist_ok=True)
    except OSError as error:
        raise unwritable(folder, error) from None
    options = dict(source.options)
    if is_path(str(options["model"])):
        options["model"] = str(folder / "model" / Path(str(options["model"])).name)
    copy = folder / "source" / source.input.name
    return replace(source, input=copy, output=folder / "made" / source.output.name, options=options)


@dataclass(frozen=True)
class Made:
    """A finished shard's files by their names in its folder, records last."""

    files: dict[str, bytes]


def pack_shard(source: SourcePlan, index: int) -> Made:
    """Return the segments of a finished shard and their records. Raises OSError."""
    folder = source.shard_folder(index)
    segments = [path for path in sorted(folder.rglob("*")) if path.is_file() and ".segment" in str(path)]
    records = sorted(folder.glob("[0-9]*.json"))
    return Made({path.relative_to(folder).as_posix(): path.read_bytes() for path in [*segments, *records]})


def store_shard(source: SourcePlan, index: int, made: Made) -> None:
    """Write a received shard to its folder. Raises OutputError if it cannot be written."""
    work = open_shard(source, index, restart=True)
    try:
        for name, data in made.files.items():
            path = work.folder.joinpath(*name.split("/"))
            path.parent.mkdir(exist_ok=True)
            write_durably(path, data)
    except OSError as error:
        raise unwritable(work.folder, error) from None
    finally:
        work.close()
