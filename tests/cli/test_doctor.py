"""`vsr doctor` and `vsr devices` tell what is there, what works, and why a GPU is not used."""

import json
import re
from pathlib import Path

import pytest
import torch

from tests.command import vsr
from vsrcli.cli import doctor
from vsrcli.engine import device, devices
from vsrcli.errors import UsageError
from vsrcli.media.write.encoders import ENCODERS
from vsrcli.pipeline.ahead import health


def test_a_working_installation_passes_every_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = vsr("doctor")
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("vsr", "torch", "GPU", "ffmpeg", "encoders", "memory", "disk", "weights"):
        assert any(line.split()[1] == name for line in lines), name
    assert re.search(r"6 frames of 64x48 to 256x192 on \w+ in \d+\.\d s", lines[-2])
    place = "the CPU" if not torch.cuda.is_available() else torch.cuda.get_device_name()
    assert lines[-1] == f"all is well: vsr works here, on {place}"
    assert not list(tmp_path.iterdir())


def test_json_holds_the_same_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "self_test", lambda: health.Check("self-test", "ok", "left out here"))
    found = json.loads(vsr("doctor", "--json").stdout)
    assert {check["state"] for check in found} <= {"ok", "note"}
    assert all(set(check) == {"name", "state", "text"} for check in found)


def test_failed_checks_are_named_and_exit_with_code_1(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "/nowhere/ffmpeg")
    monkeypatch.setattr(health, "ENCODERS", ENCODERS | {"av1": "no_such_encoder"})
    monkeypatch.setattr(health, "self_test", lambda: health.Check("self-test", "ok", "left out here"))
    done = vsr("doctor")
    assert done.returncode == 1
    bad = [line for line in done.stdout.splitlines() if line.startswith("BAD")]
    assert len(bad) == 2 and "ffmpeg" in bad[0] and "av1" in bad[1]
    assert done.stderr.count("\n") == 1 and done.stderr == "vsr: 2 checks failed: ffmpeg, encoders\n"
    assert "all is well" not in done.stdout


def test_a_library_that_cannot_be_imported_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "NEEDED", ("numpy", "no_such_library"))
    done = vsr("doctor")
    assert done.returncode == 1
    assert (
        done.stderr == "vsr: no_such_library cannot be imported (No module named 'no_such_library'): install it again\n"
    )


def test_devices_are_listed_and_one_is_used() -> None:
    done = vsr("devices")
    assert done.returncode == 0
    assert sum("*" in line.split()[0] for line in done.stdout.splitlines()) == 1
    listed = json.loads(vsr("devices", "--json").stdout)
    assert listed[-1]["name"] == "cpu" and listed[-1]["memory"] >= listed[-1]["free"] > 0
    assert [one["used"] for one in listed].count(True) == 1


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_the_reason_for_a_missing_gpu_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """By what torch says of its build, and the machine of its driver."""
    monkeypatch.setattr(torch.version, "cuda", None)
    monkeypatch.setattr(devices, "has_nvidia_driver", lambda: True)
    assert devices.why_no_gpu() == "this PyTorch is the CPU build: see README, GPU"
    assert (
        "this PyTorch is the CPU build: see README, GPU; use --device cpu"
        in vsr("upscale", *film(), "--device", "cuda").stderr
    )
    monkeypatch.setattr(torch.version, "cuda", "12.6")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "CUDA_VISIBLE_DEVICES" in str(devices.why_no_gpu())
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setattr(devices, "has_nvidia_driver", lambda: False)
    assert "no NVIDIA driver is installed" in str(devices.why_no_gpu())
    with pytest.raises(UsageError, match="there is no device cuda: PyTorch sees no GPU here"):
        device.pick_device("cuda")


def film() -> list[str]:
    return [str(Path(__file__).resolve().parents[2] / "examples" / "demo.mp4"), "--dry-run"]


@pytest.mark.parametrize("codec", health.SHIPPED_CODECS)
def test_every_shipped_encoder_encodes_a_picture(codec: str) -> None:
    assert health.refusal(codec) is None
