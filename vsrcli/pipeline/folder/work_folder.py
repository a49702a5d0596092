"""The job's folder beside the output: data that survive a crash, from which a second run continues.

`<output>.vsr/` holds `job.json` (the source's fingerprint and all settings), finished segments, and the engine's state
at the border after the last one. Segments cover fixed ranges of frames, so an interrupted and an uninterrupted job
encode the same frames in the same way. A segment is complete once its record `NNNNNN.json` is renamed into place. A
lock excludes other processes. The records hold checksums, which are verified before a segment or a state is used again.
"""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save_file

from vsrcli.engine.plan import Plan
from vsrcli.errors import OutputError, OutputExistsError, unwritable
from vsrcli.files import digests, replacing, sync, write_durably
from vsrcli.locks import Hold
from vsrcli.pipeline.findings import Findings
from vsrcli.pipeline.folder.job_records import damaged, is_sound, read_job_record, read_segment_record
from vsrcli.pipeline.folder.lock import lock
from vsrcli.pipeline.folder.work_files import LOCK_NAME, MARK_NAME, Mark, clear, read_mark


@dataclass(frozen=True)
class Segment:
    """A finished segment: its file (or folder of images), and the pts of its frames."""

    path: Path
    pts: tuple[int, ...]
    last: bool


class WorkFolder:
    """The folder of one job, held by this process until `close` or `remove`. Use `WorkFolder.open`."""

    def __init__(self, folder: Path, record: dict[str, Any], held: Hold, mark: Mark | None, beside: Path) -> None:
        self.folder = folder
        self.mark = mark
        self._held = held
        self._record = record
        try:
            self.plan = Plan.from_record(record["plan"])
            self.segment_frames = record["segment_frames"]
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
            raise damaged(folder) from None
        if not is_sound(self.plan, self.segment_frames):
            raise damaged(folder)
        self.placed = None if mark is None else mark.placed(beside)
        self._digests: list[dict[str, Any]] = []
        self.segments = [] if self.placed else self._finished()
        self._verified = len(self.segments)

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
        overwrite: bool = False,
        beside: Path | None = None,
    ) -> "WorkFolder":
        """Continue the job in `folder` or start one there.

        A finished job that was stopped during its clean-up is returned with its output as `placed`. If it is another
        job than the requested one, it is cleaned up; then `overwrite` allows to replace the output, else
        OutputExistsError is raised.

        `beside` is the folder in which the output is put, if `folder` does not lie there too.
        `plan` is vsr's own choice: a job that continues keeps the plan with which it began. Raises UsageError if the
        folder holds an unfinished job of another source or with other settings (`restart` deletes it), or if another
        process works there.
        """
        record: dict[str, Any] = {"source": source, "settings": settings}
        record |= {"plan": asdict(plan), "segment_frames": segment_frames}
        record = json.loads(json.dumps(record))
        beside = folder.parent if beside is None else beside
        try:
            held = lock(folder)
        except OSError as error:
            raise unwritable(folder, error) from None
        try:
            mark = None if restart else read_mark(folder)
            placed = None if mark is None else mark.placed(beside)
            if mark is not None and placed is not None:
                if (mark.source, mark.settings) == (record["source"], record["settings"]):
                    return cls(folder, record, held, mark, beside)
                clear(folder)
                if not overwrite:
                    raise OutputExistsError(placed)
                mark = None
            if restart:
                clear(folder)
            return cls(folder, read_job_record(folder, record), held, mark, beside)
        except BaseException as error:
            held.release()
            if isinstance(error, OSError):
                raise unwritable(folder, error) from None
            raise

    def close(self) -> None:
        """Release the folder for other processes."""
        self._held.release()

    @property
    def frames(self) -> int:
        """Number of frames in finished segments."""
        if self.placed and self.mark is not None:
            return self.mark.frames
        return sum(len(segment.pts) for segment in self.segments)

    @property
    def complete(self) -> bool:
        """Whether the last segment of the video is finished."""
        return bool(self.segments) and self.segments[-1].last

    @property
    def findings(self) -> Findings:
        """Findings of an earlier run about the source; empty unless it decoded the whole source."""
        return Findings.from_plain(self._digests[-1].get("findings")) if self._digests else Findings()

    def segment_path(self, index: int) -> Path:
        """Return the path of a segment."""
        return self.folder / f"{index:06d}.segment"

    def commit(
        self,
        index: int,
        pts: list[int],
        *,
        last: bool,
        state: dict[str, torch.Tensor] | None,
        findings: Findings | None = None,
    ) -> None:
        """Record a written segment as complete, with the engine's state at its end (None if it is the last).

        `findings` are the properties of the source that are known after decoding it.
        """
        path = self.segment_path(index)
        for part in sorted(path.iterdir()) if path.is_dir() else [path]:
            sync(part)
        record: dict[str, Any] = {"pts": pts, "last": last, "segment": digests(path), "state": None}
        if findings is not None:
            record["findings"] = findings.plain()
        if state is not None:
            save_tensors(state, self._state_path(index))
            record["state"] = digests(self._state_path(index))
        write_durably(self._record_path(index), json.dumps(record).encode())
        self._state_path(index - 2).unlink(missing_ok=True)  # the one before is used if this segment is damaged
        self._digests.append(record)
        self.segments.append(Segment(path, tuple(pts), last))

    def state(self) -> dict[str, torch.Tensor] | None:
        """Return the engine's state after the last finished segment; None at the start."""
        if not self.segments:
            return None
        try:
            return load(self._state_path(len(self.segments) - 1).read_bytes())  # not mapped: it is deleted meanwhile
        except (OSError, SafetensorError):
            raise damaged(self.folder) from None

    def verify(self) -> None:
        """Read this run's segments again. Raises OutputError if they have changed."""
        for index in range(self._verified, len(self.segments)):
            if not self._intact(index):
                raise OutputError(f"{self.segment_path(index)} was damaged on the disk: run the same command again")

    def announce(self, output: Path, *, file: Path | None = None) -> None:
        """Record the next name of the output; `file` is the finished file that will get it."""
        status = None if file is None else file.stat()
        self.mark = Mark(
            output.name,
            self._record["source"],
            self._record["settings"],
            self.frames,
            0 if status is None else status.st_size,
            0 if status is None else status.st_mtime_ns,
        )
        self.mark.write(self.folder)

    def finish(self) -> None:
        """Record that the output has the name announced last, so that only the clean-up remains."""
        assert self.mark is not None
        self.mark = replace(self.mark, size=0, time=0, done=True)
        self.mark.write(self.folder)

    def remove(self) -> list[Path]:
        """Delete vsr's files here, the mark last; return other files, which stay."""
        try:
            foreign = clear(self.folder, keep=(LOCK_NAME, MARK_NAME))
            self.close()  # before deleting the folder, since Windows cannot delete open files
            (self.folder / MARK_NAME).unlink(missing_ok=True)
            if not foreign:
                self.folder.rmdir()
        except OSError:  # the next run finishes the clean-up
            foreign = []
        self.close()
        return foreign

    def _finished(self) -> list[Segment]:
        """Return the intact segments. The last one may be damaged; then it is made again."""
        records: list[dict[str, Any] | None] = []
        while (path := self._record_path(len(records))).exists():
            records.append(read_segment_record(path))
        for wanted in (len(records), len(records) - 1):
            if wanted < 0 or None in records[:wanted]:
                continue
            self._digests = [record for record in records[:wanted] if record is not None]
            if not all(self._intact(index) for index in range(wanted)) or not self._can_go_on(wanted):
                continue
            for index in range(wanted, len(records)):
                self._record_path(index).unlink()
            return [
                Segment(self.segment_path(index), tuple(record["pts"]), record["last"])
                for index, record in enumerate(self._digests)
            ]
        raise damaged(self.folder)

    def _intact(self, index: int) -> bool:
        """Return whether a segment is unchanged. Images that were moved into place already may be missing."""
        wanted = self._digests[index]["segment"]
        try:
            found = digests(self.segment_path(index))
        except FileNotFoundError:
            found = {}
        except OSError as error:
            raise OutputError(f"cannot read {error.filename}: {error.strerror}") from None
        if self.mark is not None and "" not in wanted:
            return bool(found.items() <= wanted.items())
        return bool(found == wanted)

    def _can_go_on(self, count: int) -> bool:
        """Return whether the state after `count` segments is there and unchanged, or none is needed."""
        if count == 0 or self._digests[count - 1]["last"]:
            return True
        try:
            return bool(digests(self._state_path(count - 1)) == self._digests[count - 1]["state"])
        except OSError:
            return False

    def _record_path(self, index: int) -> Path:
        return self.folder / f"{index:06d}.json"

    def _state_path(self, index: int) -> Path:
        return self.folder / f"{index:06d}.state"


def save_tensors(tensors: dict[str, torch.Tensor], path: Path) -> None:
    """Write a safetensors file durably. Raises OutputError where it cannot be written."""
    try:
        with replacing(path) as temporary:
            save_file(tensors, temporary)
    except (OSError, SafetensorError) as error:
        raise unwritable(path, _of_system(error)) from None


def _of_system(error: Exception) -> Exception:
    """Return the system's error; safetensors hides its number in a text of Rust."""
    number = re.search(r"(?:\bcode: |os error )(\d+)", str(error))
    if isinstance(error, OSError) or number is None:
        return error
    code = int(number[1])
    return OSError(code, os.strerror(code), None, code)  # on Windows it is one of Windows' own, the fourth argument
