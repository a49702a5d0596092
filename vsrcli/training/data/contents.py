"""What a pack of clips holds, told by its file's header alone: the record of `vsr info` for a pack."""

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from vsrcli.errors import InputError, Reason
from vsrcli.training.data.pack import Origins
from vsrcli.zoo.bounds import check_safetensors

_PARTS = ("train", "validation")


@dataclass(frozen=True)
class Clip:
    """A clip of a pack: its name, its number of frames, and (width, height), None where they are compressed.

    `part` is "train" or "validation".
    """

    name: str
    part: str
    frames: int
    size: tuple[int, int] | None


@dataclass(frozen=True)
class Contents:
    """A pack of clips: how many of them have LR frames (of real compression) and answers of teachers beside them."""

    path: Path
    bytes: int
    clips: tuple[Clip, ...]
    with_lr: int
    with_answers: int
    origins: Origins

    def of(self, part: str) -> list[Clip]:
        """Return the clips of "train" or "validation"."""
        return [clip for clip in self.clips if clip.part == part]

    @property
    def compressed(self) -> int:
        """The number of clips whose frames are compressed (`vsr train pack --compact`)."""
        return sum(clip.size is None for clip in self.clips)

    def plain(self) -> dict[str, Any]:
        """Return plain data for JSON; the names are stable."""
        return {
            "input": str(self.path),
            "kind": "pack",
            "bytes": self.bytes,
            "train_clips": len(self.of("train")),
            "validation_clips": len(self.of("validation")),
            "frames": sum(clip.frames for clip in self.clips),
            "compressed_clips": self.compressed,
            "clips_with_lr_frames": self.with_lr,
            "clips_with_answers": self.with_answers,
            **asdict(self.origins),
            "clips": [{**vars(clip), "size": clip.size and list(clip.size)} for clip in self.clips],
        }


def contents(path: Path) -> Contents | None:
    """Return what a safetensors file holds as a pack; None if it is no such file, or its tensors are no clips.

    Only the header is read. Raises InputError if the clips are of a kind that no pack has.
    """
    header = _header(path)
    if header is None or not any(key.partition("/")[0] in _PARTS and "/" in key for key in header[0]):
        return None
    shapes, about = header
    parts = [key.partition("/")[0] for key in shapes]
    try:
        known = json.loads(about.get("vsr", "{}"))
        lengths, origins = known.get("lengths", {}), Origins()
        origins.add(known)
        clips = [_clip(key, shapes[key], lengths) for key, part in zip(shapes, parts, strict=True) if part in _PARTS]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InputError(f"{path}: not a pack of training clips", Reason.NOT_A_PACK) from None
    with_lr, with_answers = (sum(part.endswith(ending) for part in parts) for ending in ("-lr", "-answer"))
    return Contents(path, path.stat().st_size, tuple(clips), with_lr, with_answers, origins)


def _header(path: Path) -> tuple[dict[str, list[int]], dict[str, str]] | None:
    """Return the shapes by key, sorted, and the metadata of a safetensors file; None if it is none or is damaged."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            check_safetensors(file, path.stat().st_size)
        with safe_open(path, "np") as tensors:
            shapes = {key: tensors.get_slice(key).get_shape() for key in sorted(tensors.keys())}
            return shapes, tensors.metadata() or {}
    except (OSError, ValueError, SafetensorError):
        return None


def _clip(key: str, shape: list[int], lengths: dict[str, int]) -> Clip:
    """Return one clip. Raises ValueError or KeyError for a shape that no clip has."""
    part, _, name = key.partition("/")
    if len(shape) == 1:
        return Clip(name, part, int(lengths[key]), None)
    frames, channels, height, width = shape
    if channels != 3 or not math.prod(shape):
        raise ValueError
    return Clip(name, part, frames, (width, height))
