"""Reject checkpoints that are no plain file or claim more than they hold, before anything of them is built.

A checkpoint may come from anybody. What it declares (sizes, counts, nesting) is first compared with its size on the
disk, so that reading it takes no more memory and time than a valid file of that size.
"""

import pickletools
import stat
import struct
import zipfile
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from vsrcli.errors import WeightsError
from vsrcli.zoo.foreign import foreign_archive, foreign_format

DAMAGED = "is damaged or not a checkpoint"
"""Message about a file that is no checkpoint."""

MOST_BYTES = 2 << 30
"""Largest size of a file: training states of the largest nets here, with their optimisers, take about 0.5 GiB."""

MOST_WEIGHTS = 100_000_000
"""Largest number of weights of a net: the largest of the papers has 20.6 million (EDVR-L)."""

MOST_KEYS = 8_000
MOST_KEY_LENGTH = 300
TOO_MANY_KEYS = f"more than {MOST_KEYS} weights, which no video net has"

_MOST_HEADER = 4 << 20  # bytes of safetensors' JSON; 414 tensors take 40 KiB
_MOST_PICKLED = 2 << 20  # bytes; 6,000 tensors of a training state take 0.7 MiB
_MOST_OPCODES = 250_000  # read in half a second; each tensor takes 40 opcodes
_MOST_DEPTH = 50
_MOST_RECORDS = 20_000
_MOST_DIRECTORY = 2 << 20  # bytes
_PIECE = 1 << 20  # bytes

_SHOWN = 100  # characters of a name in a message

_ZIP = b"PK\x03\x04"
_LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
"""First bytes of files of PyTorch before 1.6: a pickled number, followed by four more pickles and the data."""

_LEGACY_PICKLES = 5
_REFUSED = frozenset(
    {
        "_codecs encode",
        "builtins bytearray",
        "__builtin__ bytearray",
        "torch Tensor",
        "torch._utils _rebuild_qtensor",
    }
)
"""Functions that PyTorch lets a file call and that allocate any amount of memory from a few bytes, or make no plain
weights."""


def check_file(path: Path) -> str:
    """Check what a checkpoint file claims of itself and return its format: safetensors, zip or legacy.

    Raises WeightsError if it is missing, no regular file, no checkpoint, or claims more than it holds.
    """
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise WeightsError(f"{path}: is no regular file, so no weights are read from it")
        if status.st_size > MOST_BYTES:
            raise WeightsError(f"{path}: is of {status.st_size / 2**30:.1f} GiB: no video net is that large")
        with path.open("rb") as file:
            start = file.read(max(16, len(_LEGACY)))
            file.seek(0)
            foreign = foreign_format(path.suffix, start)
            if foreign is not None:
                raise _RefusedError(foreign)
            if start[8:9] == b"{":
                check_safetensors(file, status.st_size)
                return "safetensors"
            if start.startswith(_ZIP):
                _check_zip(file, status.st_size)
                return "zip"
            if start.startswith(_LEGACY):
                _check_pickles(file, _LEGACY_PICKLES)
                return "legacy"
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:  # an embedded NUL in the name, or one of the checks below
        raise WeightsError(f"{path}: {error if isinstance(error, _RefusedError) else DAMAGED}") from error
    raise WeightsError(f"{path}: {DAMAGED}")


def check_tensors(state: Mapping[str, Tensor], path: Path) -> None:
    """Raise WeightsError unless these are dense numbers in main memory, and no more than the file holds."""
    if len(state) > MOST_KEYS:
        raise WeightsError(f"{path}: holds {TOO_MANY_KEYS}")
    longest = max(map(len, state), default=0)
    if longest > MOST_KEY_LENGTH:
        raise WeightsError(f"{path}: names a weight with {longest} characters")
    for name, tensor in state.items():
        key = shown(name)
        if tensor.layout != torch.strided or tensor.device.type != "cpu":
            raise WeightsError(f"{path}: {key} is sparse or without data; only plain weights are loaded")
        if tensor.is_complex():
            raise WeightsError(f"{path}: {key} holds complex numbers; only plain weights are loaded")
    if sum(tensor.numel() * tensor.element_size() for tensor in state.values()) > path.stat().st_size:
        raise WeightsError(f"{path}: its weights claim more numbers than the file holds")
    if (total := sum(tensor.numel() for tensor in state.values())) > MOST_WEIGHTS:
        raise WeightsError(f"{path}: holds {total / 1e6:.0f} million weights: no video net has so many")


def check_safetensors(file: IO[bytes], size: int) -> None:
    """Raise ValueError unless the JSON header of a safetensors file of `size` bytes lies in it and is not too long."""
    start = file.read(8)
    header = int.from_bytes(start, "little")
    if len(start) < 8 or header > size - 8:
        raise ValueError
    if header > _MOST_HEADER:
        raise _RefusedError(f"has a header of {header / 2**20:.0f} MiB: no video net has so many weights")


def shown(text: str) -> str:
    """Return a name from a file as one short line without control characters."""
    short = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
    return short if short.isprintable() else ascii(short)


class _RefusedError(ValueError):
    """The reason why a file is rejected, in words that follow its name."""


def _check_zip(file: IO[bytes], size: int) -> None:
    """Check a zip archive: PyTorch's own hold one pickle and the bytes of the tensors, uncompressed, with checksums."""
    if _directory_size(file, size) > _MOST_DIRECTORY:
        raise _RefusedError("holds too many records for a video net")
    try:
        with zipfile.ZipFile(file) as archive:
            records = archive.infolist()
            if len(records) > _MOST_RECORDS:
                raise _RefusedError("holds too many records for a video net")
            foreign = foreign_archive([record.filename for record in records])
            if foreign is not None:
                raise _RefusedError(foreign)
            if any(record.compress_type != zipfile.ZIP_STORED for record in records):
                raise _RefusedError("is a compressed archive, which PyTorch does not write; unpack it first")
            if sum(record.file_size for record in records) > size:
                raise _RefusedError("claims more data than the file holds")
            for record in records:
                # PyTorch finds names whatever their case
                if record.filename.lower().endswith(".pkl"):
                    if record.file_size > _MOST_PICKLED:
                        raise _RefusedError("describes its weights at a length that no video net needs")
                    _check_pickles(BytesIO(archive.read(record)), 1)
            for record in records:
                _check_sum(archive, record)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise ValueError from error


def _check_sum(archive: zipfile.ZipFile, record: zipfile.ZipInfo) -> None:
    """Read a record a piece at a time. Raises BadZipFile if it has another CRC-32; torch.load does not compare them."""
    with archive.open(record) as content:
        while content.read(_PIECE):
            pass


def _directory_size(file: IO[bytes], size: int) -> int:
    """Return the size in bytes of a zip's central directory, as its end record declares it."""
    tail_at = max(0, size - (1 << 16) - 22)
    file.seek(tail_at)
    tail = file.read()
    file.seek(0)
    found = tail.rfind(b"PK\x05\x06")
    if found < 0 or len(tail) < found + 22:
        raise ValueError
    length: int = struct.unpack_from("<I", tail, found + 12)[0]
    wide = tail.rfind(b"PK\x06\x06", 0, found)
    if wide >= 0 and len(tail) >= wide + 56:
        length = max(length if length != 0xFFFFFFFF else 0, struct.unpack_from("<Q", tail, wide + 40)[0])
    return length


def _check_pickles(file: IO[bytes], count: int) -> None:
    """Parse `count` pickles without running them.

    Raises _RefusedError for nesting that is too deep, too many opcodes, or calls that allocate memory.
    """
    opcodes = 0
    for _ in range(count):
        depths = _Depths()
        for opcode, argument, position in pickletools.genops(file):
            opcodes += 1
            if opcodes > _MOST_OPCODES or (position or 0) > _MOST_PICKLED:
                raise _RefusedError("describes its weights at a length that no video net needs")
            if opcode.name == "GLOBAL" and argument in _REFUSED:
                name = str(argument).replace(" ", ".")
                raise _RefusedError(f"holds code or objects besides tensors ({name}); only plain weights are loaded")
            depths.follow(opcode, argument)


class _Depths:
    """Nesting depth of the objects on a pickle's stack: deep nesting overflows the interpreter's own stack."""

    _MARK = -1
    _FILLS = frozenset({"APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS", "BUILD"})

    def __init__(self) -> None:
        self._stack: list[int] = []
        self._memo: dict[Any, int] = {}

    def follow(self, opcode: pickletools.OpcodeInfo, argument: Any) -> None:
        """Process one opcode. Raises _RefusedError for nesting that is too deep, ValueError for a short stack."""
        name, before, stack = opcode.name, opcode.stack_before, self._stack
        if name == "MARK":
            stack.append(self._MARK)
        elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self._memo[len(self._memo) if name == "MEMOIZE" else argument] = self._last()
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(self._memo.get(argument, 0))
        elif name == "DUP":
            stack.append(self._last())
        elif not before:
            stack.extend(0 for _ in opcode.stack_after)
        else:
            self._combine(name, len(before), marked=pickletools.markobject in before, after=len(opcode.stack_after))

    def _combine(self, name: str, taken: int, *, marked: bool, after: int) -> None:
        stack, inside = self._stack, []
        if marked:
            while (depth := self._last()) != self._MARK:
                inside.append(depth)
                stack.pop()
            stack.pop()
            taken -= 2  # the mark and what stands above it
        for _ in range(taken):
            inside.append(self._last())
            stack.pop()
        deepest = 1 + max(inside, default=0)
        if name in self._FILLS and inside:
            deepest = max(inside[-1], 1 + max(inside[:-1], default=-1))
        if deepest > _MOST_DEPTH:
            raise _RefusedError(f"nests what it holds more than {_MOST_DEPTH} deep")
        stack.extend(deepest for _ in range(after))

    def _last(self) -> int:
        if not self._stack:
            raise ValueError
        return self._stack[-1]
