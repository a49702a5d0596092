"""Where the exact way puts frames and states aside: one safetensors file each, in the job's folder."""

from collections.abc import Iterator, MutableMapping
from pathlib import Path

from safetensors.torch import load_file

from vsrcli.nets.recurrent import State
from vsrcli.pipeline.job import save_durably


class Aside(MutableMapping[str, State]):
    """Tuples of tensors by name, in a folder that is made when needed. What is there after a crash is whole.

    Raises OutputError where nothing can be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.aside"

    def __setitem__(self, name: str, state: State) -> None:
        self.folder.mkdir(exist_ok=True)
        save_durably({f"{i:02d}": tensor.contiguous() for i, tensor in enumerate(state)}, self._path(name))

    def __getitem__(self, name: str) -> State:
        if name not in self:
            raise KeyError(name)
        tensors = load_file(self._path(name))
        return tuple(tensors[key] for key in sorted(tensors))

    def __contains__(self, name: object) -> bool:
        return self._path(str(name)).exists()

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        self._path(name).unlink()

    def __iter__(self) -> Iterator[str]:
        return (path.stem for path in self.folder.glob("*.aside"))

    def __len__(self) -> int:
        return sum(1 for _ in self)
