"""The job folder beside the output: what survives a crash, and how a second run finds its place again.

`<output>.vsr/` holds `job.json` (the source's fingerprint and all settings), finished segments, and the engine's
state at the border after the last one. Segments cover fixed ranges of frames, so an interrupted and an uninterrupted
job encode the same frames in the same way. A segment counts once its record `NNNNNN.json` is renamed into place. A lock
keeps a second process out.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from vsrcli.engine.plan import Plan
from vsrcli.errors import OutputError, UsageError
from vsrcli.pipeline.lock import LOCK_NAME, lock


@dataclass(frozen=True)
class Segment:
    """A finished segment: its file (or folder of images), and the pts of its frames."""

    path: Path
    pts: tuple[int, ...]
    last: bool


class Job:
    """The folder of one job, held by this process until `close` or `remove`. Use `Job.open`."""

    def __init__(self, folder: Path, record: dict[str, Any], held: BinaryIO) -> None:
        self.folder = folder
        self._held = held
        self.plan = Plan.from_record(record["plan"])
        self.segment_frames: int = record["segment_frames"]
        self.segments = self._finished()

    @classmethod
    def open(
        cls,
        folder: Path,
        *,
        source: Mapping[str, Any],
        settings: Mapping[str, Any],
        plan: Plan,
        segment_frames: int,
        restart: bool,
    ) -> "Job":
        """Continue the job in `folder` or start one there.

        `plan` is what vsr chose by itself: a job that goes on keeps the plan it began with. Raises UsageError if an
        unfinished job of another source or with other settings lies there (`restart` throws it away), or if another
        process works there.
        """
        record: dict[str, Any] = {"source": source, "settings": settings}
        record |= {"plan": asdict(plan), "segment_frames": segment_frames}
        record = json.loads(json.dumps(record))
        try:
            held = lock(folder)
        except OSError as error:
            raise OutputError(f"cannot write {folder}: {error.strerror}") from None
        try:
            if restart:
                _clear(folder)
            return cls(folder, _record(folder, record), held)
        except BaseException as error:
            held.close()
            if isinstance(error, OSError):
                raise OutputError(f"cannot write {folder}: {error.strerror}") from None
            raise

    def close(self) -> None:
        """Let others work here."""
        self._held.close()

    @property
    def frames(self) -> int:
        """Frames in finished segments."""
        return sum(len(segment.pts) for segment in self.segments)

    @property
    def complete(self) -> bool:
        """Whether the last segment of the video is finished."""
        return bool(self.segments) and self.segments[-1].last

    def segment_path(self, index: int) -> Path:
        """Where a segment is written."""
        return self.folder / f"{index:06d}.segment"

    def commit(self, index: int, pts: list[int], *, last: bool, state: dict[str, torch.Tensor] | None) -> None:
        """Make a written segment count, with the engine's state at its end (None if it is the last)."""
        path = self.segment_path(index)
        for part in sorted(path.iterdir()) if path.is_dir() else [path]:
            sync(part)
        if state is not None:
            save_tensors(state, self._state_path(index))
        write_durably(self._record_path(index), json.dumps({"pts": pts, "last": last}).encode())
        self._state_path(index - 1).unlink(missing_ok=True)
        self.segments.append(Segment(path, tuple(pts), last))

    def state(self) -> dict[str, torch.Tensor] | None:
        """The engine's state after the last finished segment; None at the start."""
        if not self.segments:
            return None
        try:
            return load_file(self._state_path(len(self.segments) - 1))
        except (OSError, SafetensorError):
            raise _damaged(self.folder) from None

    def remove(self) -> None:
        """Nothing here is needed any more."""
        if os.name != "posix":  # elsewhere an open file cannot be deleted
            self.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.close()

    def _finished(self) -> list[Segment]:
        found: list[Segment] = []
        while (path := self._record_path(len(found))).exists():
            segment = self.segment_path(len(found))
            try:
                record = json.loads(path.read_text())
                found.append(Segment(segment, tuple(record["pts"]), record["last"]))
            except (ValueError, KeyError, TypeError):
                raise _damaged(self.folder) from None
            if not segment.exists():
                raise _damaged(self.folder)
        return found

    def _record_path(self, index: int) -> Path:
        return self.folder / f"{index:06d}.json"

    def _state_path(self, index: int) -> Path:
        return self.folder / f"{index:06d}.state"


def _damaged(folder: Path) -> UsageError:
    return UsageError(f"{folder} holds a damaged job: add --restart to start over")


def _clear(folder: Path) -> None:
    """Delete what an earlier job left in a folder that is held."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != LOCK_NAME:
            path.unlink()


def _record(folder: Path, wanted: dict[str, Any]) -> dict[str, Any]:
    """The record of the job in `folder`; else `wanted`, written there. Raises UsageError if they differ."""
    path = folder / "job.json"
    if not path.exists():
        write_durably(path, json.dumps(wanted, indent=1).encode())
        return wanted
    try:
        found: dict[str, Any] = json.loads(path.read_text())
        changed = [k for part in ("source", "settings") for k in wanted[part] if found[part].get(k) != wanted[part][k]]
    except (ValueError, KeyError, AttributeError):
        raise _damaged(folder) from None
    if changed:
        raise UsageError(
            f"{folder} holds an unfinished job that differs in {', '.join(changed)}: "
            "add --restart to start over, or repeat the settings it began with"
        )
    return found


def begun_with(folder: Path) -> str | None:
    """The model's name in the record of the job in `folder`; None if there is none that can be read."""
    try:
        return str(json.loads((folder / "job.json").read_text())["settings"]["model"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_durably(path: Path, data: bytes) -> None:
    """Write a file so that after a crash it is either absent (or as before) or whole."""
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(data)
    _into_place(temporary, path)


def save_tensors(tensors: dict[str, torch.Tensor], path: Path, *, durably: bool = True) -> None:
    """Write a safetensors file, `durably` in the same way. Raises OutputError where it cannot be written."""
    temporary = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(exist_ok=True)
        save_file(tensors, temporary)
        if durably:
            _into_place(temporary, path)
        else:
            temporary.replace(path)
    except (OSError, SafetensorError) as error:
        raise OutputError(f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from None


def _into_place(temporary: Path, path: Path) -> None:
    """Rename a written file so that what it replaces is lost only when it is safe on the disk."""
    sync(temporary)
    temporary.replace(path)
    sync(path.parent)


def sync(path: Path) -> None:
    """Flush a file, or on POSIX a folder, to the disk. Elsewhere a folder cannot be opened and needs no flush."""
    if path.is_dir():
        if os.name != "posix":
            return
        access = os.O_RDONLY
    else:
        access = os.O_RDWR  # Windows flushes only what may be written
    handle = os.open(path, access | getattr(os, "O_BINARY", 0))
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
