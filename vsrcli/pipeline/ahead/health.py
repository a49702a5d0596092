"""Check that everything that a job needs is installed and works on this machine, for `vsr doctor`."""

import importlib.metadata
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import imageio_ffmpeg
import numpy as np
import psutil
import torch

from vsrcli import __version__
from vsrcli.engine.devices import devices, torch_build, why_no_gpu
from vsrcli.engine.memory import room
from vsrcli.errors import UsageError, VsrError
from vsrcli.media.info import Colour, VideoInfo
from vsrcli.media.write.codecs import choose_settings
from vsrcli.media.write.encoders import ENCODERS, INNER
from vsrcli.media.write.trial import try_encoder
from vsrcli.pipeline.jobs.job import prepare
from vsrcli.pipeline.options import Options
from vsrcli.pipeline.running.run import run
from vsrcli.words import counted
from vsrcli.zoo import store
from vsrcli.zoo.catalogue import catalogue

LITTLE_MEMORY, LITTLE_DISK = 2 << 30, 2 << 30
"""Bytes below which even small videos may not fit."""
TEST_FRAMES, TEST_SIZE = 6, (64, 48)
TEST_SIDE = 256
"""Height and width of the picture that encoders are tried with: DNxHR's accepts none narrower."""
SHIPPED_CODECS = [codec for codec in ENCODERS if codec not in INNER]

State = Literal["ok", "note", "bad"]


@dataclass(frozen=True)
class Check:
    """The name of a check and its result. "note" is informative; with "bad" all or some jobs fail."""

    name: str
    state: State
    text: str


def checks() -> Iterator[Check]:
    """Yield the results of all checks; the last one is a job of some seconds."""
    yield Check("vsr", "ok", f"{__version__}, Python {platform.python_version()}, {platform.platform()}")
    yield Check("libraries", "ok", _libraries())
    yield Check(
        "torch", "ok", f"{torch.__version__}, built for {torch_build()}, {counted(torch.get_num_threads(), 'thread')}"
    )
    yield _gpu()
    yield _ffmpeg()
    yield from _encoders()
    yield _memory()
    yield from _disks()
    yield from _weights()
    yield self_test()


def _libraries() -> str:
    versions = []
    for name in ("av", "numpy", "safetensors", "click", "rich"):
        try:
            versions.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"{name} ?")
    return ", ".join([*versions, f"libavcodec {'.'.join(map(str, av.library_versions['libavcodec']))}"])


def _gpu() -> Check:
    used = next(device for device in devices() if device.used)
    reason = why_no_gpu()
    if reason is None:
        return Check("GPU", "ok", f"{used.title} ({used.name}), {_gib(used.free)} of {_gib(used.memory)} free")
    return Check("GPU", "note", f"none is used: {reason}")


def _ffmpeg() -> Check:
    try:
        path = imageio_ffmpeg.get_ffmpeg_exe()
        command = [path, "-hide_banner", "-version"]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=20, check=True)
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        return Check("ffmpeg", "bad", f"does not run: {' '.join(str(error).split())}")
    return Check("ffmpeg", "ok", f"{' '.join(done.stdout.split()[1:3])} at {path}")


def _encoders() -> Iterator[Check]:
    failed = {codec: reason for codec in SHIPPED_CODECS if (reason := refusal(codec)) is not None}
    working = [codec for codec in SHIPPED_CODECS if codec not in failed]
    if working:
        yield Check("encoders", "ok", ", ".join(working))
    for codec, reason in failed.items():
        yield Check("encoders", "bad", f"{codec}: {reason}")


def refusal(codec: str) -> str | None:
    """Encode a picture by vsr's encoder for a codec, as a job does; return None, or one line that says why it fails."""
    source = VideoInfo(
        path=Path("test"),
        container="matroska",
        stream_index=0,
        codec="rawvideo",
        width=TEST_SIDE,
        height=TEST_SIDE,
        pix_fmt="yuv420p",
        bit_depth=8,
        time_base=Fraction(1, 25),
        frames=1,
        duration=None,
        rate=Fraction(25),
        colour=Colour(),
        sample_aspect_ratio=Fraction(1),
        rotation=None,
        interlaced=False,
        mastering_display=None,
        content_light=None,
        streams=(),
        chapters=0,
    )
    try:
        output = Path("test.mkv")
        settings = choose_settings(source, output, width=TEST_SIDE, height=TEST_SIDE, codec=ENCODERS[codec])
        try_encoder(source, settings)
    except UsageError as error:
        return str(error)
    return None


def _memory() -> Check:
    free = room()
    state: State = "note" if free.size < LITTLE_MEMORY else "ok"
    whole = psutil.virtual_memory().total
    return Check("memory", state, f"{_gib(free.size)} {free.bound}, of {_gib(whole)}; {counted(_cores(), 'core')}")


def _cores() -> int:
    return len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else psutil.cpu_count() or 1


def _disks() -> Iterator[Check]:
    for name, place in (("this folder", Path.cwd()), ("downloads", store.home()), ("temporary", _temporary())):
        there = place
        while not there.exists():
            there = there.parent
        free = shutil.disk_usage(there).free
        state: State = "note" if free < LITTLE_DISK else "ok"
        yield Check("disk", state, f"{_gib(free)} free for {name}, {place}")


def _temporary() -> Path:
    return Path(tempfile.gettempdir())


def _weights() -> Iterator[Check]:
    here, damaged, elsewhere = [], [], []
    for entry in catalogue().models.values():
        files = store.present(entry)
        if not files:
            elsewhere.append(entry.name)
        elif any(store.sha256(one.path).startswith(one.source.sha256) for one in files):
            here.append(entry.name)
        else:
            damaged.append(entry.name)
    default = catalogue().resolve().name
    state: State = "ok" if default in here else "bad"
    missing = "" if default in here else f"; {default}, which is used unless another is named, is not among them"
    yield Check("weights", state, f"{counted(len(here), 'model')} here and intact: {', '.join(here)}{missing}")
    if elsewhere:
        yield Check("weights", "ok", f"{counted(len(elsewhere), 'other model')} fetched when first used")
    for name in damaged:
        yield Check("weights", "bad", f"{name}: its file is damaged")


def self_test() -> Check:
    """Upscale a video of some frames by the default model, and count the frames of the result."""
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="vsr-doctor-") as folder:
            source, output = Path(folder) / "test.mp4", Path(folder) / "result.mp4"
            _write_film(source)
            job = prepare(source, output, Options(model=catalogue().resolve().name), lambda event: None)
            result = run(job)
            with av.open(str(output)) as container:
                shown = sum(1 for _ in container.decode(video=0))
    except (VsrError, OSError, av.FFmpegError, RuntimeError) as error:
        return Check("self-test", "bad", f"a film of {TEST_FRAMES} frames cannot be upscaled: {error}")
    if shown != TEST_FRAMES:
        return Check("self-test", "bad", f"{TEST_FRAMES} frames went in, {shown} came out")
    made = "{}x{} to {}x{}".format(*TEST_SIZE, *result.size)
    took = time.monotonic() - began
    return Check("self-test", "ok", f"{TEST_FRAMES} frames of {made} on {job.device} in {took:.1f} s")


def _write_film(path: Path) -> None:
    width, height = TEST_SIZE
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(25), options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(TEST_FRAMES):
            wave = 128 + 100 * np.sin((columns + 2 * number) / 6) * np.cos(rows / 5)
            picture = np.repeat(wave.astype(np.uint8)[..., None], 3, axis=2)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
