"""Packs of short sharp clips. Each pack is one file that is read into memory.

A pack is one safetensors file of uint8 clips (t, 3, h, w): `train/NAME` and `validation/NAME`. If LR frames were made
at packing time (degradation "real"), it also has `train-lr/NAME` and `validation-lr/NAME`; if a teacher's answers were
added (distill/answers.py), `train-answer/NAME`. Clips may be compressed (pictures.py). Reading a pack needs no video
library, so training runs without one. With one, the degradation "real" is sampled anew for every batch unless the pack
holds LR frames.
"""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from vsrcli.errors import InputError, Reason
from vsrcli.files import replacing
from vsrcli.training.data.pictures import decompress
from vsrcli.zoo.download import digest_of

VALIDATION_CLIPS = 9


@dataclass(frozen=True)
class Origins:
    """Where a pack's clips are from: sources trained on, sources held out for validation, models that answered."""

    sources: list[str] = field(default_factory=list)
    held_out: list[str] = field(default_factory=list)
    teachers: list[str] = field(default_factory=list)

    def add(self, known: dict[str, list[str]]) -> None:
        """Add those of a pack's metadata."""
        for key, names in asdict(self).items():
            getattr(self, key).extend(name for name in known.get(key, []) if name not in names)


class Pack:
    """The clips of one or more pack files, all in memory."""

    def __init__(self, paths: list[Path]) -> None:
        """Read the packs.

        Raises InputError if a file is missing or no pack, or if all together hold no clip for training.
        """
        self.paths = paths
        self.parts: dict[str, dict[str, Tensor]] = {}
        self.origins = Origins()
        stems = Counter(path.stem for path in paths)
        for path in paths:
            label = path.stem if stems[path.stem] == 1 else str(path)
            if not path.exists():
                raise InputError(f"{path} does not exist")
            try:
                with safe_open(path, "pt") as file:
                    tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dict
                    about = file.metadata() or {}
                known = json.loads(about.get("vsr", "{}"))
                for key, length in known.get("lengths", {}).items():
                    tensors[key] = decompress(tensors[key], length)
                self.origins.add(known)
            except (OSError, ValueError, SafetensorError) as error:
                raise InputError(f"{path}: not a pack of training clips ({error})", Reason.NOT_A_PACK) from None
            for key, clip in tensors.items():
                part, _, name = key.partition("/")
                self.parts.setdefault(part, {})[f"{label}/{name}"] = clip
        if not self.parts.get("train"):
            raise InputError(f"{self}: holds no clip to train on")

    def __str__(self) -> str:
        """Return the paths of the packs, for messages."""
        return ", ".join(map(str, self.paths))

    def digests(self) -> list[str]:
        """Return a line for each file: its name and its SHA-256."""
        return [f"{path.name}: {digest_of(path)}" for path in self.paths]

    def names(self, part: str) -> list[str]:
        """Return the names of the clips of "train" or "validation", sorted."""
        return sorted(self.parts.get(part, {}))

    def pair(self, part: str, name: str) -> tuple[Tensor, Tensor | None]:
        """Return a clip's uint8 HR frames (t, 3, h, w), and its LR frames if the pack has them."""
        return self.parts[part][name], self.parts.get(f"{part}-lr", {}).get(name)

    def answer(self, part: str, name: str) -> Tensor | None:
        """Return a teacher's uint8 HR frames for a clip, if the pack has them."""
        return self.parts.get(f"{part}-answer", {}).get(name)


def write_pack(path: Path, tensors: dict[str, Tensor], about: dict[str, Any]) -> int:
    """Write a pack of tensors by key with metadata `about`; return the number of its clips.

    The file appears complete or not at all, and the file that it replaces stays until then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.touch()
        rights = temporary.stat().st_mode
        save_file(tensors, temporary, metadata={"vsr": json.dumps(about)})
        temporary.chmod(rights)  # save_file leaves a file that only its owner can read
    return sum("-" not in key.partition("/")[0] for key in tensors)


def in_turns(names: list[str], each: int | None = None) -> list[str]:
    """Return the first clip of every source, then the second of every source, and so on, at most `each` of them."""
    sources: dict[str, list[str]] = {}
    for name in names:
        sources.setdefault(name.rpartition(".")[0], []).append(name)
    return [name for turn in list(zip_longest(*sources.values()))[:each] for name in turn if name is not None]


def spread(names: list[str]) -> list[str]:
    """Return at most VALIDATION_CLIPS of the names, evenly spread."""
    return names[:: -(-len(names) // VALIDATION_CLIPS) or 1]
