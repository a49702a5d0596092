"""Promises that take minutes to check: real files, memory that does not grow with length, speed.

`pytest -m slow -s tests/test_promises.py` prints the figures.
"""

import hashlib
import json
import statistics
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import vsrcli
from tests.media import make
from vsrcli.engine.device import place
from vsrcli.nets.instructions import cpu_has_bf16
from vsrcli.nets.layers import flow_warp
from vsrcli.nets.recurrent import Features, State
from vsrcli.nets.repvsr import DETAIL_GAIN, RepVSR

pytestmark = pytest.mark.slow
REAL = ["bear_vp9_opus.webm", "phone_rotated_vfr.mp4", "rooftops_320x240_60fps.mp4", "stream_h264_aac.mp4"]


def facts(path: Path) -> dict[str, Any]:
    """Return times of frames in seconds, sound packets with their times, colour tags and rotation."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        times: list[Fraction] = []
        sound: list[tuple[Fraction, str]] = []
        for packet in container.demux():
            if not packet.size or packet.pts is None:
                continue
            time = packet.pts * packet.time_base
            if packet.stream.index == video.index:
                times.append(time)
            else:
                sound.append((time, hashlib.sha256(bytes(packet)).hexdigest()))
        context = video.codec_context
        container.seek(0)
        frame = next(container.decode(video))
        return {
            "times": sorted(times),
            "sound": sound,
            # an undeclared range (0) of YUV means limited (1), and H.264 cannot leave it out beside a matrix
            "colour": [int(context.color_range) or 1, int(context.color_primaries), int(context.color_trc)],
            "matrix": int(context.colorspace),
            "rotation": frame.rotation,
        }


@pytest.mark.parametrize("name", REAL)
def test_real_files_keep_all_but_their_size(shared: Path, tiny_model: str, tmp_path: Path, name: str) -> None:
    source = shared / "data" / "real" / name
    result = vsrcli.upscale(source, tmp_path / name, model=tiny_model)
    before, after = facts(source), facts(result.output)
    assert after["times"] == before["times"]
    assert after["sound"] == before["sound"]
    assert after["rotation"] == before["rotation"]
    assert after["colour"] == before["colour"]
    assert after["matrix"] == before["matrix"] or before["matrix"] == 2
    assert len(make.second_opinion(result.output)) == len(before["times"])
    print(f"\n{name}: {len(before['times'])} frames, {len(before['sound'])} sound packets: identical")


def peak_memory(film: Path, output: Path, model: str, way: tuple[str, ...]) -> int:
    """Return the KiB of the process that upscales `film`."""
    arguments = ["upscale", film, "-o", output, "-m", model, "--window", "15", *way, "-q"]
    script = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True);"
    script += "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    command = [sys.executable, "-c", script, sys.executable, "-m", "vsrcli", *map(str, arguments)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.parametrize("way", [("--lookahead", "5"), ("--propagation", "exact")], ids=["window", "exact"])
def test_memory_does_not_grow_with_length(tiny_model: str, tmp_path: Path, way: tuple[str, ...]) -> None:
    peaks = []
    for seconds in (10, 60):
        film = make.video(tmp_path / f"{seconds}.mp4", width=128, height=96, frames=25 * seconds)
        peaks.append(peak_memory(film, tmp_path / f"{seconds}_x4.mp4", tiny_model, way))
    print(f"\n{way}: peak memory: 10 s {peaks[0] / 1024:.0f} MiB, 60 s {peaks[1] / 1024:.0f} MiB")
    assert abs(peaks[1] - peaks[0]) <= 0.1 * peaks[0]


SPEED = """
import json, sys, time, torch
from vsrcli import zoo
from vsrcli.engine.device import place
net = zoo.load("basicvsr.vimeo90k-bi").net
if sys.argv[1] != "plain":
    place(net, torch.device("cpu"), getattr(torch, sys.argv[1]))
torch.manual_seed(0)
clip = torch.nn.functional.avg_pool2d(torch.rand(1, 3, 160, 200), 5, 1, 2)[0]
clip = torch.stack([clip[:, i:i + 144, i:i + 176] for i in range(4)])[None]
with torch.inference_mode():
    net(clip)
    seconds = []
    for _ in range(3):
        start = time.perf_counter(); net(clip); seconds.append((time.perf_counter() - start) / 4)
print(json.dumps(seconds))
"""


def test_speed_against_the_plain_loop() -> None:
    """Check that fp32 is no slower than the same arithmetic in a plain loop, and bf16 1.7 times as fast as fp32."""
    times: dict[str, list[float]] = {"plain": [], "float32": [], "bfloat16": []}
    for _ in range(2):
        for kind, seconds in times.items():
            done = subprocess.run([sys.executable, "-c", SPEED, kind], check=True, capture_output=True, text=True)
            seconds += json.loads(done.stdout)
    plain, fp32, bf16 = (statistics.median(t) for t in times.values())
    print(f"\nper 176x144 frame: plain {plain:.3f} s, fp32 {fp32:.3f} s ({plain / fp32:.2f}x), ", end="")
    print(f"bf16 {bf16:.3f} s ({fp32 / bf16:.2f}x)")
    assert fp32 <= plain * 1.02
    assert bf16 * 1.7 <= fp32 or not cpu_has_bf16()


class PlainRepVSR(RepVSR):
    """The same arithmetic in straightforward form, with all HR operations at HR size."""

    def propagate(
        self, branch: str, features: Features, flow: Tensor | None, state: State | None
    ) -> tuple[Tensor, State]:
        lr = features["lr"]
        base = F.interpolate(lr, scale_factor=4, mode="bicubic", align_corners=False)
        detail = torch.zeros_like(base)
        if state is not None and flow is not None:
            hr_flow = 4 * F.interpolate(flow, scale_factor=4, mode="bilinear", align_corners=False)
            detail = DETAIL_GAIN * (flow_warp(state[0], hr_flow, padding="border") - base)
        x = torch.cat([lr, F.pixel_unshuffle(detail, 4)], 1)
        hr = base + F.pixel_shuffle(self.srnet(x), 4)
        return hr, (hr.clamp(0, 1),)


def test_repvsr_against_its_straightforward_form() -> None:
    """Check 320x180 to 720p: at least 1.5 times as fast, timed alternately in one process."""
    torch.manual_seed(0)
    best = torch.bfloat16 if cpu_has_bf16() else torch.float32
    nets: dict[str, RepVSR] = {"plain": PlainRepVSR().eval(), "fp32": RepVSR(), "fast": RepVSR()}
    nets["fp32"].load_state_dict(nets["plain"].state_dict())
    place(nets["fp32"], torch.device("cpu"), torch.float32)
    place(nets["fast"], torch.device("cpu"), best)
    noise = F.avg_pool2d(torch.rand(1, 3, 200, 340), 5, 1, 2)
    clip = torch.stack([noise[..., i : i + 180, i : i + 320] for i in range(8)], 1)
    times: dict[str, list[float]] = {name: [] for name in nets}
    with torch.inference_mode():
        out = {name: net(clip) for name, net in nets.items()}
        for _ in range(5):
            for name, net in nets.items():
                start = time.perf_counter()
                net(clip)
                times[name].append((time.perf_counter() - start) / clip.shape[1])
    plain, fp32, fast = (1000 * statistics.median(t) for t in times.values())
    print(f"\nper frame: straightforward {plain:.0f} ms, fp32 {fp32:.0f} ms ({plain / fp32:.2f}x), ", end="")
    print(f"{best} {fast:.0f} ms ({plain / fast:.2f}x)")
    torch.testing.assert_close(out["fp32"], out["plain"], atol=1e-4, rtol=0)
    assert out["plain"].shape == out["fast"].shape
    assert fast * 1.5 <= plain
