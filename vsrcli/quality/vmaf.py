"""VMAF by the libvmaf of imageio-ffmpeg's ffmpeg binary."""

import json
import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg
import numpy as np

from vsrcli.errors import InputError, VsrError

Source = Path | Sequence[Path] | np.ndarray


@dataclass(frozen=True)
class Vmaf:
    """VMAF (model vmaf_v0.6.1, 0..100) of each frame and its mean."""

    mean: float
    frames: tuple[float, ...]


def vmaf(distorted: Source, reference: Source, *, threads: int = 1) -> Vmaf:
    """Measure VMAF of `distorted` against `reference`.

    Each is a video file, image files in order, or uint8 RGB (t, h, w, 3). Frames are paired by their order, whatever
    their timestamps; of two video files the shorter one decides. Both are compared as 8-bit 4:2:0; RGB is converted by
    BT.601. Raises InputError where sizes or counts differ or a source cannot be read, VsrError if this ffmpeg has no
    libvmaf.
    """
    counts = [len(s) for s in (distorted, reference) if not isinstance(s, Path)]
    if len(counts) == 2 and counts[0] != counts[1]:
        raise InputError(f"VMAF compares clips of the same length, not {counts[0]} frames with {counts[1]}")
    even = "settb=1/25,setpts=N,format=yuv420p"
    score = f"libvmaf=log_fmt=json:log_path=vmaf.json:n_threads={threads}:eof_action=endall"
    with tempfile.TemporaryDirectory(prefix="vsr-vmaf-") as folder:
        work = Path(folder)
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-hide_banner", "-v", "error"]
        command += [*_input(distorted, work / "distorted"), *_input(reference, work / "reference")]
        command += ["-lavfi", f"[0:v]{even}[a];[1:v]{even}[b];[a][b]{score}", "-f", "null", "-"]
        # cwd: in a filter's option the colon of a drive in the log's path would need escaping
        done = subprocess.run(command, cwd=work, capture_output=True, text=True, errors="replace")
        log = work / "vmaf.json"
        if done.returncode or not log.exists():
            raise _failure(done.stderr)
        report = json.loads(log.read_text())
    frames = tuple(float(f["metrics"]["vmaf"]) for f in report["frames"])
    if not frames:
        raise InputError("VMAF found no frames to compare")
    return Vmaf(mean=sum(frames) / len(frames), frames=frames)


def _input(source: Source, scratch: Path) -> list[str]:
    """Return ffmpeg's arguments for opening `source`; lists and raw frames are written to `scratch` first."""
    if isinstance(source, Path):
        if not source.is_file():
            raise InputError(f"{source}: no such file")
        return ["-i", str(source.resolve())]
    if isinstance(source, np.ndarray):
        source.astype(np.uint8, copy=False).tofile(scratch)
        size = f"{source.shape[2]}x{source.shape[1]}"
        return ["-f", "rawvideo", "-pixel_format", "rgb24", "-video_size", size, "-i", str(scratch)]
    quoted = [p.resolve().as_posix().replace("'", r"'\''") for p in source]
    scratch.write_text("".join(f"file '{q}'\n" for q in quoted), encoding="utf-8")
    return ["-f", "concat", "-safe", "0", "-i", str(scratch)]


def _failure(stderr: str) -> VsrError:
    if "No such filter: 'libvmaf'" in stderr:
        return VsrError(
            "this ffmpeg has no libvmaf: unset IMAGEIO_FFMPEG_EXE to use the one that imageio-ffmpeg brings"
        )
    if "input width must match" in stderr or "input height must match" in stderr:
        return InputError("VMAF compares frames of the same size: scale one of the two first")
    reason = re.sub(r"^\[.*?\] ", "", stderr.strip().partition("\n")[0]) or "ffmpeg gave no reason"
    return InputError(f"VMAF could not be measured: {reason}")
