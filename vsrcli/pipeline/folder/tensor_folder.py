"""Disk storage for exact propagation: a folder of small safetensors files."""

import contextlib
import hashlib
from collections.abc import Iterator, MutableMapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from vsrcli.errors import OutputError, unwritable
from vsrcli.files import write_durably
from vsrcli.frame import Frame
from vsrcli.levels import picture_tensor
from vsrcli.nets.recurrent import State
from vsrcli.pipeline.folder.work_files import TENSORS as SUFFIX
from vsrcli.pipeline.folder.work_files import clear_inner

_DIGEST = 32  # bytes of SHA-256 before the tensors


class TensorFolder(MutableMapping[str, State]):
    """Tuples of tensors by name, in a folder that is created when it is needed.

    With `durable`, stored tensors survive a crash completely; else the folder is empty at first. The folder is looked
    at only then: what is missing later is an error. Raises OutputError if a file cannot be written or read again.
    """

    def __init__(self, folder: Path, *, durable: bool) -> None:
        self.folder, self.durable = folder, durable
        if not durable:
            self.remove()
        try:
            found = [path.name for path in folder.iterdir()] if durable else []
        except FileNotFoundError:
            found = []
        except OSError as error:
            raise OutputError(f"cannot read {folder}: {error.strerror}") from None
        self._names = {name.removesuffix(SUFFIX) for name in found if name.endswith(SUFFIX)}

    def remove(self) -> None:
        """Delete the tensors, and the folder if nothing else is in it."""
        self._names = set()
        with contextlib.suppress(OSError):
            clear_inner(self.folder)

    def _path(self, name: str) -> Path:
        return self.folder / (name + SUFFIX)

    def __setitem__(self, name: str, state: State) -> None:
        tensors = {f"{i:02d}": tensor.contiguous() for i, tensor in enumerate(state)}
        data, path = save(tensors), self._path(name)
        data = hashlib.sha256(data).digest() + data
        try:
            self.folder.mkdir(exist_ok=True)
            if self.durable:
                write_durably(path, data)
            else:
                path.write_bytes(data)
        except OSError as error:
            raise unwritable(path, error) from None
        self._names.add(name)

    def __getitem__(self, name: str) -> State:
        if name not in self._names:
            raise KeyError(name)
        path = self._path(name)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise OutputError(f"cannot read {path}: {error.strerror}") from None
        try:
            if hashlib.sha256(data[_DIGEST:]).digest() != data[:_DIGEST]:
                raise OutputError(f"{path} is damaged: delete it and run again")
            tensors = load(data[_DIGEST:])
        except SafetensorError:
            raise OutputError(f"{path} is damaged: delete it and run again") from None
        return tuple(tensors[key] for key in sorted(tensors))

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __delitem__(self, name: str) -> None:
        self._names.remove(name)
        with contextlib.suppress(OSError):  # then it goes with the folder
            self._path(name).unlink()

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


class FrameFolder(MutableMapping[int, Frame]):
    """Frames by number, in a folder that is empty at first. Raises OutputError as `TensorFolder` does."""

    def __init__(self, folder: Path) -> None:
        self._tensors = TensorFolder(folder, durable=False)

    def remove(self) -> None:
        """Delete the frames, and the folder if nothing else is in it."""
        self._tensors.remove()

    def __setitem__(self, number: int, frame: Frame) -> None:
        rest = torch.tensor([frame.pts, frame.duration, frame.bit_depth])
        tint = torch.tensor(frame.tint or (), dtype=torch.float64)
        captions = torch.tensor([*frame.captions], dtype=torch.uint8)
        alpha = () if frame.alpha is None else (picture_tensor(frame.alpha),)
        self._tensors[str(number)] = (picture_tensor(frame.data), rest, tint, captions, *alpha)

    def __getitem__(self, number: int) -> Frame:
        data, rest, tint, captions, *alpha = self._tensors[str(number)]
        pts, duration, bit_depth = rest.tolist()
        return Frame(
            number,
            data.numpy(),
            pts,
            duration,
            bit_depth,
            tuple(tint.tolist()) or None,
            bytes(captions.tolist()),
            alpha[0].numpy() if alpha else None,
        )

    def __delitem__(self, number: int) -> None:
        del self._tensors[str(number)]

    def __iter__(self) -> Iterator[int]:
        return map(int, self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)
